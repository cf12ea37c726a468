"""Curves as plain numbers: ROC with its confidence band, precision-recall, escape against overkill."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gonogo.errors import DataError
from gonogo.evaluate.figures import Ranking
from gonogo.evaluate.guarantee import part_extremes, proven_rate
from gonogo.evaluate.intervals import clopper_pearson_many
from gonogo.evaluate.measure import is_blind, perfect_auc_limit, widen
from gonogo.evaluate.resample import DRAWS, Parts, draw_parts, percentiles
from gonogo.types import BoolArray, Float64Array, Int64Array, Rate, Unit

GRID = 101


@dataclass(frozen=True)
class RocCurve:
    """Share of the defective that are caught over share of the good that are lost, from (0, 0) to (1, 1).

    Attributes:
        fpr: (P,) share of the good photos at or above the threshold; ascending.
        tpr: (P,) share of the defective photos at or above it.
        thresholds: (P,) descending; the first is infinite and holds nothing back.
        auc: area with its interval.
        band_fpr: (G,) where the band is given, 0 to 1.
        band_low: (G,) lower end of a pointwise 95 % band: at each place on its own, not for the whole curve at once.
        band_high: (G,) upper end.
        good: how many good parts (photos where no parts are named).
        defective: how many defective ones.
        unit: what was counted.
    """

    fpr: Float64Array
    tpr: Float64Array
    thresholds: Float64Array
    auc: Rate
    band_fpr: Float64Array
    band_low: Float64Array
    band_high: Float64Array
    good: int
    defective: int
    unit: Unit

    def to_json(self) -> dict[str, Any]:
        """Return plain values; points on a straight line between their neighbours are left out."""
        return _plain(self, _corners(self.fpr, self.tpr), ("fpr", "tpr", "thresholds"))


@dataclass(frozen=True)
class PrecisionRecallCurve:
    """Share of the held-back that are defective over share of the defective that are held back.

    Attributes:
        recall: (P,) descending, from 1 to 0.
        precision: (P,) ending in 1, where nothing is held back.
        thresholds: (P,) ascending; the last is infinite.
        average_precision: the step-wise area.
        prevalence: share of the photos that are defective: the precision of holding back everything.
    """

    recall: Float64Array
    precision: Float64Array
    thresholds: Float64Array
    average_precision: float
    prevalence: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values; points on a straight line between their neighbours are left out."""
        return _plain(self, _corners(self.recall, self.precision), ("recall", "precision", "thresholds"))


@dataclass(frozen=True)
class TradeOff:
    """What every threshold lets escape and what it loses, and what the numbers of parts prove of either.

    Logarithmic axes have no zero: a rate of 0 is drawn at its `floor`, with its bound above it.

    Attributes:
        thresholds: (P,) ascending.
        escape: (P,) share of the defective photos below the threshold.
        overkill: (P,) share of the good photos at or above it.
        escape_high: (P,) one-sided 95 % limit of the escape rate of parts: any defective photo below the threshold.
        overkill_high: (P,) the same for good parts: any good photo at or above it.
        escape_floor: half of one defective part.
        overkill_floor: half of one good part.
        unit: what the limits count.
    """

    thresholds: Float64Array
    escape: Float64Array
    overkill: Float64Array
    escape_high: Float64Array
    overkill_high: Float64Array
    escape_floor: float
    overkill_floor: float
    unit: Unit

    def to_json(self) -> dict[str, Any]:
        """Return plain values; points on a straight line between their neighbours are left out."""
        names = ("thresholds", "escape", "overkill", "escape_high", "overkill_high")
        return _plain(self, _corners(self.overkill, self.escape), names)


def roc_curve(
    positive: BoolArray,
    scores: npt.NDArray[Any],
    groups: Sequence[str] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> RocCurve:
    """Return the ROC curve with a pointwise 95 % band.

    The band is the percentile band of a bootstrap over parts, widened where the exact intervals of the operating
    points allow more: near the corners, and everywhere on few parts, the draws know nothing beyond the photos at hand.

    Args:
        positive: (N,) bool, which photos are defective.
        scores: (N,) larger for what looks defective.
        groups: (N,) the part of each photo, or None where nobody named them.
        draws: of the bootstrap.
        seed: of the draws.

    Raises:
        DataError: no good or no defective photo.

    Source: for the exact part, joint rectangles around operating points as in Campbell, Statistics in Medicine 13
    (1994), with Clopper and Pearson's intervals in place of Kolmogorov's.
    """
    _check(positive)
    parts = Parts.of(groups, len(positive))
    # The draws go by place; in an order of their own the photos give the same band however they arrive.
    order = np.lexsort((scores, positive))
    if groups is None:
        positive, scores = positive[order], scores[order]
    ranking = Ranking(positive, scores)
    fpr, tpr = _rates(ranking, np.ones((1, len(positive))))
    grid = np.linspace(0, 1, GRID)
    rows, areas = [], []
    for counts in draw_parts(parts.strata(positive.astype(np.int64)), len(positive), draws, seed):
        weights = counts[:, parts.codes]
        areas.append(ranking.areas(weights)[0])
        rows += [_at(grid, *curve) for curve in zip(*_rates(ranking, weights), strict=True)]
    drawn, middle = np.array(rows), _at(grid, fpr[0], tpr[0])
    exact_low, exact_high = _rectangles(grid, fpr[0], tpr[0], positive, parts.codes)
    low = np.minimum(np.minimum(np.nanpercentile(drawn, 2.5, axis=0), exact_low), middle)
    high = np.maximum(np.maximum(np.nanpercentile(drawn, 97.5, axis=0), exact_high), middle)
    low[-1] = 1.0  # whatever the scores are, holding back everything misses nothing
    return RocCurve(
        fpr[0],
        tpr[0],
        np.concatenate([[np.inf], ranking.levels.astype(np.float64)]),
        _auc(ranking, np.concatenate(areas), parts, positive, groups),
        grid,
        low,
        high,
        *_counts(positive, parts.codes),
        parts.unit,
    )


def precision_recall_curve(positive: BoolArray, scores: npt.NDArray[Any]) -> PrecisionRecallCurve:
    """Return the precision-recall curve of the photos at hand.

    Args:
        positive: (N,) bool, which photos are defective.
        scores: (N,) larger for what looks defective.

    Raises:
        DataError: no good or no defective photo.
    """
    _check(positive)
    ranking = Ranking(positive, scores)
    weights = np.ones((1, len(positive)))
    caught, false = (np.cumsum(side[0])[::-1] for side in ranking.counts(weights))
    return PrecisionRecallCurve(
        np.append(caught / caught[0], 0.0),
        np.append(caught / (caught + false), 1.0),
        np.append(ranking.levels[::-1].astype(np.float64), np.inf),
        float(ranking.areas(weights)[1][0]),
        float(np.mean(positive)),
    )


def trade_off(
    positive: BoolArray, scores: npt.NDArray[Any], groups: Sequence[str] | None = None, confidence: float = 0.95
) -> TradeOff:
    """Return escape against overkill at every threshold, with what each proves of new parts.

    The limits hold for a threshold fixed beforehand; `guarantee` chooses one on the same parts without losing them.

    Args:
        positive: (N,) bool, which photos are defective.
        scores: (N,) larger for what looks defective.
        groups: (N,) the part of each photo, or None where nobody named them.
        confidence: of the limits.

    Raises:
        DataError: no good or no defective photo.
    """
    _check(positive)
    parts, ranking = Parts.of(groups, len(positive)), Ranking(positive, scores)
    fpr, tpr = (curve[0][::-1] for curve in _rates(ranking, np.ones((1, len(positive)))))
    thresholds = np.append(ranking.levels[::-1].astype(np.float64), np.inf)
    lowest = part_extremes(scores, positive, parts.codes)
    highest = -part_extremes(-scores, ~positive, parts.codes)
    missed = np.searchsorted(lowest, thresholds, side="left")
    lost = len(highest) - np.searchsorted(np.sort(highest), thresholds, side="left")
    return TradeOff(
        thresholds,
        1 - tpr,
        fpr,
        proven_rate(len(lowest), missed, confidence),
        proven_rate(len(highest), lost, confidence),
        0.5 / len(lowest),
        0.5 / len(highest),
        parts.unit,
    )


def _check(positive: BoolArray) -> None:
    if positive.all() or not positive.any():
        missing = "good" if positive.all() else "defective"
        raise DataError(f"no {missing} photo among {len(positive)}; a curve needs both, so add {missing} parts")


def _counts(positive: BoolArray, codes: Int64Array) -> tuple[int, int]:
    return len(np.unique(codes[~positive])), len(np.unique(codes[positive]))


def _rates(ranking: Ranking, weights: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return (D, L + 1) shares of negatives and of positives at or above each score, from nothing to everything."""
    curves = []
    for side in reversed(ranking.counts(weights)):
        sums = np.cumsum(side, axis=1)
        with np.errstate(invalid="ignore"):
            curves.append(np.concatenate([np.zeros((len(sums), 1)), sums / sums[:, -1:]], axis=1))
    return curves[0], curves[1]


def _at(grid: Float64Array, fpr: Float64Array, tpr: Float64Array) -> Float64Array:
    """Return a curve's height at each place; where it is vertical, its upper end."""
    left = np.searchsorted(fpr, grid, side="right") - 1
    right = np.minimum(left + 1, len(fpr) - 1)
    width = fpr[right] - fpr[left]
    step = np.divide(grid - fpr[left], width, out=np.zeros_like(grid), where=width > 0)
    return np.asarray(tpr[left] + step * (tpr[right] - tpr[left]))


def _rectangles(
    grid: Float64Array, fpr: Float64Array, tpr: Float64Array, positive: BoolArray, codes: Int64Array
) -> tuple[Float64Array, Float64Array]:
    """Return the lowest and the highest curve that the exact intervals of the operating points allow.

    Each point's two rates lie within a rectangle with 95 % confidence, and a curve never falls: it is at least as high
    as the lower right corner of any rectangle to the left, and at most as high as the upper left of any to the right.
    """
    ends = []
    for rates, side in ((fpr, ~positive), (tpr, positive)):
        sizes = np.unique(codes[side], return_counts=True)[1].astype(np.float64)
        trials = float(sizes.sum() ** 2 / (sizes**2).sum())
        # Two intervals hold together with 95 % where each does with 97.5 %.
        ends.append(clopper_pearson_many(np.clip(rates, 0, 1) * trials, trials, 0.975))
    (fpr_low, fpr_high), (tpr_low, tpr_high) = ends
    left = np.searchsorted(fpr_high, grid, side="right") - 1
    low = np.where(left >= 0, tpr_low[np.maximum(left, 0)], 0.0)
    right = np.searchsorted(fpr_low, grid, side="right")
    high = np.where(right < len(fpr_low), tpr_high[np.minimum(right, len(fpr_low) - 1)], 1.0)
    return low, high


def _auc(
    ranking: Ranking, drawn: Float64Array, parts: Parts, positive: BoolArray, groups: Sequence[str] | None
) -> Rate:
    value = float(ranking.areas(np.ones((1, len(positive))))[0][0])
    ends = percentiles(drawn, value)
    if is_blind(ends, parts.strata(positive.astype(np.int64))):
        limit = perfect_auc_limit(positive, groups)
        ends = widen(ends, (limit, 1 - limit))
    return Rate(value, *ends, parts.n, parts.unit)


def _corners(x: Float64Array, y: Float64Array) -> BoolArray:
    """Return (P,) which points do not lie on a straight line between their neighbours."""
    keep = np.ones(len(x), dtype=bool)
    across = np.diff(x)[:-1] * np.diff(y)[1:] - np.diff(x)[1:] * np.diff(y)[:-1]
    keep[1:-1] = np.abs(across) > 1e-15
    return keep


def _plain(curve: Any, keep: BoolArray, names: tuple[str, ...]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, value in asdict(curve).items():
        if isinstance(value, np.ndarray):
            row = value[keep] if name in names else value
            # JSON has no word for infinity.
            plain[name] = [number if math.isfinite(number) else None for number in row.tolist()]
        else:
            plain[name] = value
    return plain
