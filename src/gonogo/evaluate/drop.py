"""How much less often a changed network is right than the one it came from, class by class, on the same photos."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gonogo.evaluate.decision import Decision
from gonogo.evaluate.guarantee import proven_rate
from gonogo.evaluate.resample import DRAWS, Parts, draw_parts, percentiles
from gonogo.types import Answer, BoolArray, Int64Array, Unit

_TAIL = 0.025


@dataclass(frozen=True)
class Drop:
    """A share of photos lost, above 0 where the changed network is worse, with its 95 % interval.

    Attributes:
        value: share of the class's photos that are answered rightly before, less the share afterwards.
        low: lower end of the interval.
        high: upper end.
        n: parts of the class, or its photos where nobody named them.
        unit: what was counted.
    """

    value: float
    low: float
    high: float
    n: int
    unit: Unit

    @property
    def points(self) -> str:
        """In words: "0.5 points (-0.2 to 1.1, 202 parts)"."""
        value, low, high = (f"{_whole(100 * share):.1f}" for share in (self.value, self.low, self.high))
        return f"{value} points ({low} to {high}, {self.n} {self.unit})"


def _whole(value: float) -> float:
    """Return a value that does not print as -0.0."""
    return 0.0 if abs(value) < 0.05 else value


def rightly(decision: Decision, labels: Int64Array, answer: Answer) -> BoolArray:
    """Return (N,) which photos get what they should: a good one passes, a defective one is held back.

    A photo in review is held back. For sorting: which get their own class.

    Args:
        decision: the thresholds that the answers are read with.
        labels: (N,) true class numbers.
        answer: to N photos.
    """
    good = decision.task.good_index
    if good is None:
        return np.asarray(decision.labels(answer.pred_probs) == labels)
    passes = np.array([verdict == "go" for verdict in decision.verdicts(answer.pred_probs, answer.novelty)])
    return np.asarray(passes == (labels == good))


def drops(
    classes: Sequence[str],
    labels: Int64Array,
    before: BoolArray,
    after: BoolArray,
    groups: Sequence[str] | None,
) -> dict[str, Drop]:
    """Return the drop of each class that has photos.

    What makes a photo hard makes it hard for both, so differences are taken photo by photo and whole parts are drawn.
    Where no draw differs, as where nothing has changed, the interval holds what so many parts still leave open.

    Args:
        classes: their names.
        labels: (N,) true class numbers.
        before: (N,) which were answered rightly.
        after: (N,) which are answered rightly now.
        groups: (N,) the part each photo shows, or None where nobody named them.
    """
    lost = before.astype(np.float64) - after.astype(np.float64)
    found = {}
    for number, name in enumerate(classes):
        own = labels == number
        if own.any():
            members = None if groups is None else [g for g, o in zip(groups, own, strict=True) if o]
            parts = Parts.of(members, int(own.sum()))
            found[name] = _drop(lost[own], parts)
    return found


def _drop(lost: np.ndarray, parts: Parts) -> Drop:
    value = float(lost.mean())
    sums, sizes = (np.bincount(parts.codes, weights, parts.n) for weights in (lost, np.ones_like(lost)))
    drawn = [
        (counts @ sums) / (counts @ sizes) for counts in draw_parts(np.zeros(parts.n, dtype=np.int64), len(lost), DRAWS)
    ]
    low, high = percentiles(np.concatenate(drawn), value)
    if math.isclose(low, high, abs_tol=1e-12):
        room = float(proven_rate(parts.n, 0, 1 - _TAIL))
        low, high = value - room, value + room
    return Drop(value, max(low, -1.0), min(high, 1.0), parts.n, parts.unit)
