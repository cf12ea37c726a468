"""Intervals for shares and for any other figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gonogo.errors import MissingExtraError
from gonogo.evaluate.resample import DRAWS, Parts, draw_parts, percentiles
from gonogo.types import BoolArray, Float64Array, Int64Array, Rate


def scipy_special() -> Any:
    """Return SciPy's special functions.

    Raises:
        MissingExtraError: SciPy is not installed; a device that only runs gauges needs none.
    """
    try:
        from scipy import special
    except ImportError as error:
        raise MissingExtraError("scipy", "train") from error
    return special


def clopper_pearson(successes: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval of a binomial share.

    Args:
        successes: 0 to n; a fraction is allowed (a share of photos carried over to fewer independent parts).
        n: trials, at least 1; a fraction is allowed.
        confidence: 0 to 1.

    Raises:
        ValueError: n below 1 or successes outside 0..n.

    Source: Clopper and Pearson, Biometrika 26 (1934), in the form with beta quantiles.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"found {successes} of {n}, expected 0 to n of at least 1")
    low, high = clopper_pearson_many(np.array([successes]), n, confidence)
    return float(low[0]), float(high[0])


def clopper_pearson_many(
    successes: npt.NDArray[Any], n: float, confidence: float = 0.95
) -> tuple[Float64Array, Float64Array]:
    """Return the exact two-sided intervals of several shares of as many trials.

    Args:
        successes: (M,) each 0 to n.
        n: trials, at least 1.
        confidence: 0 to 1.

    Returns:
        (M,) lower ends and (M,) upper ends.
    """
    special = scipy_special()
    tail = (1 - confidence) / 2
    hits = np.asarray(successes, dtype=np.float64)
    # The quantiles do not exist where nothing or everything was hit; there the scale ends.
    inside = np.clip(hits, np.finfo(float).tiny, None), np.clip(n - hits, np.finfo(float).tiny, None)
    low = np.where(hits <= 0, 0.0, special.betaincinv(inside[0], n - hits + 1, tail))
    high = np.where(hits >= n, 1.0, special.betaincinv(hits + 1, inside[1], 1 - tail))
    return low, high


def share(hits: BoolArray, groups: Sequence[str] | None) -> Rate:
    """Return a share of photos with its exact interval.

    Several photos of one part are not independent. Where parts are named, the interval is that of as many trials as
    there are parts, as if all photos of a part agreed. Parts with unequal numbers of photos count for fewer trials
    than there are parts (Kish's effective number), because the share then hangs on those photographed most.

    Args:
        hits: (N,) bool.
        groups: (N,) the part of each photo, or None where every photo counts.

    Source: Kish, Survey Sampling (1965), for the effective number.
    """
    parts = Parts.of(groups, len(hits))
    if parts.n == 0:
        return Rate(None, None, None, 0, parts.unit)
    value = float(np.mean(hits))
    trials = parts.effective
    low, high = clopper_pearson(value * trials, trials)
    return Rate(value, low, high, parts.n, parts.unit)


def bootstrap(
    statistic: Callable[[Int64Array], float | None],
    n: int,
    groups: Sequence[str] | None,
    *,
    strata: Int64Array,
    draws: int = DRAWS,
    seed: int = 0,
) -> Rate:
    """Return a figure with its 95 % percentile bootstrap interval, drawing whole parts within each class.

    The figures of `evaluate` take weights instead of indices and are far faster; this one is for any other figure.

    Args:
        statistic: from (M,) indices of photos to the figure; None where it is not defined.
        n: number of photos.
        groups: (n,) the part of each photo, or None where every photo counts.
        strata: (n,) class of each photo; a part belongs to the rarest class among its photos.
        draws: how many samples are drawn.
        seed: of the draws.
    """
    parts = Parts.of(groups, n)
    value = statistic(np.arange(n))
    if value is None:
        return Rate(None, None, None, parts.n, parts.unit)
    figures: list[float] = []
    for counts in draw_parts(parts.strata(strata), n, draws, seed):
        for row in counts:
            figure = statistic(np.repeat(np.arange(n), row[parts.codes].astype(np.int64)))
            if figure is not None:
                figures.append(figure)
    low, high = percentiles(np.array(figures, dtype=np.float64), value)
    return Rate(value, low, high, parts.n, parts.unit)
