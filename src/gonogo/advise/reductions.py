"""How far may photos be reduced before their label is gone? Judged like every other change, on finer photos."""

from __future__ import annotations

import numpy as np

from gonogo.advise.changes import REDUCE, Change
from gonogo.advise.judge import DRAWS
from gonogo.advise.keeps_label import Labels, keeps_label
from gonogo.advise.looks import describe
from gonogo.advise.subjects import Subjects
from gonogo.errors import UsageError

FACTORS = (1, 2, 3, 4, 6, 8, 12, 16)
FINE_SIDE = 200  # pixels of the shorter side that the finest photos have at least
COARSE_SIDE = 16
MOST_FACTORS = 5


def factors_for(subjects: Subjects) -> tuple[int, ...]:
    """Return the reductions to judge, the finest first; nothing where the photos are resized to a fixed size.

    Raises:
        UsageError: the photos have too few pixels for any of this.
    """
    geometry = subjects.prepared.geometry
    if min(geometry.input_size) < COARSE_SIDE:
        height, width = geometry.input_size
        raise UsageError(
            f"{width}x{height} pixels are too few to advise on, expected {COARSE_SIDE} or more along either side; give "
            "a smaller --reduce or a larger --size or --crop"
        )
    if geometry.size is not None:
        return ()
    side, own = min(geometry.region[2:]), geometry.reduce
    finest = min(own, max(1, side // FINE_SIDE))
    known = sorted({own, *(finest * factor for factor in FACTORS)})
    kept = [factor for factor in known if factor >= finest and side // factor >= COARSE_SIDE]
    return tuple(kept[:MOST_FACTORS] if own in kept[:MOST_FACTORS] else [*kept[: MOST_FACTORS - 1], own])


def reductions(subjects: Subjects, factors: tuple[int, ...], seed: int) -> Labels | None:
    """Ask a judge of the finest photos, and one for each further reduction; None where there is none to judge.

    Args:
        subjects: the photos.
        factors: of `factors_for`.
        seed: of the bootstrap.
    """
    if len(factors) < 2:
        return None
    looks = {factor: np.repeat(describe(subjects.reduced(factor).levels)[None], DRAWS, 0) for factor in factors}
    most = factors[-1]
    changes = tuple(Change(REDUCE, REDUCE, "times", factor / most, float(factor)) for factor in factors[1:])
    named = {own.label: looks[int(own.value)] for own in changes}
    return keeps_label(subjects, looks[factors[0]], named, changes, seed)


def largest_kept(found: Labels | None, factors: tuple[int, ...]) -> int | None:
    """Return the largest reduction below the first that loses the label; None where nothing was judged."""
    if found is None or not found.told:
        return None
    largest = factors[0]
    for row in found.rows:
        if row.is_lost:
            break
        largest = int(row.change.value)
    return largest
