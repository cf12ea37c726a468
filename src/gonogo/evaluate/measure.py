"""The figures that are no counts, with their intervals: a bootstrap over whole parts, within each class.

A bootstrap knows nothing beyond what it draws from. Where no draw differs from another, as after a perfect result, or
where a class has only a few parts, it would call a figure certain that rests on next to nothing. Then the interval also
holds what the exact intervals of the classes still allow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gonogo.evaluate.decision import Decision
from gonogo.evaluate.figures import Answers, Ranking, Tally
from gonogo.evaluate.intervals import share
from gonogo.evaluate.resample import DRAWS, Parts, draw_parts, percentiles
from gonogo.types import BoolArray, Float32Array, Float64Array, Int64Array, Rate

LEAST_DRAWS = 200
# Photos times classes times draws; beyond it fewer samples are drawn, so that ten thousand photos take a second or two.
_MOST_WORK = 5e7
_TAIL = 0.025
# With fewer parts than this in a class the bootstrap alone is not believed.
FEW = 20


class _Figures:
    """The figures as a function of weights on photos.

    Args:
        decision: which class is good.
        labels: (N,) true class numbers.
        answers: (N,) class numbers answered.
        pred_probs: (N, K).
    """

    def __init__(self, decision: Decision, labels: Int64Array, answers: Int64Array, pred_probs: Float32Array) -> None:
        good, kinds = decision.task.good_index, len(decision.task.classes)
        self.tables = {"balanced_accuracy": (labels, answers, kinds)}
        sides = [(labels == k, pred_probs[:, k]) for k in range(kinds)]
        if good is None:
            self.tables["mcc"] = self.tables["balanced_accuracy"]
        else:
            # Class 0 is good, class 1 is defective.
            two = ((labels != good).astype(np.int64), (answers != good).astype(np.int64), 2)
            self.tables |= {"mcc": two, "f1_defect": two}
            sides = [(labels != good, decision.defect_probs(pred_probs))]
        self._answers = {name: Answers(*table) for name, table in self.tables.items()}
        self.sides = [positive for positive, _ in sides if positive.any() and not positive.all()]
        self._rankings = [Ranking(positive, s) for positive, s in sides if positive.any() and not positive.all()]

    def __call__(self, weights: Float64Array) -> dict[str, Float64Array]:
        """Return each figure, (D,) with NaN where it is not defined, for weights (D, N)."""
        figures = {name: figure(name, answers.tally(weights)) for name, answers in self._answers.items()}
        undefined = np.full((1, len(weights)), np.nan)
        areas = [ranking.areas(weights) for ranking in self._rankings]
        for which, name in enumerate(("auc", "average_precision")):
            columns = np.array([area[which] for area in areas]) if areas else undefined
            # A draw may have lost one of many kinds: the mean is over those it has.
            known = ~np.isnan(columns)
            total = np.where(known, columns, 0).sum(axis=0)
            figures[name] = np.divide(total, known.sum(axis=0), out=undefined[0].copy(), where=known.any(axis=0))
        return figures


def figure(name: str, tally: Tally) -> Float64Array:
    """Return (D,) the figure of that name; F1 is that of the last class."""
    if name == "balanced_accuracy":
        return tally.balanced_accuracy
    return tally.matthews if name == "mcc" else tally.f1[:, -1]


def measure(
    decision: Decision,
    labels: Int64Array,
    answers: Int64Array,
    pred_probs: Float32Array,
    groups: Sequence[str] | None,
) -> dict[str, Rate]:
    """Return balanced accuracy, MCC, AUC and average precision, and with a good class the F1 of "defect".

    Args:
        decision: which class is good.
        labels: (N,) true class numbers.
        answers: (N,) class numbers answered.
        pred_probs: (N, K).
        groups: (N,) the part each photo shows, or None where nobody named them.
    """
    figures, parts = _Figures(decision, labels, answers, pred_probs), Parts.of(groups, len(labels))
    values = {name: float(value[0]) for name, value in figures(np.ones((1, len(labels)))).items()}
    if (labels == labels[0]).all():
        values |= dict.fromkeys(values.keys() & {"mcc", "f1_defect"}, math.nan)  # of one class they say nothing
    strata = parts.strata(labels)
    draws = int(np.clip(_MOST_WORK / (len(labels) * max(1, len(figures.sides))), LEAST_DRAWS, DRAWS))
    pieces = [figures(counts[:, parts.codes]) for counts in draw_parts(strata, len(labels), draws)]
    rates = {}
    for name, value in values.items():
        if math.isnan(value):
            rates[name] = Rate(None, None, None, parts.n, parts.unit)
            continue
        ends = percentiles(np.concatenate([piece[name] for piece in pieces]), value)
        if is_blind(ends, strata):
            ends = widen(ends, _allowed(name, figures, groups))
        rates[name] = Rate(value, *ends, parts.n, parts.unit)
    return rates


def is_blind(ends: tuple[float, float], strata: Int64Array) -> bool:
    """Say whether a bootstrap's interval means nothing on its own: no draw differs, or a class has only a few parts.

    Args:
        ends: of the interval.
        strata: (P,) class of each part.
    """
    return ends[1] - ends[0] < 1e-12 or int(np.unique(strata, return_counts=True)[1].min()) < FEW


def widen(ends: tuple[float, float], allowed: tuple[float, float]) -> tuple[float, float]:
    """Return the interval that holds both."""
    return min(ends[0], allowed[0]), max(ends[1], allowed[1])


def _allowed(name: str, figures: _Figures, groups: Sequence[str] | None) -> tuple[float, float]:
    """Return what the exact intervals of the classes allow a figure to be.

    Of an area they say what a perfect result would leave open; no other result proves more.
    """
    if name in figures.tables:
        return _from_recalls(name, *figures.tables[name], groups)
    limit = perfect_auc_limit if name == "auc" else _perfect_precision_limit
    low = float(np.mean([limit(positive, groups) for positive in figures.sides]))
    return low, 1 - low if name == "auc" else 0.0


def _from_recalls(
    name: str, labels: Int64Array, answers: Int64Array, kinds: int, groups: Sequence[str] | None
) -> tuple[float, float]:
    """Return a figure with every class at the lower, and at the upper end of the exact interval of its recall.

    What is not answered right is spread evenly over the other classes.
    """
    there = np.bincount(labels, minlength=kinds).astype(np.float64)
    ends = []
    rates = [share(answers[labels == k] == k, _of(groups, labels == k)) for k in range(kinds)]
    for recalls in ([rate.low or 0.0 for rate in rates], [rate.high or 0.0 for rate in rates]):
        right = there * recalls
        wrong = (there - right) / max(kinds - 1, 1)
        answered = right + wrong.sum() - wrong
        ends.append(float(figure(name, Tally(right[None], there[None], answered[None]))[0]))
    return ends[0], ends[1]


def perfect_auc_limit(positive: BoolArray, groups: Sequence[str] | None, tail: float = _TAIL) -> float:
    """Return what the true AUC may still be after a perfect one.

    Pair the m parts of the rarer side with as many of the other. If a random pair is in the right order with
    probability A, all m independent pairs are with A^m at most, and so is the whole. An A with A^m below the tail is
    ruled out. The limit is reached: one part in so many of the rarer side looks like the other side's most extreme.

    Args:
        positive: (N,) bool.
        groups: (N,) the part of each photo, or None.
        tail: the chance of a perfect result that is still believed, 0 to 1.
    """
    m = min(Parts.of(_of(groups, side), int(side.sum())).n for side in (positive, ~positive))
    return float(tail ** (1 / m))


def _perfect_precision_limit(positive: BoolArray, groups: Sequence[str] | None) -> float:
    """Return what average precision may still be after a perfect one.

    The exact intervals allow a share of the negatives that looks more positive than any positive, and a share of the
    positives that looks more negative than any negative; at that the area is an integral in closed form.
    """
    positives, negatives = int(positive.sum()), int((~positive).sum())
    caught, clear = (
        share(np.ones(int(side.sum()), dtype=bool), _of(groups, side)).low or 0.0 for side in (positive, ~positive)
    )
    ratio = (1 - clear) * negatives / positives
    area = caught - ratio * math.log1p(caught / ratio) if ratio else caught
    return area + (1 - caught) * positives / (positives + negatives)


def _of(groups: Sequence[str] | None, photos: BoolArray) -> list[str] | None:
    return None if groups is None else [group for group, there in zip(groups, photos, strict=True) if there]
