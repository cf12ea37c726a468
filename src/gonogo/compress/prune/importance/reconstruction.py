"""What the layers that read a channel cannot put together from the channels that are left.

Channels go one after the other, each time the one whose loss costs least once the weights of the others are set anew
by least squares: the saliency of the Optimal Brain Surgeon, with the layer's own outputs for the loss, so that the
Hessian is the covariance of what it reads. `gonogo.compress.prune.refit` then sets those weights.

Sources: Hassibi and Stork 1993, "Second order derivatives for network pruning: Optimal Brain Surgeon", equation 5;
layer by layer Dong et al. 2017, arXiv 1705.07565; channels with least squares He et al. 2017, arXiv 1707.06168.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gonogo.compress.prune.evidence import Evidence
from gonogo.compress.prune.graph import Group, Member
from gonogo.compress.prune.importance import Criterion
from gonogo.compress.prune.moments import can_be_solved
from gonogo.types import Float64Array

# Tells channels apart that are lost at the same cost.
TIE = 1e-9
# Stands in for a variance of nothing.
LEAST = 1e-12


@dataclass
class Reader:
    """A layer that reads the group's channels: how well the channels left can still say what all of them said.

    Attributes:
        inverse: (F, F) of the covariance of what it reads of the group.
        weight: (F, O) what it makes of that by now.
        windows: (C, W) which of the F readings are those of each channel.
        variance: of all that it makes of the group.
    """

    inverse: Tensor
    weight: Tensor
    windows: Tensor
    variance: float

    def costs(self) -> Tensor:
        """Return (C,) how much of the variance would be lost with each channel."""
        own = self.inverse[self.windows[:, :, None], self.windows[:, None, :]]
        weight = self.weight[self.windows]
        costs: Tensor = (weight * torch.linalg.solve(own, weight)).sum((1, 2)) / self.variance
        return costs

    def lose(self, channel: int) -> None:
        """Take a channel out and let the others make up for it."""
        window = self.windows[channel]
        columns = torch.linalg.solve(self.inverse[window][:, window], self.inverse[window]).T
        self.weight = self.weight - columns @ self.weight[window]
        self.inverse = self.inverse - columns @ self.inverse[window]
        # What is gone says nothing, and costs nothing to leave out once more.
        self.weight[window] = 0
        self.inverse[window], self.inverse[:, window] = 0, 0
        self.inverse[window, window] = 1


def score(group: Group, evidence: Evidence) -> Float64Array | None:
    """Return (C,) shares of the readers' variance that are lost with each channel, in the order in which they go."""
    readers = [
        reader_of(member, group.width, evidence)
        for member in group.side("in")
        if can_be_solved(evidence.network.get_submodule(member.layer)) and _reads_all(member, group.width)
    ]
    if not readers:
        return None
    order: list[int] = []
    costs: list[float] = []
    for _ in range(group.width):
        each = torch.stack([reader.costs() for reader in readers]).mean(0)
        each[order] = torch.inf
        order.append(int(each.argmin()))
        costs.append(max(0.0, float(each.min())))
        for reader in readers:
            reader.lose(order[-1])
    scores = np.zeros(group.width)
    # A channel matters at least as much as those that went before it; of equals, the first that went matters least.
    scores[order] = np.maximum.accumulate(costs) * (1 + TIE * np.arange(group.width))
    return scores


def _reads_all(member: Member, width: int) -> bool:
    """Say whether a layer reads every channel of the group, and equally often."""
    return len(set(np.bincount(member.of, minlength=width).tolist())) == 1


def reader_of(member: Member, width: int, evidence: Evidence) -> Reader:
    """Return what a layer reads of a group, and what it makes of it."""
    weight = evidence.weight(member.layer)
    window = int(weight[0, 0].numel())
    # Channel by channel as the group numbers them: a layer of a concatenation reads them anywhere.
    order = torch.from_numpy(member.channels[np.argsort(member.of, kind="stable")])
    readings = (order[:, None] * window + torch.arange(window)).flatten()
    covariance = evidence.covariance(member.layer)[readings][:, readings]
    mine = weight.flatten(1)[:, readings].T
    variance = float((mine * (covariance @ mine)).sum())
    windows = torch.arange(len(readings)).reshape(width, -1)
    return Reader(torch.linalg.inv(covariance), mine, windows, max(variance, LEAST))


RECONSTRUCTION = Criterion(
    score, "what others cannot reconstruct", "arXiv 1705.07565 and arXiv 1707.06168", comparable=True
)
