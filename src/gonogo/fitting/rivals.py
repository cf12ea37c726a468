"""Networks that others use on such photos, and what they cost on this machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import make_spec
from gonogo.models.mobilenet import LAST_BLOCK
from gonogo.search.measure import cost_of
from gonogo.train.prepare import DataOptions, Photos, choose_geometry

STUDY = "taper-study"
# Name, architecture, its options, and how it sees the photos: as its authors did.
RIVALS: tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...] = (
    ("the casting study's tapering network", STUDY, {}, {"reduce": 1}),
    ("MobileNetV2, whole", "stump", {"cut": LAST_BLOCK, "statistics": ("avg",)}, {"size": (224,), "reduce": None}),
)


def time_rivals(photos: Photos, options: DataOptions) -> tuple[tuple[str, float], ...]:
    """Return names and milliseconds from camera pixels to verdict, one photo, one thread, with fresh weights.

    Args:
        photos: that they would be asked about.
        options: what is said about them.
    """
    found = []
    for name, arch, widths, sees in RIVALS:
        geometry = choose_geometry(photos.scanned, replace(options, **sees), ARCHITECTURES.get(arch).colour)
        classes = len(photos.task.classes)
        # The study's network has one logit, which serves two classes alone.
        own = widths | ({"one_logit": False} if arch == STUDY and classes > 2 else {})
        spec = make_spec(arch, classes, geometry.network_channels, own)
        found.append((name, cost_of(spec, geometry, photos.task).latency_ms))
    return tuple(found)
