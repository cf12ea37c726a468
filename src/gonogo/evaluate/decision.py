"""From probabilities to verdicts: thresholds, and which label follows from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gonogo.data.task import Task
from gonogo.errors import DataError, GaugeError
from gonogo.evaluate.guarantee import Guarantee
from gonogo.evaluate.thresholds import NEVER, Cuts
from gonogo.types import BoolArray, Float32Array, GoNoGo, Int64Array

_REQUIRED = ("classes", "good", "threshold", "method")
_OPTIONAL = ("no_go_from", "guarantee", "overkill_guarantee", "label_cut", "label_guarantee")


@dataclass(frozen=True)
class Decision:
    """How a gauge decides.

    Attributes:
        task: the classes, and which one is good.
        threshold: a defect probability below it is a go; None for sorting.
        method: how the threshold was chosen.
        no_go_from: a defect probability at or above it is a no-go, and between the two goes to review; None where the
            threshold decides alone.
        guarantee: what is promised of defective parts; None where nothing is.
        overkill_guarantee: what is promised of good parts.
        label_cut: classes at or above this probability are in a photo's label set; None where sets are not calibrated.
        label_guarantee: what is promised of label sets.
    """

    task: Task
    threshold: float | None
    method: str
    no_go_from: float | None = None
    guarantee: Guarantee | None = None
    overkill_guarantee: Guarantee | None = None
    label_cut: float | None = None
    label_guarantee: Guarantee | None = None

    @property
    def has_review(self) -> bool:
        """True where some photos go to review."""
        return self.no_go_from is not None

    @property
    def shortfalls(self) -> tuple[str, ...]:
        """What was asked for and the data cannot prove, one line each."""
        promises = (self.guarantee, self.overkill_guarantee, self.label_guarantee)
        return tuple(promise.shortfall for promise in promises if promise is not None and promise.shortfall is not None)

    def defect_probs(self, pred_probs: Float32Array) -> Float32Array:
        """Return (N,) the probability of any defect, from (N, K) class probabilities."""
        index = self.task.good_index
        if index is None:
            raise ValueError("sorting has no good class and so no defect probability")
        return np.float32(1) - pred_probs[:, index]

    def labels(self, pred_probs: Float32Array) -> Int64Array:
        """Return (N,) class numbers: the likeliest defect from the threshold on, the good class below it.

        A photo in review carries the defect it is suspected of.
        """
        good = self.task.good_index
        if good is None or self.threshold is None:
            return np.asarray(pred_probs.argmax(axis=1))
        defects = pred_probs.copy()
        defects[:, good] = -1
        # Asked this way round, a probability that is not a number does not pass.
        is_good = self.defect_probs(pred_probs) < self.threshold
        return np.asarray(np.where(is_good, good, defects.argmax(axis=1)))

    def probs(self, pred_probs: Float32Array) -> Float32Array:
        """Return (N,) what is shown beside a verdict: the defect probability, or that of the kind answered."""
        return pred_probs.max(axis=1) if self.task.is_sorting else self.defect_probs(pred_probs)

    def verdicts(self, pred_probs: Float32Array, novelty: Float32Array | None = None) -> list[GoNoGo | None]:
        """Return (N,) go, no-go or review; None for sorting.

        Args:
            pred_probs: (N, K).
            novelty: (N,) where it is measured; from 1 on a photo goes to review, whatever the probabilities say.
        """
        verdicts: list[GoNoGo | None] = [None] * len(pred_probs)
        if self.threshold is not None:
            probs = self.defect_probs(pred_probs)
            go = probs < self.threshold
            review = ~go & (probs < self.no_go_from) if self.no_go_from is not None else np.zeros_like(go)
            verdicts = ["go" if g else "review" if r else "no-go" for g, r in zip(go, review, strict=True)]
        if novelty is None:
            return verdicts
        # Asked this way round, a novelty that is not a number does not pass.
        return [verdict if known else "review" for verdict, known in zip(verdicts, novelty <= 1, strict=True)]

    def label_sets(self, pred_probs: Float32Array) -> BoolArray:
        """Return (N, K) which classes each photo may be of; the class answered is always among them.

        Raises:
            ValueError: the sets were not calibrated.
        """
        if self.label_cut is None:
            raise ValueError("label sets were not calibrated; choose the decision with LabelSets")
        sets = pred_probs >= self.label_cut
        sets[np.arange(len(sets)), self.labels(pred_probs)] = True
        return np.asarray(sets)

    def to_json(self) -> dict[str, Any]:
        """Return plain values; what is None and younger than the first gauges is left out, so that those still open."""
        values: dict[str, Any] = {
            "classes": list(self.task.classes),
            "good": self.task.good,
            "threshold": self.threshold,
            "method": self.method,
        }
        for name in _OPTIONAL:
            value = getattr(self, name)
            if value is not None:
                values[name] = value.to_json() if isinstance(value, Guarantee) else value
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Decision:
        """Read what `to_json` wrote, now or before there were guarantees.

        Raises:
            GaugeError: keys are missing, unknown or contradict each other.
        """
        try:
            classes, good, threshold, method = tuple(values["classes"]), *(values[key] for key in _REQUIRED[1:])
        except (KeyError, TypeError) as error:
            raise GaugeError(f"the decision lacks {error}; export the gauge again") from error
        unknown = sorted(set(values) - {*_REQUIRED, *_OPTIONAL})
        if unknown:
            raise GaugeError(f"the decision has '{unknown[0]}', which this gonogo does not know; install a newer one")
        upper, cut = values.get("no_go_from"), values.get("label_cut")
        numbers = [value for value in (threshold, upper, cut) if value is not None]
        consistent = (
            (good is None) == (threshold is None)
            and (good is None or good in classes)
            and all(_is_threshold(value) for value in numbers)
            and (upper is None or (threshold is not None and threshold < upper))
        )
        if not consistent:
            raise GaugeError(
                f"the decision contradicts itself (good {good!r}, threshold {threshold!r}, no-go from {upper!r}, "
                f"label cut {cut!r}); export the gauge again"
            )
        promises = (
            None if values.get(key) is None else Guarantee.from_json(values[key])
            for key in ("guarantee", "overkill_guarantee", "label_guarantee")
        )
        escape, overkill, label = promises
        return cls(Task(classes, good), threshold, method, upper, escape, overkill, cut, label)


def _is_threshold(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and 0 <= value <= NEVER


def choose_threshold(task: Task, labels: Int64Array, pred_probs: Float32Array) -> Decision:
    """Choose the threshold with the best balanced accuracy on validation photos.

    Among equals, the middle of the widest gap between neighbouring probabilities is taken, in log-odds, where a gap
    near 0 or 1 is as wide as it is in the middle. `policies.choose_decision` offers the other ways to choose.

    Args:
        task: the question.
        labels: (N,) class numbers.
        pred_probs: (N, K).

    Raises:
        DataError: no good or no defective photo to choose it on, or a probability that is not a number.
    """
    check_answers(task, labels, pred_probs)
    if task.good_index is None:
        return Decision(task, None, "likeliest class")
    defective = labels != task.good_index
    cuts = Cuts(Decision(task, 0.5, "").defect_probs(pred_probs), defective)
    cut = cuts.best(cuts.escapes / defective.sum() + cuts.overkills / (~defective).sum())
    return Decision(task, cuts.threshold(cut), "best balanced accuracy on validation")


def check_answers(task: Task, labels: Int64Array, pred_probs: Float32Array) -> None:
    """Check that a threshold can be chosen on these photos.

    Raises:
        DataError: no good or no defective photo, or a probability that is not a number.
    """
    check_numbers(pred_probs)
    if task.good_index is None:
        return
    defective = labels != task.good_index
    if defective.all() or not defective.any():
        missing = "good" if defective.all() else "defective"
        raise DataError(
            f"no {missing} photo in validation ({len(labels)} photos); a threshold needs both: add {missing} parts, or "
            "give a split that has both"
        )


def check_numbers(pred_probs: Float32Array) -> None:
    """Check that (N, K) probabilities are numbers.

    Raises:
        DataError: one is not.
    """
    broken = int((~np.isfinite(pred_probs)).any(axis=1).sum())
    if broken:
        raise DataError(
            f"the network answers no number for {broken} of {len(pred_probs)} photos, expected probabilities; train "
            "again, with a smaller learning rate"
        )
