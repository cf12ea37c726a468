"""Figures of weighted photos, for many weightings at once: what the bootstrap draws is a weight for each photo."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gonogo.types import BoolArray, Float64Array, Int64Array


class Ranking:
    """Photos in the order of a score, for the areas under the ROC and the precision-recall curve.

    Args:
        positive: (N,) bool.
        scores: (N,) larger for what looks positive.
    """

    def __init__(self, positive: BoolArray, scores: npt.NDArray[Any]) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ranked = scores[self._order]
        self._positive = positive[self._order].astype(np.float64)
        new = np.ones(len(ranked), dtype=bool)
        new[1:] = ranked[1:] != ranked[:-1]
        self._starts = np.flatnonzero(new)
        self.levels = ranked[self._starts]

    def counts(self, weights: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Return the weight of positive and of negative photos at each distinct score, from the highest down.

        Args:
            weights: (D, N).

        Returns:
            (D, L) and (D, L) for L distinct scores.
        """
        ranked = weights[:, self._order]
        positive = ranked * self._positive
        ranked -= positive
        if len(self._starts) == len(self._order):
            return positive, ranked
        return (
            np.add.reduceat(positive, self._starts, axis=1),
            np.add.reduceat(ranked, self._starts, axis=1),
        )

    def areas(self, weights: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Return the area under the ROC curve, ties counted half, and the average precision.

        Average precision is the step-wise area under precision over recall, without interpolation.

        Args:
            weights: (D, N).

        Returns:
            (D,) and (D,); NaN where one side is empty.

        Sources: Mann and Whitney, Annals of Mathematical Statistics 18 (1947); for the step-wise area, Manning,
        Raghavan and Schütze, Introduction to Information Retrieval (2008), chapter 8.
        """
        positive, negative = self.counts(weights)
        caught, false = np.cumsum(positive, axis=1), np.cumsum(negative, axis=1)
        positives, negatives = caught[:, -1], false[:, -1]
        # Photos of one score: what lies below them counts whole, their own level half.
        above = np.einsum("dl,dl->d", positive, negatives[:, None] - false + negative / 2)
        called = caught + false
        precision = np.divide(caught, called, out=np.zeros_like(caught), where=called > 0)
        steps = np.einsum("dl,dl->d", positive, precision)
        with np.errstate(invalid="ignore", divide="ignore"):
            auc = above / (positives * negatives)
            average_precision = np.where(negatives > 0, steps / positives, np.nan)
        return auc, average_precision


class Answers:
    """True and answered classes, for the figures that follow from how often each was right.

    Args:
        labels: (N,) true class numbers.
        answers: (N,) class numbers answered.
        num_classes: K.
    """

    def __init__(self, labels: Int64Array, answers: Int64Array, num_classes: int) -> None:
        rows, eye = len(labels), np.eye(num_classes)
        self._columns = np.zeros((rows, 3 * num_classes))
        self._columns[:, :num_classes] = eye[labels] * (labels == answers)[:, None]
        self._columns[:, num_classes : 2 * num_classes] = eye[labels]
        self._columns[:, 2 * num_classes :] = eye[answers]
        self._classes = num_classes

    def tally(self, weights: Float64Array) -> Tally:
        """Return the weights of each class's photos.

        Args:
            weights: (D, N).
        """
        sums = weights @ self._columns
        k = self._classes
        return Tally(sums[:, :k], sums[:, k : 2 * k], sums[:, 2 * k :])


class Tally:
    """How many photos of each class there were, were answered, and were answered right.

    Args:
        right: (D, K).
        there: (D, K).
        answered: (D, K).
    """

    def __init__(self, right: Float64Array, there: Float64Array, answered: Float64Array) -> None:
        self.right, self.there, self.answered = right, there, answered

    @property
    def recall(self) -> Float64Array:
        """(D, K) share of each class answered right; 0 where the class does not occur."""
        return _ratio(self.right, self.there)

    @property
    def precision(self) -> Float64Array:
        """(D, K) share of each answer that was right; 0 where nobody got it."""
        return _ratio(self.right, self.answered)

    @property
    def f1(self) -> Float64Array:
        """(D, K) harmonic mean of precision and recall; 0 where the class neither occurs nor is answered."""
        return _ratio(2 * self.right, self.answered + self.there)

    @property
    def balanced_accuracy(self) -> Float64Array:
        """(D,) mean recall over the classes that occur."""
        return np.asarray(self.recall.sum(axis=1) / (self.there > 0).sum(axis=1))

    @property
    def matthews(self) -> Float64Array:
        """(D,) the correlation of true and answered classes, -1 to 1; 0 where either is always the same.

        Sources: Matthews, Biochimica et Biophysica Acta 405 (1975); for several classes Gorodkin, Computational Biology
        and Chemistry 28 (2004).
        """
        total = self.there.sum(axis=1)
        covariance = self.right.sum(axis=1) * total - (self.there * self.answered).sum(axis=1)
        of_there = total**2 - (self.there**2).sum(axis=1)
        of_answered = total**2 - (self.answered**2).sum(axis=1)
        return _ratio(covariance, np.sqrt(of_there * of_answered))


def _ratio(part: Float64Array, whole: Float64Array) -> Float64Array:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
