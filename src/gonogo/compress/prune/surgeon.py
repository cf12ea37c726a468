"""One step of pruning: score, choose, take out, and see that nothing else changed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gonogo.compress.prune.cost import CostModel
from gonogo.compress.prune.evidence import Evidence
from gonogo.compress.prune.graph import Group, find_groups, mask, removal
from gonogo.compress.prune.importance import CRITERIA
from gonogo.compress.prune.schedule import Limits, Price, Scores, choose, comparable
from gonogo.compress.prune.target import Target
from gonogo.compress.prune.worth import by_worth
from gonogo.errors import BarNotMetError, UsageError
from gonogo.models.architecture import Network
from gonogo.models.pruned import Pruning, apply, removable_blocks
from gonogo.types import Int64Array

# What a pruned network may differ from the same one with its channels silent, for logits of 1.
SAME = 1e-5
# A search for a time ends within this share of the multiply-adds, or after so many exports.
FINE, TRIES = 0.02, 7

Timer = Callable[[Network], float]


@dataclass(frozen=True)
class Surgeon:
    """Takes channels and blocks out of a network.

    Attributes:
        arch: its name, for messages.
        in_channels: C of its input.
        size: h and w of its input.
        criterion: a name from the registry.
        limits: what every layer keeps.
        streams: whether channels that several blocks add to may go as well.
        features: whether channels that the head reads may go.
        whole: cost of the network that targets are shares of.
        timer: of a network, in milliseconds; asked only for targets in time.
        whole_ms: of the network that targets are shares of; 0 where no target is in time.
    """

    arch: str
    in_channels: int
    size: tuple[int, int]
    criterion: str
    limits: Limits
    streams: bool
    whole: CostModel
    timer: Timer
    whole_ms: float = 0.0
    features: bool = True

    def operate(self, network: Network, evidence: Evidence, target: Target) -> Pruning:
        """Take channels out of a network, in place, until it meets a target.

        Raises:
            BarNotMetError: the target is out of reach.
            UsageError: the network cannot be pruned, or the criterion has nothing to say of any layer.
        """
        groups = self.groups(network)
        scores = self.scores(groups, evidence)
        if self.limits.scope == "worth":
            scores = by_worth(scores, evidence, self._price(network, "macs"))
        if target.is_time:
            lost = self._within_time(network, scores, target)
        else:
            lost = self._within_cost(network, scores, target.kind, target.value)
        pruning = removal(lost, criterion=self.criterion, target=str(target))
        check_same(network, lost, pruning, evidence.photos[:8], self.arch)
        apply(network, pruning)
        return pruning

    def _may_go(self, group: Group) -> bool:
        """Say whether a group may lose channels."""
        if not self.features and any(member.layer.startswith("head.") for member in group.members):
            return False
        return self.streams or len(group.made_by) == 1

    def groups(self, network: Network) -> tuple[Group, ...]:
        """Return the groups that may lose channels."""
        found = find_groups(network, self.in_channels, self.size, self.arch)
        chosen = tuple(filter(self._may_go, found))
        if not chosen:
            raise UsageError(f"every channel of '{self.arch}' belongs to a stream that blocks add to; give --streams")
        return chosen

    def scores(self, groups: tuple[Group, ...], evidence: Evidence) -> Scores:
        """Score every group that the criterion has something to say of."""
        criterion = CRITERIA.get(self.criterion)
        scores = {group: own for group in groups if (own := criterion.score(group, evidence)) is not None}
        if not scores:
            raise UsageError(
                f"criterion '{self.criterion}' has nothing to say of any layer of '{self.arch}' "
                f"({criterion.summary}); give another one"
            )
        return scores if criterion.comparable else comparable(scores)

    def _within_cost(self, network: Network, scores: Scores, kind: str, share: float) -> dict[Group, Int64Array]:
        return choose(scores, self.limits, self._price(network, kind), share)

    def _price(self, network: Network, kind: str) -> Price:
        """Return what asks for the share of the whole cost that is left without some channels."""
        cost, whole = CostModel(network, self.in_channels, self.size), self.whole(Pruning())

        def price(lost: Mapping[Group, Int64Array]) -> float:
            left = cost(removal(lost))
            return left.params / whole.params if kind == "params" else left.macs / whole.macs

        return price

    def _within_time(self, network: Network, scores: Scores, target: Target) -> dict[Group, Int64Array]:
        """Search for the largest share of the multiply-adds that is quick enough; every try is exported and timed."""
        wanted = target.value if target.kind == "latency_ms" else target.value * self.whole_ms
        lost, low, high = self._tightest(scores), 0.0, 1.0
        least = self._time_without(network, lost)
        if least > wanted:
            raise BarNotMetError(
                f"the target is out of reach: asked for {wanted:.3f} ms, found {least:.3f} ms with at least "
                f"{self.limits.floor:.0%} of each layer in multiples of {self.limits.multiple}; give a higher target, "
                "a lower --floor, or --blocks"
            )
        for _ in range(TRIES):
            if high - low < FINE:
                break
            middle = (low + high) / 2
            try:
                tried = self._within_cost(network, scores, "macs", middle)
            except BarNotMetError:
                low = middle
                continue
            if self._time_without(network, tried) <= wanted:
                lost, low = tried, middle
            else:
                high = middle
        return lost

    def _tightest(self, scores: Scores) -> dict[Group, Int64Array]:
        kept = {group: self.limits.kept(group.width, group.width) for group in scores}
        return {group: np.argsort(own, kind="stable")[: group.width - kept[group]] for group, own in scores.items()}

    def _time_without(self, network: Network, lost: dict[Group, Int64Array]) -> float:
        smaller = copy.deepcopy(network)
        apply(smaller, removal(lost))
        return self.timer(smaller)


def check_same(network: Network, lost: dict[Group, Int64Array], pruning: Pruning, photos: Tensor, arch: str) -> float:
    """See that the pruned network answers as the same one does whose channels are silent; return the difference.

    Raises:
        UsageError: it does not.
    """
    silent, smaller = copy.deepcopy(network).eval(), copy.deepcopy(network).eval()
    mask(silent, lost)
    apply(smaller, pruning)
    with torch.no_grad():
        expected = silent(photos)
        difference = float((smaller(photos) - expected).abs().max())
    if difference > SAME * max(1.0, float(expected.abs().max())):
        raise UsageError(
            f"'{arch}' cannot be pruned: without these channels it answers otherwise than with them silent (by "
            f"{difference:.1e}); report this with the network's name"
        )
    return difference


def remove_blocks(network: Network, evidence: Evidence, count: int) -> tuple[str, ...]:
    """Take residual blocks out, in place, one after the other, each time the one whose absence costs the loss least.

    Returns:
        Their names, in the order they went.
    """
    names = removable_blocks(network)
    gone: list[str] = []
    for _ in range(count):
        left = [name for name in names if name not in gone]
        best = min(left, key=lambda name: _loss_without(network, name, evidence))
        apply(network, Pruning((best,)))
        gone.append(best)
    return tuple(gone)


def _loss_without(network: Network, block: str, evidence: Evidence) -> float:
    shorter = copy.deepcopy(network)
    apply(shorter, Pruning((block,)))
    return replace(evidence, network=shorter).loss
