"""The bootstrap's draws: whole parts within each class, as weights on photos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gonogo.types import Float64Array, Int64Array, Unit

DRAWS = 1000
# Weights handled at once; 8 MB of them stay in the cache of most machines.
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Parts:
    """Which photos show one part.

    Attributes:
        codes: (N,) the number of each photo's part, numbered by name, so that the photos' order does not matter.
        n: parts.
        unit: "parts" where they are named, otherwise every photo is its own and the unit is "photos".
    """

    codes: Int64Array
    n: int
    unit: Unit

    @classmethod
    def of(cls, groups: Sequence[str] | None, n: int) -> Parts:
        """Number the parts.

        Args:
            groups: (n,) the part of each photo, or None where nobody named them.
            n: photos.
        """
        if groups is None:
            return cls(np.arange(n), n, "photos")
        number = {name: index for index, name in enumerate(sorted(set(groups)))}
        return cls(np.array([number[name] for name in groups], dtype=np.int64), len(number), "parts")

    @property
    def effective(self) -> float:
        """How many independent trials a share of photos rests on if all photos of a part agree; at most `n`.

        Source: Kish, Survey Sampling (1965).
        """
        sizes = np.bincount(self.codes, minlength=self.n).astype(np.float64)
        return float(sizes.sum() ** 2 / (sizes**2).sum())

    def strata(self, labels: Int64Array) -> Int64Array:
        """Return (n,) the class of each part: the rarest among its photos, so that a part with a defect is defective.

        Args:
            labels: (N,) class numbers.
        """
        counts = np.bincount(labels)
        # Rarest first; among equals the lower class number.
        rank = np.argsort(np.argsort(counts, kind="stable"), kind="stable")
        strata = np.full(self.n, len(counts), dtype=np.int64)
        np.minimum.at(strata, self.codes, rank[labels])
        return strata


def draw_parts(strata: Int64Array, photos: int, draws: int = DRAWS, seed: int = 0) -> Iterator[Float64Array]:
    """Draw parts with replacement within each class, as many as there are.

    Args:
        strata: (P,) class of each part.
        photos: how many photos they have, for the size of the pieces.
        draws: how many samples are drawn.
        seed: of the draws.

    Yields:
        (D, P) how often each part was drawn, D a piece of all draws.
    """
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    step = max(1, _CHUNK // max(photos, 1))
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        counts = np.zeros((rows, len(strata)))
        for parts in members:
            drawn = rng.integers(len(parts), size=(rows, len(parts))) + len(parts) * np.arange(rows)[:, None]
            counts[:, parts] = np.bincount(drawn.ravel(), minlength=rows * len(parts)).reshape(rows, len(parts))
        yield counts


def percentiles(figures: Float64Array, value: float) -> tuple[float, float]:
    """Return the ends of the 95 % percentile interval; it always holds the value itself.

    Args:
        figures: (D,) of the draws, NaN where the figure was not defined.
        value: of the photos as they are.
    """
    known = figures[~np.isnan(figures)]
    if not len(known):
        return value, value
    low, high = np.percentile(known, [2.5, 97.5])
    return float(min(low, value)), float(max(high, value))
