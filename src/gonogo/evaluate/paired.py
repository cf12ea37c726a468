"""What one network lost against another on the same photos: paired, so that the photos' own luck cancels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gonogo.data.task import Task
from gonogo.evaluate.drop import drops
from gonogo.evaluate.figures import Ranking
from gonogo.evaluate.resample import Parts, draw_parts, percentiles
from gonogo.types import Float32Array, Float64Array, Int64Array, Unit

POINTS = 100.0


@dataclass(frozen=True)
class PairedDrop:
    """A loss in points of a hundred; below 0 it is a gain.

    Attributes:
        measure: "accuracy" where photos are sorted; "auc" where there is a good class, as thresholds are chosen anew.
        before: the figure of the first network, 0 to 1.
        after: of the second.
        value: points lost.
        low: lower end of the 95 % interval, over parts.
        high: upper end.
        n: parts or photos that it rests on.
        unit: which of them.
        classes: points of recall that each class lost, at the likeliest class.
    """

    measure: str
    before: float
    after: float
    value: float
    low: float
    high: float
    n: int
    unit: Unit
    classes: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def in_words(self) -> str:
        """Return it for a sentence."""
        return f"{self.value:.2f} points of {self.measure} (95 % interval {self.low:.2f} to {self.high:.2f})"


def paired_drop(
    task: Task,
    labels: Int64Array,
    before: Float32Array,
    after: Float32Array,
    groups: Sequence[str] | None,
) -> PairedDrop:
    """Compare two networks' answers to the same photos.

    Args:
        task: the question.
        labels: (N,) class numbers.
        before: (N, K) class probabilities of the first network.
        after: (N, K) of the second.
        groups: (N,) the part of each photo, or None where nobody named them.
    """
    parts = Parts.of(groups, len(labels))
    hits = [(probs.argmax(1) == labels).astype(np.float64) for probs in (before, after)]
    if task.is_sorting or len(np.unique(labels)) < 2:
        measure = "accuracy"

        def figures(weights: Float64Array) -> list[Float64Array]:
            return [weights @ hit / weights.sum(1) for hit in hits]
    else:
        measure = "auc"
        good = task.good_index
        rankings = [Ranking(labels != good, 1 - probs[:, good]) for probs in (before, after)]

        def figures(weights: Float64Array) -> list[Float64Array]:
            return [ranking.areas(weights)[0] for ranking in rankings]

    first, second = (float(values[0]) for values in figures(np.ones((1, len(labels)))))
    drawn = []
    for counts in draw_parts(parts.strata(labels), len(labels)):
        one, other = figures(counts[:, parts.codes])
        drawn.append(one - other)
    low, high = percentiles(POINTS * np.concatenate(drawn), POINTS * (first - second))
    by_class = drops(task.classes, labels, hits[0] > 0, hits[1] > 0, groups)
    classes = {name: POINTS * own.value for name, own in by_class.items()}
    value = POINTS * (first - second)
    return PairedDrop(measure, first, second, value, low, high, parts.n, parts.unit, classes)
