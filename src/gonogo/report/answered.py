"""What an evaluation's page is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gonogo.evaluate.decision import Decision
from gonogo.evaluate.metrics import Evaluation
from gonogo.types import BoolArray, Float32Array, Int64Array, Rate


@dataclass(frozen=True)
class Answered:
    """Photos, what was answered, and what is known against it.

    Attributes:
        name: of the run or gauge.
        split: which photos were asked.
        decision: classes and thresholds.
        labels: (N,) true class numbers.
        pred_probs: (N, K).
        groups: (N,) the part of each photo, or None where nobody named them.
        figures: rates with intervals.
        leaked: how many of the photos show a part that is in training too; None where nobody looked.
        calibration: labels (M,) and probabilities (M, K) of validation, on which a temperature is fitted; None where
            there is no set of photos apart.
        refused: why nobody should use it, None where it may be used.
        notes: what the reader should know of the photos.
    """

    name: str
    split: str
    decision: Decision
    labels: Int64Array
    pred_probs: Float32Array
    groups: Sequence[str] | None
    figures: Evaluation
    leaked: int | None
    calibration: tuple[Int64Array, Float32Array] | None = None
    refused: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def kinds(self) -> dict[str, tuple[BoolArray, Float32Array]]:
        """What the curves are of: which photos are looked for, (N,), and their scores, (N,); classes that all differ.

        That is "defective" where a class is the good one; every kind against the rest for sorting.
        """
        task = self.decision.task
        if task.good_index is not None:
            found = {"defective": (self.labels != task.good_index, self.decision.defect_probs(self.pred_probs))}
        else:
            found = {name: (self.labels == k, self.pred_probs[:, k]) for k, name in enumerate(task.classes)}
        return {name: (own, scores) for name, (own, scores) in found.items() if own.any() and not own.all()}


def interval(rate: Rate, digits: int = 1) -> str:
    """Return what stands under a rate: its interval and on how many it rests."""
    if rate.low is None or rate.high is None:
        return "nothing to count"
    if digits == 1:
        return f"{100 * rate.low:.1f} to {100 * rate.high:.1f}\N{NO-BREAK SPACE}%, {rate.n:,} {rate.unit}"
    return f"{rate.low:.{digits}f} to {rate.high:.{digits}f}, {rate.n:,} {rate.unit}"
