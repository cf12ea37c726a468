"""Share out whole groups so that every class is spread as asked, by its photos and by its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gonogo.types import Float64Array, Int64Array

# What a side without a part of some class costs: more than any uneven spread.
EMPTY = 1e3
# Up to so many groups, pairs of them are exchanged too; the work grows with the square, and many groups are small ones.
MOST_SWAPPED = 300
SWEEPS = 40
# Few groups are shared out from many beginnings, and the best end is taken: at most so many beginnings, and at most so
# many groups placed in all.
MOST_STARTS, PLACED = 24, 400
# What is left where shares are off by rounding alone; nothing better is looked for.
GOOD_COST = 0.01
# A share this far off is said: in itself, or as a part of what was wanted.
FAR, FAR_OF_WANTED = 0.1, 0.5
ROUNDING = 1e-9


@dataclass(frozen=True)
class Unbalanced:
    """A share that whole groups did not allow.

    Attributes:
        split: the split, or the fold, whose share it is.
        label: the class.
        of: "photos" or "parts".
        wanted: share of the class, 0 to 1.
        got: share of the class, 0 to 1.
        reason: what stood in the way.
    """

    split: str
    label: str
    of: str
    wanted: float
    got: float
    reason: str

    def in_words(self) -> str:
        """Return one clause for people."""
        return (
            f"{self.split} has {self.got:.0%} of the {self.of} of '{self.label}', wanted {self.wanted:.0%} "
            f"({self.reason})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "split": self.split,
            "class": self.label,
            "of": self.of,
            "wanted": self.wanted,
            "got": self.got,
            "reason": self.reason,
        }


class _Sides:
    """What each side holds of every class, in photos and in parts, and what that costs.

    Args:
        counts: (G, K) photos of each class in each group.
        shares: (S,) what each side should hold of every class.
    """

    def __init__(self, counts: Int64Array, shares: Sequence[float]) -> None:
        parts = (counts > 0).astype(np.int64)
        there = parts.any(axis=0)
        self.items = np.hstack([counts[:, there], parts[:, there]])
        self._scale = 1 / np.maximum(self.items.sum(axis=0), 1)
        self._first_part = int(there.sum())
        self.shares = np.asarray(shares, dtype=np.float64)[:, None]
        self.held = np.zeros((len(shares), self.items.shape[1]), dtype=np.int64)

    def cost(self, held: Int64Array, shares: Float64Array) -> Float64Array:
        """Return (M,) the cost of sides that hold (M, C) and want (M, 1): squares of what is off, over the share."""
        off = held * self._scale - shares
        empty = (held[:, self._first_part :] == 0).sum(axis=1)
        return np.asarray((off * off / shares).sum(axis=1) + EMPTY * empty)

    def order(self) -> Int64Array:
        """Return (G,) the groups of rare classes first, then the large ones: the rest evens out what they leave."""
        parts = self.items[:, self._first_part :]
        rarest = np.where(parts > 0, parts.sum(axis=0), np.iinfo(np.int64).max).min(axis=1)
        return np.lexsort((-(self.items * self._scale).sum(axis=1), rarest))

    def best_side(self, group: int) -> int:
        """Return where a group that is nowhere yet costs least."""
        added = self.cost(self.held + self.items[group], self.shares) - self.cost(self.held, self.shares)
        return int(np.argmin(added))

    def best_change(self, group: int, side: Int64Array, swap: bool) -> tuple[float, int, int]:
        """Return the best move of a group, or exchange with another one.

        Args:
            group: which.
            side: (G,) where each group is.
            swap: look at exchanges too.

        Returns:
            What it changes the cost by, the new side, and the group that comes back in exchange (-1 for none).
        """
        here, item = side[group], self.items[group]
        others = np.flatnonzero(side != here) if swap else np.zeros(0, dtype=np.int64)
        back = np.vstack([self.items[others], np.zeros_like(self.held)])
        there = np.concatenate([side[others], np.arange(len(self.held))])
        now = self.cost(self.held, self.shares)
        left = self.cost(self.held[here] - item + back, self.shares[here])
        gained = self.cost(self.held[there] + item - back, self.shares[there])
        change = np.where(there == here, np.inf, left + gained - now[here] - now[there])
        best = int(np.argmin(change))
        return float(change[best]), int(there[best]), int(others[best]) if best < len(others) else -1


def divide(counts: Int64Array, shares: Sequence[float]) -> Int64Array:
    """Give every group a side, so that each side holds its share of every class, in photos and in parts alike.

    Each group goes where it is needed most, rare classes and large groups first; then single groups are moved and
    pairs exchanged as long as that helps; and all this from several beginnings. Every class stands on every side if
    it has the groups for it.

    Args:
        counts: (G, K) photos of each class in each group; where several choices are equally good, the order of the
            groups decides.
        shares: (S,) above 0, which add up to 1.

    Returns:
        (G,) the side of each group, 0 to S - 1.
    """
    first = _Sides(counts, shares).order()
    starts = min(MOST_STARTS, PLACED // max(len(counts), 1))
    orders = [first, *(np.random.default_rng(start).permutation(first) for start in range(1, starts))]
    found: list[tuple[float, Int64Array]] = []
    for order in orders:
        found.append(_divide(_Sides(counts, shares), order.tolist(), swap=len(counts) <= MOST_SWAPPED))
        if found[-1][0] < GOOD_COST:
            break
    return min(found, key=lambda pair: pair[0])[1]


def _divide(sides: _Sides, order: list[int], *, swap: bool) -> tuple[float, Int64Array]:
    """Place the groups in an order, then improve; return the cost and the side of each group."""
    side = np.zeros(len(order), dtype=np.int64)
    for group in order:
        side[group] = sides.best_side(group)
        sides.held[side[group]] += sides.items[group]
    for _ in range(SWEEPS):
        changed = False
        for group in order:
            change, to, other = sides.best_change(group, side, swap)
            if change > -ROUNDING:
                continue
            changed = True
            difference = sides.items[group] - (sides.items[other] if other >= 0 else 0)
            sides.held[side[group]] -= difference
            sides.held[to] += difference
            if other >= 0:
                side[other] = side[group]
            side[group] = to
        if not changed:
            break
    return float(sides.cost(sides.held, sides.shares).sum()), side


def find_unbalanced(
    counts: Int64Array, side: Int64Array, shares: Sequence[float], names: Sequence[str], classes: Sequence[str]
) -> tuple[Unbalanced, ...]:
    """Name every share that is off by a tenth of the class, or by half of what was wanted.

    Args:
        counts: (G, K) photos of each class in each group.
        side: (G,) the side of each group.
        shares: (S,) what each side should hold of every class.
        names: (S,) of the sides.
        classes: (K,) names.
    """
    found = []
    parts = (counts > 0).astype(np.int64)
    for number, (name, wanted) in enumerate(zip(names, shares, strict=True)):
        for k, label in enumerate(classes):
            for of, values in (("photos", counts[:, k]), ("parts", parts[:, k])):
                if not values.any():
                    continue
                got = float(values[side == number].sum() / values.sum())
                if abs(got - wanted) > min(FAR, FAR_OF_WANTED * wanted) + ROUNDING:
                    found.append(Unbalanced(name, label, of, float(wanted), got, _reason(counts, k)))
    return tuple(found)


def _reason(counts: Int64Array, k: int) -> str:
    own = counts[counts[:, k] > 0]
    sizes = own[:, k]
    mixed = int(((own > 0).sum(axis=1) > 1).sum())
    photos = f"{sizes.min()}" if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
    return (
        f"{len(own)} {'part' if len(own) == 1 else 'parts'} of {photos} {'photo' if sizes.max() == 1 else 'photos'}"
        f"{f', {mixed} of them with photos of other classes' if mixed else ''}; a part stays whole"
    )
