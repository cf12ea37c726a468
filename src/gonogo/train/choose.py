"""Which of several networks the parts support: all are scored on parts held out, the smallest within noise is taken.

The one-standard-error rule of Breiman et al., "Classification and Regression Trees" (1984), on paired differences:
every trial answers for the same parts, so what makes a part hard for all of them cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gonogo.types import Float64Array, Int64Array

# Of the normal distribution, for intervals of 95 %.
WIDTH = 1.96


@dataclass(frozen=True)
class Scores:
    """How the answers for each part that was held out score: 0 all wrong, 1 all right.

    Attributes:
        of_part: (P,); a part with photos of two classes stands for each of them.
        labels: (P,) their class numbers.
        name: "auc" for two classes, "accuracy" for more; parts weigh alike, and classes too.
    """

    of_part: Float64Array
    labels: Int64Array
    name: str

    @property
    def mean(self) -> float:
        """Mean over the parts, classes weighing alike."""
        return float(np.mean([values.mean() for values in self._by_class()]))

    @property
    def standard_error(self) -> float:
        """Of the mean; without limit where a class has a single part.

        Of an AUC that of DeLong et al. 1988: every pair of a good and a defective part counts for both of them.
        """
        classes = self._by_class()
        if min(len(values) for values in classes) < 2:
            return float("inf")
        share = 1.0 if self.name == "auc" else 1 / len(classes)
        return share * float(np.sqrt(sum(values.var(ddof=1) / len(values) for values in classes)))

    def minus(self, other: Scores) -> Scores:
        """Return the differences part by part."""
        return Scores(self.of_part - other.of_part, self.labels, self.name)

    def _by_class(self) -> list[Float64Array]:
        return [self.of_part[self.labels == label] for label in np.unique(self.labels)]


def score_parts(logits: Float64Array, labels: Int64Array, groups: Sequence[str], fold: Int64Array) -> Scores:
    """Score each part by its photos' answers.

    Of two classes, a photo scores the share of the parts of the other class in its fold that its logits are in the
    right order with; heads of different folds are never compared. Of more, whether its class has the highest logit.

    Args:
        logits: (N, K) of photos, those of a fold from a head that saw none of its parts.
        labels: (N,) class numbers.
        groups: (N,) the parts.
        fold: (N,) fold numbers, whole parts each.
    """
    _, part = np.unique(np.asarray(groups), return_inverse=True)
    pairs, unit = np.unique(np.stack([part, labels], 1), axis=0, return_inverse=True)
    unit = unit.reshape(-1)
    sizes = np.bincount(unit)
    if logits.shape[1] == 2:
        scores = _order(logits[:, 1] - logits[:, 0], labels, 1 / sizes[unit], fold)
    else:
        scores = (logits.argmax(1) == labels).astype(np.float64)
    name = "auc" if logits.shape[1] == 2 else "accuracy"
    return Scores(np.bincount(unit, scores) / sizes, pairs[:, 1].astype(np.int64), name)


def _order(margin: Float64Array, labels: Int64Array, weights: Float64Array, fold: Int64Array) -> Float64Array:
    """Return (N,) the weighted share of the other class's photos, in its fold, that each photo is in order with."""
    scores = np.zeros(len(margin))
    for number in np.unique(fold):
        low, high = (np.flatnonzero((fold == number) & (labels == label)) for label in (0, 1))
        gap = margin[high][:, None] - margin[low][None]
        right = (gap > 0) + 0.5 * (gap == 0)
        scores[high] = right @ weights[low] / weights[low].sum()
        scores[low] = weights[high] @ right / weights[high].sum()
    return scores


def mean_scores(deals: Sequence[Scores]) -> Scores:
    """Return each part's mean over several deals of the parts into folds."""
    mean = np.mean([deal.of_part for deal in deals], axis=0)
    return Scores(mean, deals[0].labels, deals[0].name)


@dataclass(frozen=True)
class Trial:
    """A network that could be taken, and how it did.

    Attributes:
        options: of the architecture, what sets it apart.
        size: height and width of its input.
        params: parameters, statistics of BatchNorm left out.
        macs: multiply-adds for one photo.
        scores: of the parts held out.
    """

    options: dict[str, Any]
    size: tuple[int, int]
    params: int
    macs: int
    scores: Scores

    def row(self) -> dict[str, Any]:
        """Return the figures as JSON."""
        mean, reach = self.scores.mean, WIDTH * self.scores.standard_error
        score = {"value": mean, "low": max(0.0, mean - reach), "high": min(1.0, mean + reach)}
        return {
            **self.options,
            "size": list(self.size),
            "params": self.params,
            "macs": self.macs,
            self.scores.name: {**score, "n": len(self.scores.of_part), "unit": "parts"},
        }


def take_smallest(trials: Sequence[Trial]) -> Trial:
    """Return the trial with the fewest multiply-adds that the parts cannot tell from the best one.

    That is one whose score lacks no more than one standard error of the difference between both.
    """
    best = max(trials, key=lambda trial: trial.scores.mean)
    gaps = [(trial, best.scores.minus(trial.scores)) for trial in trials]
    within = [trial for trial, gap in gaps if trial is best or gap.mean <= gap.standard_error]
    return min(within, key=lambda trial: (trial.macs, trial.params))


def on_front(trials: Sequence[Trial]) -> list[Trial]:
    """Return those than which no smaller one does as well, the smallest first."""
    front: list[Trial] = []
    for trial in sorted(trials, key=lambda trial: (trial.macs, trial.params)):
        if not front or trial.scores.mean > front[-1].scores.mean:
            front.append(trial)
    return front


def rows_of(trials: Sequence[Trial], chosen: Trial) -> list[dict[str, Any]]:
    """Return the figures of all trials as JSON: which one was taken, and which no smaller one does as well as."""
    front = on_front(trials)
    return [{**one.row(), "chosen": one is chosen, "front": one in front} for one in trials]
