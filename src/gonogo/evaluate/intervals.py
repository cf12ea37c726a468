"""Intervals for shares and for any other figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gonogo.errors import MissingExtraError
from gonogo.types import BoolArray, Float64Array, Int64Array, Rate, Unit


def clopper_pearson(successes: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval of a binomial share.

    Args:
        successes: 0 to n; a fraction is allowed (a share of photos carried over to fewer independent parts).
        n: trials, at least 1.
        confidence: 0 to 1.

    Raises:
        ValueError: n below 1 or successes outside 0..n.

    Source: Clopper and Pearson, Biometrika 26 (1934), in the form with beta quantiles.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"found {successes} of {n}, expected 0 to n of at least 1")
    try:
        from scipy.stats import beta
    except ImportError as error:
        raise MissingExtraError("scipy", "train") from error
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, n - successes + 1))
    high = 1.0 if successes == n else float(beta.ppf(1 - tail, successes + 1, n - successes))
    return low, high


def share(hits: BoolArray, groups: Sequence[str] | None) -> Rate:
    """Return a share of photos with its exact interval.

    Several photos of one part are not independent. Where parts are named, the interval is that of as many trials as
    there are parts, as if all photos of a part agreed: never too narrow.

    Args:
        hits: (N,) bool.
        groups: (N,) the part of each photo, or None where every photo counts.
    """
    n = len(hits) if groups is None else len(set(groups))
    unit: Unit = "photos" if groups is None else "parts"
    if n == 0:
        return Rate(None, None, None, 0, unit)
    value = float(np.mean(hits))
    low, high = clopper_pearson(value * n, n)
    return Rate(value, low, high, n, unit)


def bootstrap(
    statistic: Callable[[Int64Array], float | None],
    n: int,
    groups: Sequence[str] | None,
    *,
    strata: Int64Array,
    draws: int = 1000,
    seed: int = 0,
) -> Rate:
    """Return a figure with its 95 % percentile bootstrap interval, drawing whole parts within each class.

    Args:
        statistic: from (M,) indices of photos to the figure; None where it is not defined.
        n: number of photos.
        groups: (n,) the part of each photo, or None where every photo counts.
        strata: (n,) class of each photo; a part belongs to the class of its first photo.
        draws: how many samples are drawn.
        seed: of the draws.
    """
    unit: Unit = "photos" if groups is None else "parts"
    names = [str(index) for index in range(n)] if groups is None else list(groups)
    members: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        members.setdefault(name, []).append(index)
    value = statistic(np.arange(n))
    if value is None:
        return Rate(None, None, None, len(members), unit)
    by_class: dict[int, list[Int64Array]] = {}
    for indices in members.values():
        by_class.setdefault(int(strata[indices[0]]), []).append(np.array(indices, dtype=np.int64))
    rng = np.random.default_rng(seed)
    figures: list[float] = []
    for _ in range(draws):
        drawn = [parts[i] for parts in by_class.values() for i in rng.integers(len(parts), size=len(parts))]
        figure = statistic(np.concatenate(drawn))
        if figure is not None:
            figures.append(figure)
    low, high = _percentiles(np.array(figures))
    return Rate(value, low, high, len(members), unit)


def _percentiles(figures: Float64Array) -> tuple[float, float]:
    low, high = np.percentile(figures, [2.5, 97.5])
    return float(low), float(high)
