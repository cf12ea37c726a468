"""From probabilities to verdicts: the threshold, and which label follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gonogo.data.task import Task
from gonogo.errors import DataError, GaugeError
from gonogo.types import Float32Array, Float64Array, GoNoGo, Int64Array


@dataclass(frozen=True)
class Decision:
    """How a gauge decides.

    Attributes:
        task: the classes, and which one is good.
        threshold: a defect probability at or above it is a no-go; None for sorting.
        method: how the threshold was chosen.
    """

    task: Task
    threshold: float | None
    method: str

    def defect_probs(self, pred_probs: Float32Array) -> Float32Array:
        """Return (N,) the probability of any defect, from (N, K) class probabilities."""
        index = self.task.good_index
        if index is None:
            raise ValueError("sorting has no good class and so no defect probability")
        return np.float32(1) - pred_probs[:, index]

    def labels(self, pred_probs: Float32Array) -> Int64Array:
        """Return (N,) class numbers: the likeliest defect from the threshold on, the good class below it."""
        good = self.task.good_index
        if good is None or self.threshold is None:
            return np.asarray(pred_probs.argmax(axis=1))
        defects = pred_probs.copy()
        defects[:, good] = -1
        is_defect = self.defect_probs(pred_probs) >= self.threshold
        return np.asarray(np.where(is_defect, defects.argmax(axis=1), good))

    def probs(self, pred_probs: Float32Array) -> Float32Array:
        """Return (N,) what is shown beside a verdict: the defect probability, or that of the kind answered."""
        return pred_probs.max(axis=1) if self.task.is_sorting else self.defect_probs(pred_probs)

    def verdicts(self, pred_probs: Float32Array) -> list[GoNoGo | None]:
        """Return (N,) go or no-go; None for sorting."""
        if self.task.is_sorting:
            return [None] * len(pred_probs)
        return ["go" if label == self.task.good_index else "no-go" for label in self.labels(pred_probs)]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "classes": list(self.task.classes),
            "good": self.task.good,
            "threshold": self.threshold,
            "method": self.method,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Decision:
        """Read what `to_json` wrote.

        Raises:
            GaugeError: keys are missing or contradict each other.
        """
        try:
            classes, good = tuple(values["classes"]), values["good"]
            threshold, method = values["threshold"], values["method"]
        except (KeyError, TypeError) as error:
            raise GaugeError(f"the decision lacks {error}; export the gauge again") from error
        if (good is None) != (threshold is None) or (good is not None and good not in classes):
            raise GaugeError(
                f"the decision contradicts itself (good {good!r}, threshold {threshold!r}); export it again"
            )
        return cls(Task(classes, good), threshold, method)


def choose_threshold(task: Task, labels: Int64Array, pred_probs: Float32Array) -> Decision:
    """Choose the threshold with the best balanced accuracy on validation photos.

    Among equals, the middle of the widest gap between neighbouring probabilities is taken, in log-odds, where a gap
    near 0 or 1 is as wide as it is in the middle.

    Args:
        task: the question.
        labels: (N,) class numbers.
        pred_probs: (N, K).

    Raises:
        DataError: no good or no defective photo to choose it on.
    """
    if task.good_index is None:
        return Decision(task, None, "likeliest class")
    defective = labels != task.good_index
    if defective.all() or not defective.any():
        missing = "good" if defective.all() else "defective"
        raise DataError(f"no {missing} photo in validation; a threshold needs both")
    probs = Decision(task, 0.5, "").defect_probs(pred_probs).astype(np.float64)
    order = np.argsort(probs, kind="stable")
    threshold = _best_cut(_log_odds(probs[order]), defective[order])
    return Decision(task, threshold, "best balanced accuracy on validation")


def _log_odds(probs: Float64Array) -> Float64Array:
    clipped = np.clip(probs, 1e-7, 1 - 1e-7)
    return np.log(clipped) - np.log1p(-clipped)


def _best_cut(scores: Float64Array, defective: np.ndarray) -> float:
    """Return the probability to cut at, given ascending log-odds."""
    escapes = np.concatenate([[0], np.cumsum(defective)]) / defective.sum()
    overkills = 1 - np.concatenate([[0], np.cumsum(~defective)]) / (~defective).sum()
    edges = np.concatenate([[scores[0] - 1], scores, [scores[-1] + 1]])
    gaps = np.diff(edges)
    loss = escapes + overkills
    # A cut inside a run of equal scores does not exist.
    loss[1:-1][gaps[1:-1] == 0] = np.inf
    best = np.flatnonzero(loss <= loss.min() + 1e-12)
    cut = best[np.argmax(gaps[best])]
    middle = (edges[cut] + edges[cut + 1]) / 2
    return float(1 / (1 + np.exp(-middle)))
