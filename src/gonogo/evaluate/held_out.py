"""Answers to photos that were held out fold by fold, and figures of them that whole parts can be drawn for.

The networks of two folds are two networks: a probability of one says little beside that of the other. The ROC AUC is
therefore taken over pairs of the same fold, and every threshold is chosen on the answers to the other folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gonogo.data.task import Task
from gonogo.evaluate.decision import Decision
from gonogo.evaluate.figures import Ranking
from gonogo.evaluate.intervals import clopper_pearson
from gonogo.evaluate.measure import perfect_auc_limit
from gonogo.evaluate.policies import Costs, Policy, choose_decision
from gonogo.evaluate.resample import Parts
from gonogo.types import BoolArray, Float32Array, Float64Array, Int64Array

AUC, BALANCED, ESCAPE, OVERKILL, COST = "auc", "balanced_accuracy", "escape_rate", "overkill_rate", "cost"


@dataclass(frozen=True)
class HeldOut:
    """Photos that were each held out once in every round of folds.

    Attributes:
        task: the question.
        labels: (N,) class numbers.
        groups: (N,) the part of each photo, or None where nobody named them.
        folds: (R, N) the fold of each photo in each of R rounds.
    """

    task: Task
    labels: Int64Array
    groups: tuple[str, ...] | None
    folds: Int64Array

    @property
    def sides(self) -> dict[str, BoolArray]:
        """(N,) which photos are good and which defective; for sorting, which are of each class."""
        good = self.task.good_index
        if good is None:
            return {name: self.labels == k for k, name in enumerate(self.task.classes)}
        return {"good": self.labels == good, "defective": self.labels != good}

    def parts_of(self, photos: BoolArray) -> Parts:
        """Return the parts that some of the photos show."""
        return Parts.of(groups_of(self.groups, photos), int(photos.sum()))


def groups_of(groups: Sequence[str] | None, photos: BoolArray) -> list[str] | None:
    """Return the groups of some of the photos; None where nobody named them."""
    return None if groups is None else [group for group, there in zip(groups, photos, strict=True) if there]


class Figure(Protocol):
    """A figure of one candidate in one round, as a function of weights on photos."""

    def __call__(self, weights: Float64Array) -> Float64Array:
        """Return (D,) the figure for weights (D, N); NaN where it is not defined."""

    @property
    def allowed(self) -> tuple[float, float]:
        """What the exact intervals of the classes allow it to be."""


class AucWithinFolds:
    """Share of the pairs, one of either side and both of one fold, that stand in the right order; ties count half.

    For sorting, the mean over each kind against the rest.

    Args:
        held: the photos.
        fold: (N,) fold numbers.
        pred_probs: (N, K).

    Source: Forman and Scholz, SIGKDD Explorations 12 (2010), on why not to pool the scores of several folds.
    """

    def __init__(self, held: HeldOut, fold: Int64Array, pred_probs: Float32Array) -> None:
        good = held.task.good_index
        self._held = held
        if good is None:
            self._sides = [(held.labels == k, pred_probs[:, k]) for k in range(len(held.task.classes))]
        else:
            self._sides = [(held.labels != good, Decision(held.task, 0.5, "").defect_probs(pred_probs))]
        self._rankings = [
            [(inside, Ranking(positive[inside], scores[inside])) for inside in _places(fold)]
            for positive, scores in self._sides
        ]

    def __call__(self, weights: Float64Array) -> Float64Array:
        """Return (D,) the area for weights (D, N)."""
        areas = []
        for rankings in self._rankings:
            ordered, pairs = np.zeros(len(weights)), np.zeros(len(weights))
            for inside, ranking in rankings:
                own = weights[:, inside]
                positive, negative = (side.sum(axis=1) for side in ranking.counts(own))
                ordered += np.nan_to_num(ranking.areas(own)[0]) * positive * negative
                pairs += positive * negative
            areas.append(np.divide(ordered, pairs, out=np.full(len(weights), np.nan), where=pairs > 0))
        return np.asarray(np.mean(areas, axis=0))

    @property
    def allowed(self) -> tuple[float, float]:
        """What a perfect result on as many parts would leave open; no other result proves more."""
        low = float(np.mean([perfect_auc_limit(positive, self._held.groups) for positive, _ in self._sides]))
        return low, 1 - low


@dataclass(frozen=True)
class Side:
    """Photos of one kind, and what they count in a figure.

    Attributes:
        photos: (N,) which they are.
        weight: of their mean.
        most: the largest value that one of them can have.
    """

    photos: BoolArray
    weight: float
    most: float = 1.0


class MeanOfSides:
    """A weighted sum of the means of a value over kinds of photos: rates, balanced accuracy, cost.

    Args:
        held: the photos.
        values: (N,) from 0 to `Side.most`.
        sides: the kinds.
    """

    def __init__(self, held: HeldOut, values: npt.NDArray[np.float64], sides: Sequence[Side]) -> None:
        self._held, self._values, self._sides = held, values, sides

    def __call__(self, weights: Float64Array) -> Float64Array:
        """Return (D,) the figure for weights (D, N)."""
        total = np.zeros(len(weights))
        for side in self._sides:
            own = weights[:, side.photos]
            sums = own.sum(axis=1)
            missing = np.full(len(weights), np.nan)
            total += side.weight * np.divide(own @ self._values[side.photos], sums, out=missing, where=sums > 0)
        return total

    @property
    def allowed(self) -> tuple[float, float]:
        """The figure with every kind at the lower, and at the upper end of its exact interval."""
        low = high = 0.0
        for side in self._sides:
            trials = self._held.parts_of(side.photos).effective
            mean = float(np.mean(self._values[side.photos])) / side.most
            ends = clopper_pearson(min(mean, 1.0) * trials, trials)
            low, high = low + side.weight * side.most * ends[0], high + side.weight * side.most * ends[1]
        return low, high


def figures_of(held: HeldOut, fold: Int64Array, pred_probs: Float32Array, policy: Policy) -> dict[str, Figure]:
    """Return the figures of one candidate in one round.

    Args:
        held: the photos.
        fold: (N,) fold numbers.
        pred_probs: (N, K) answers to each photo of a network that was not trained on its fold.
        policy: how each fold's threshold is chosen, on the answers to the other folds.

    Raises:
        DataError: no threshold can be chosen, or a probability is not a number.
    """
    answers, verdicts = _answers(held, fold, pred_probs, policy)
    right = (answers == held.labels).astype(np.float64)
    there = np.unique(held.labels)
    classes = [Side(held.labels == k, 1 / len(there)) for k in there]
    figures: dict[str, Figure] = {
        AUC: AucWithinFolds(held, fold, pred_probs),
        BALANCED: MeanOfSides(held, right, classes),
    }
    if held.task.is_sorting:
        return figures
    good, defective = held.sides["good"], held.sides["defective"]
    figures[ESCAPE] = MeanOfSides(held, (verdicts == "go").astype(np.float64), [Side(defective, 1.0)])
    figures[OVERKILL] = MeanOfSides(held, (verdicts == "no-go").astype(np.float64), [Side(good, 1.0)])
    if isinstance(policy, Costs):
        figures[COST] = _cost(held, verdicts, policy)
    return figures


def _answers(
    held: HeldOut, fold: Int64Array, pred_probs: Float32Array, policy: Policy
) -> tuple[Int64Array, npt.NDArray[np.str_]]:
    """Return (N,) class numbers and (N,) verdicts."""
    answers = np.zeros(len(fold), dtype=np.int64)
    verdicts = np.full(len(fold), "", dtype="<U6")
    for inside in _places(fold):
        others = np.ones(len(fold), dtype=bool)
        others[inside] = False
        groups = groups_of(held.groups, others)
        decision = choose_decision(held.task, held.labels[others], pred_probs[others], groups, policy)
        answers[inside] = decision.labels(pred_probs[inside])
        verdicts[inside] = [verdict or "" for verdict in decision.verdicts(pred_probs[inside])]
    return answers, verdicts


def _cost(held: HeldOut, verdicts: npt.NDArray[np.str_], costs: Costs) -> MeanOfSides:
    """Return the expected cost of a photo at the line's share of defects, or at that of these photos."""
    good, defective = held.sides["good"], held.sides["defective"]
    values = (verdicts == "review") * (costs.review or 0.0)
    values += (defective & (verdicts == "go")) * costs.escape + (good & (verdicts == "no-go")) * costs.overkill
    share = float(np.mean(defective)) if costs.prevalence is None else costs.prevalence
    most = [max(cost, costs.review or 0.0, np.finfo(float).tiny) for cost in (costs.escape, costs.overkill)]
    return MeanOfSides(held, values, [Side(defective, share, most[0]), Side(good, 1 - share, most[1])])


def _places(fold: Int64Array) -> list[Int64Array]:
    return [np.flatnonzero(fold == number) for number in np.unique(fold)]
