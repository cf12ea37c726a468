"""The defective part that decides: what a threshold below it costs, and how many parts would give room to miss it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gonogo.evaluate.guarantee import order_for, part_extremes, percent
from gonogo.train.run import Run
from gonogo.types import BoolArray, Float64Array, Int64Array

# Share of the good photos that one part must cost before it is worth a word.
NOTABLE = 0.05


@dataclass(frozen=True)
class Hardest:
    """A defective part that costs more than others.

    Attributes:
        place: its photo that is hardest to tell.
        parts: defective parts of the proof.
        needed: how many would give room for one miss more.
        lost: share of the good photos that are lost with the threshold below it.
        spared: the same with the threshold below the next part.
    """

    place: int
    parts: int
    needed: int
    lost: float
    spared: float


def hardest_part(
    scores: Float64Array, defective: BoolArray, codes: Int64Array, rate: float, confidence: float
) -> Hardest | None:
    """Return the part that decides where a guarantee's threshold lies; None where the next one would cost as much.

    Args:
        scores: (N,) larger for what looks defective.
        defective: (N,) bool.
        codes: (N,) the number of each photo's part.
        rate: of the guarantee.
        confidence: of the guarantee.
    """
    lowest = part_extremes(scores, defective, codes)
    order = order_for(len(lowest), rate, confidence)
    if not 0 < order < len(lowest):
        return None
    lost, spared = (float((scores[~defective] >= lowest[place]).mean()) for place in (order - 1, order))
    if lost - spared < NOTABLE:
        return None
    needed = len(lowest)
    while order_for(needed, rate, confidence) <= order:
        needed += 1
    place = int(np.flatnonzero(defective & (scores == lowest[order - 1]))[0])
    return Hardest(place, len(lowest), needed, lost, spared)


def in_words(run: Run, rate: float | None, confidence: float) -> str | None:
    """Say which part decides the threshold of a run, and what would help; None where there is nothing to say."""
    good = run.config.task.good_index
    if rate is None or good is None:
        return None
    labels, pred_probs = run.read_predictions()
    val = run.manifest().select("val")
    codes = np.unique(np.asarray(val.groups), return_inverse=True)[1].reshape(-1).astype(np.int64)
    scores = 1 - pred_probs[:, good].astype(np.float64)
    found = hardest_part(scores, labels != good, codes, rate, confidence)
    if found is None:
        return None
    return (
        f"one part decides the threshold, {val.samples[found.place].path}: with {found.needed} defective parts for the "
        f"proof, not {found.parts}, it might be missed, and {percent(found.spared)} of these good photos lost, not "
        f"{percent(found.lost)}"
    )
