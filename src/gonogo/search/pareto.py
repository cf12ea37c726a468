"""Which of the networks that were tried to take: the smallest one that the parts cannot tell from the best."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from gonogo.search.tried import Tried

T = TypeVar("T")
# What the share of lost good parts may differ by before it counts as a difference.
OVERKILL_NOISE = 0.01


def front(rows: Iterable[T], values: Callable[[T], Sequence[float]]) -> list[T]:
    """Return those than which no other is as good in every value and better in one.

    Args:
        rows: what is compared.
        values: of one, the smaller the better.
    """
    known = [(row, tuple(values(row))) for row in rows]
    return [row for row, own in known if not any(_dominates(other, own) for _, other in known)]


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)


def take(rows: Sequence[Tried], max_overkill: float | None = None) -> Tried:
    """Return the quickest network that its parts cannot tell from the best one.

    That is one whose area under the ROC curve lacks no more than one standard error of the difference, part by part
    (Breiman et al. 1984), and which loses as few good parts, or fewer than the budget allows.

    Args:
        rows: at least one, each with answers to all folds.
        max_overkill: what the budget allows.
    """
    best = min(rows, key=lambda row: row.answers.loss)
    allowed = max(best.answers.overkill + OVERKILL_NOISE, max_overkill or 0.0)

    def is_as_good(row: Tried) -> bool:
        gap = best.answers.scores.minus(row.answers.scores)
        return gap.mean <= gap.standard_error and row.answers.overkill <= allowed

    within = [row for row in rows if row is best or is_as_good(row)]
    return min(within, key=lambda row: (row.cost.macs, row.cost.params))
