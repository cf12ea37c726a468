"""How much the loss rises without a channel, measured: each is left out in turn."""

from __future__ import annotations

import numpy as np

from gonogo.compress.prune.evidence import Evidence
from gonogo.compress.prune.graph import Group
from gonogo.compress.prune.importance import Criterion
from gonogo.types import Float64Array


def score(group: Group, evidence: Evidence) -> Float64Array:
    """Return (C,) rises of the loss; below 0 where the network answers better without the channel."""
    return np.array([evidence.loss_without(group, channel) for channel in range(group.width)]) - evidence.loss


LEAVE_ONE_OUT = Criterion(
    score, "rise of the loss without the channel", "the pruning study's impact on the error", comparable=True
)
