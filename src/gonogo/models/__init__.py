"""Networks: one family per file, one line each here."""

from __future__ import annotations

from gonogo.models.architecture import Architecture
from gonogo.registry import Registry

ARCHITECTURES: Registry[Architecture] = Registry(
    "architecture",
    {
        "taper": "gonogo.models.tapering:TAPER",
        "taper-wide": "gonogo.models.tapering:TAPER_WIDE",
        "taper-study": "gonogo.models.tapering:TAPER_STUDY",
        "stump": "gonogo.models.stump:STUMP",
        "timm": "gonogo.models.timm:TIMM",
    },
)
