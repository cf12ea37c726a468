"""Checks of the photos before anything is trained: one check per file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gonogo.registry import Registry

if TYPE_CHECKING:
    from gonogo.audit.findings import Findings
    from gonogo.audit.inspection import Inspection

Check = Callable[["Inspection"], tuple["Findings", ...]]

# In the order in which a reader wants to know: what is broken, what stands twice, what the labels say, what follows.
CHECKS: Registry[Check] = Registry(
    "check",
    {
        "unreadable": "gonogo.audit.unreadable:check",
        "stray": "gonogo.audit.stray:check",
        "classes": "gonogo.audit.classes:check",
        "mixes": "gonogo.audit.mixes:check",
        "leakage": "gonogo.audit.leakage:check",
        "duplicates": "gonogo.audit.duplicates:check",
        "copies": "gonogo.audit.copied:check",
        "parts": "gonogo.audit.parts:check",
        "contradictory_labels": "gonogo.audit.contradictory_labels:check",
        "imbalance": "gonogo.audit.imbalance:check",
        "exposure": "gonogo.audit.exposure:check",
        "shortcuts": "gonogo.audit.shortcuts:check",
    },
)
