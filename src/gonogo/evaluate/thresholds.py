"""Where exactly a threshold is put between two probabilities, and which cut is the cheapest."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gonogo.types import BoolArray, Float32Array, Float64Array

# No probability reaches it: everything is a go.
NEVER = float(np.nextafter(np.float32(1), np.float32(2)))
_CLIP = 1e-7


def log_odds(probs: npt.ArrayLike) -> Float64Array:
    """Return log-odds, where a gap near 0 or 1 is as wide as one in the middle; probabilities are kept off 0 and 1."""
    clipped = np.clip(np.asarray(probs, dtype=np.float64), _CLIP, 1 - _CLIP)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def between(lower: float | None, upper: float | None) -> float:
    """Return a threshold above one probability and at most another, in the middle of the gap in log-odds.

    Probabilities are compared in float32. What comes out is on the right side of both after rounding too.

    Args:
        lower: the largest probability below the threshold; None where there is none.
        upper: the smallest probability at or above it; None where there is none.
    """
    if lower is None and upper is None:
        return 0.5
    start = log_odds(lower) if lower is not None else log_odds(upper) - 1  # type: ignore[arg-type]
    end = log_odds(upper) if upper is not None else log_odds(lower) + 1  # type: ignore[arg-type]
    middle = float(1 / (1 + np.exp(-(start + end) / 2)))
    rounded = np.float32(middle)
    if (lower is None or rounded > lower) and (upper is None or rounded <= upper):
        return middle
    return NEVER if upper is None else upper


def at_most(limit: float, probs: Float32Array) -> float:
    """Return a threshold at or below a probability: in the gap under it, where nobody's probability lies.

    Args:
        limit: one of `probs`.
        probs: (N,).
    """
    below = probs[probs < limit]
    return between(float(below.max()) if len(below) else None, limit)


def above(limit: float, probs: Float32Array) -> float:
    """Return a threshold above a probability: in the gap over it, where nobody's probability lies.

    Args:
        limit: one of `probs`.
        probs: (N,).
    """
    over = probs[probs > limit]
    return between(limit, float(over.min()) if len(over) else None)


class Cuts:
    """All the ways to cut photos in two by their probability.

    Cut i has i photos below it; a cut inside a run of equal probabilities does not exist.

    Args:
        probs: (N,) defect probabilities.
        defective: (N,) bool.

    Attributes:
        escapes: (N + 1,) defective photos below each cut.
        overkills: (N + 1,) good photos at or above it.
        gaps: (N + 1,) room for the threshold, in log-odds; 0 where the cut does not exist.
    """

    def __init__(self, probs: Float32Array, defective: BoolArray) -> None:
        order = np.argsort(probs, kind="stable")
        self._probs = probs[order]
        self.escapes = np.concatenate([[0], np.cumsum(defective[order])])
        self.overkills = (~defective).sum() - np.concatenate([[0], np.cumsum(~defective[order])])
        odds = log_odds(self._probs)
        self.gaps = np.diff(np.concatenate([[odds[0] - 1], odds, [odds[-1] + 1]]))
        self.gaps[1:-1][self._probs[1:] == self._probs[:-1]] = 0

    def threshold(self, cut: int) -> float:
        """Return the threshold of a cut."""
        return between(
            float(self._probs[cut - 1]) if cut else None, float(self._probs[cut]) if cut < len(self._probs) else None
        )

    def best(self, loss: npt.NDArray[Any]) -> int:
        """Return the cut with the least loss; among equals the one with the widest gap.

        Args:
            loss: (N + 1,), of the order of 1.
        """
        possible = np.where(self.gaps > 0, loss, np.inf)
        equals = np.flatnonzero(possible <= possible.min() + 1e-12)
        return int(equals[np.argmax(self.gaps[equals])])

    def best_pair(self, below: npt.NDArray[Any], above: npt.NDArray[Any]) -> tuple[int, int]:
        """Return the lower and the upper cut with the least sum of losses; among equals the narrowest band.

        Args:
            below: (N + 1,) what the lower cut costs, of the order of 1.
            above: (N + 1,) what the upper cut costs.
        """
        exists = self.gaps > 0
        lower = np.where(exists, below, np.inf)
        cheapest = np.minimum.accumulate(lower)
        total = np.where(exists, cheapest + above, np.inf)
        equals = np.flatnonzero(total <= total.min() + 1e-12)
        # The last place where the running minimum was reached is the one nearest to the upper cut.
        nearest = np.maximum.accumulate(np.where(lower <= cheapest + 1e-12, np.arange(len(lower)), 0))[equals]
        room = self.gaps[nearest] + self.gaps[equals]
        chosen = np.lexsort((-room, equals - nearest))[0]
        return int(nearest[chosen]), int(equals[chosen])
