"""Published studies done again on any data of their kind: one file each, one line here."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from gonogo.registry import Registry

STUDIES: Registry[Callable[..., Any]] = Registry(
    "study",
    {
        "casting": "gonogo.studies.casting:study",
        "sheet": "gonogo.studies.sheet:study",
        "sealant": "gonogo.studies.sealant:study",
        "prune": "gonogo.studies.prune:study",
    },
)


@cache
def published(study: str) -> dict[str, Any]:
    """Return what a study published: a table for each of its rows."""
    text = (files("gonogo.studies") / "figures.toml").read_text(encoding="utf-8")
    return dict(tomllib.loads(text)[study])
