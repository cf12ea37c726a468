"""Which channels go, so that what is left costs as little as was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gonogo.compress.prune.graph import Group
from gonogo.errors import BarNotMetError
from gonogo.types import Float64Array, Int64Array

Scope = Literal["global", "layer", "worth"]
Scores = Mapping[Group, Float64Array]
# Of what is left without some channels.
Price = Callable[[Mapping[Group, Int64Array]], float]


@dataclass(frozen=True)
class Limits:
    """What every layer keeps.

    Attributes:
        multiple: widths are rounded up to it, as far as the layer goes.
        floor: share of its channels that a layer keeps at least.
        scope: "global" takes the worst channels wherever they are, "worth" those that are worth least, as
            `gonogo.compress.prune.worth` has it, "layer" the same share of every layer.
    """

    multiple: int = 1
    floor: float = 0.1
    scope: Scope = "global"

    def kept(self, width: int, lost: int) -> int:
        """Return how many channels a layer of a width keeps where `lost` were to go."""
        least = max(1, int(np.ceil(self.floor * width)))
        wanted = max(least, width - lost)
        return min(width, -(-wanted // self.multiple) * self.multiple)


def comparable(scores: Scores) -> dict[Group, Float64Array]:
    """Divide each group's scores by their mean, so that layers of other scales can be held against each other."""
    means = {group: float(np.abs(own).mean()) for group, own in scores.items()}
    return {group: own / means[group] if means[group] > 0 else own for group, own in scores.items()}


def choose(scores: Scores, limits: Limits, price: Price, budget: float) -> dict[Group, Int64Array]:
    """Return the channels to take out, the fewest whose absence meets a budget.

    Args:
        scores: (C,) of each group, larger = keep.
        limits: what every layer keeps.
        price: of what is left without these channels; it falls as more go.
        budget: for the price.

    Raises:
        BarNotMetError: the budget lies below what the limits leave.
    """
    steps = sum(len(own) for own in scores.values())
    ways = _by_share(scores, steps) if limits.scope == "layer" else _by_rank(scores)

    def lost(step: int) -> dict[Group, Int64Array]:
        return {
            group: np.argsort(own, kind="stable")[: len(own) - limits.kept(len(own), int(ways(step)[index]))]
            for index, (group, own) in enumerate(scores.items())
        }

    low, high = 0, steps
    cheapest = price(lost(high))
    if cheapest > budget:
        whole = price(lost(0))
        raise BarNotMetError(
            f"the target is out of reach: asked for {budget / whole:.0%} of what it is, found {cheapest / whole:.0%} "
            f"with at least {limits.floor:.0%} of each layer in multiples of {limits.multiple}; give a higher target, "
            "a lower --floor, a smaller --round, or --blocks"
        )
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if price(lost(middle)) <= budget else (middle + 1, high)
    return _filled_up(lost(low), scores, limits, price, budget)


def _filled_up(
    lost: dict[Group, Int64Array],
    scores: Scores,
    limits: Limits,
    price: Price,
    budget: float,
) -> dict[Group, Int64Array]:
    """Give back what the budget still allows: many layers change their rounded width at once."""
    open_ = {group: gone for group, gone in lost.items() if len(gone)}
    while open_:

        def worth(group: Group) -> float:
            return float(scores[group][open_[group][-limits.multiple :]].mean())

        best = max(open_, key=worth)
        back = {**lost, best: open_[best][: -limits.multiple]}
        if price(back) > budget or not len(back[best]):
            del open_[best]
        if price(back) <= budget:
            lost = back
            if best in open_:
                open_[best] = back[best]
    return lost


def _by_rank(scores: Scores) -> Callable[[int], Sequence[int]]:
    """Return how many channels each group loses where the `step` worst of all go."""
    owners = np.concatenate([np.full(len(own), index) for index, own in enumerate(scores.values())])
    order = owners[np.argsort(np.concatenate(list(scores.values())), kind="stable")]
    return lambda step: np.bincount(order[:step], minlength=len(scores)).tolist()


def _by_share(scores: Scores, steps: int) -> Callable[[int], Sequence[int]]:
    """Return how many channels each group loses where all lose the share `step` of `steps`."""
    widths = [len(own) for own in scores.values()]
    return lambda step: [int(width * step / steps) for width in widths]
