"""Curves over the depth of tapering, for tests of what is said and drawn of them."""

from __future__ import annotations

import numpy as np

from gonogo.compress.taper_limit import Row
from gonogo.compress.tapers import Taper
from gonogo.evaluate.comparison import Difference
from gonogo.types import Rate


def curve(values: list[float], half: float) -> tuple[Row, ...]:
    """Return rows of these figures; every difference to the best has an interval of the same half width."""
    best = int(np.argmax(values))
    return tuple(
        Row(
            Taper(k, (16, 2)),
            1000 - k,
            10**6,
            Rate(value, value - half, min(1.0, value + half), 40, "parts"),
            None
            if k == best
            else Difference(value - values[best], value - values[best] - half, value - values[best] + half),
        )
        for k, value in enumerate(values)
    )
