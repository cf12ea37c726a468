"""A family of tapers that differ in one number: how far each narrows from its first stage to its last.

At depth d the last of S stages is 2^-d as wide as the first, and each is narrower than the one before by one ratio:
stage i of S, counted from 0, has ``round(widest * 2^(-d i / (S - 1)))`` channels, 1 at least. Depth 0 does not taper;
below 0 a network widens, as most do. Kernels, strides and the number of stages stay, and with them what a place of the
map sees, so that a figure that falls along the family falls with the channels alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gonogo.errors import UsageError
from gonogo.models import ARCHITECTURES

DEPTHS = (0.0, 1.0, 2.0, 3.0, 4.0)
SHALLOWEST, DEEPEST = -4.0, 10.0
MOST_WIDE = 1024


@dataclass(frozen=True)
class Taper:
    """One of the family.

    Attributes:
        depth: how often the width is halved from the first stage to the last.
        widths: output channels of each stage.
    """

    depth: float
    widths: tuple[int, ...]

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"depth {self.depth:g}"

    @property
    def shape(self) -> str:
        """Its widths in words."""
        return "-".join(map(str, self.widths))


def widths_at(widest: int, stages: int, depth: float) -> tuple[int, ...]:
    """Return the output channels of each stage at a depth of tapering; halves are rounded up."""
    return tuple(max(1, math.floor(widest * 2 ** (-depth * k / (stages - 1)) + 0.5)) for k in range(stages))


def family(
    arch: str, options: Mapping[str, Any], widest: int | None = None, depths: Sequence[float] = DEPTHS
) -> tuple[Taper, ...]:
    """Return the tapers of an architecture, the least tapered first.

    Args:
        arch: a name from the registry, whose options have a width for each stage.
        options: changes to its other options.
        widest: output channels of the first stage; the architecture's largest width unless given.
        depths: of tapering.

    Raises:
        UsageError: the architecture has no such widths, or a value is out of range.
    """
    chosen = ARCHITECTURES.get(arch).options({name: value for name, value in options.items() if name != "widths"})
    own = getattr(chosen, "widths", None)
    if not isinstance(own, tuple) or len(own) < 2:
        defaults = {name: ARCHITECTURES.get(name).defaults for name in ARCHITECTURES}
        known = ", ".join(name for name, other in defaults.items() if isinstance(getattr(other, "widths", 0), tuple))
        raise UsageError(f"architecture '{arch}' has no width for each stage to taper; give one of {known}")
    if "widths" in options:
        raise UsageError("the widths are what is tried; leave --with widths out, and give --widest instead")
    widest = max(own) if widest is None else widest
    if not 2 <= widest <= MOST_WIDE:
        raise UsageError(f"found --widest {widest}, expected 2 to {MOST_WIDE}")
    if len(set(depths)) < 2 or not all(SHALLOWEST <= depth <= DEEPEST for depth in depths):
        found = ",".join(f"{depth:g}" for depth in depths)
        raise UsageError(f"found --depths {found}, expected two or more, each {SHALLOWEST:g} to {DEEPEST:g}")
    tapers = [Taper(depth, widths_at(widest, len(own), depth)) for depth in sorted(set(depths))]
    return tuple(
        t for t, before in zip(tapers, [None, *tapers], strict=False) if not before or t.widths != before.widths
    )
