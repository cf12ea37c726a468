"""How differently a channel answers different photos.

Source: Luo and Wu 2017, "An Entropy-based Pruning Method for CNN Compression", arXiv 1706.05791.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gonogo.compress.prune.evidence import Evidence, total
from gonogo.compress.prune.graph import Group
from gonogo.compress.prune.importance import Criterion
from gonogo.types import Float64Array

BINS = 16


def score(group: Group, evidence: Evidence) -> Float64Array:
    """Return (C,) entropies in nats of the channel's average over the photo, in bins between its extremes."""
    return total([_entropies(maps.mean((2, 3)).double()) for maps in evidence.maps(group)])


def _entropies(averages: Tensor) -> Tensor:
    """Turn (N, C) averages into (C,) entropies; 0 for a channel that never changes."""
    low, high = averages.amin(0), averages.amax(0)
    width = torch.where(high > low, (high - low) / BINS, torch.ones_like(low))
    bins = ((averages - low) / width).long().clamp(max=BINS - 1)
    shares = torch.nn.functional.one_hot(bins, BINS).double().mean(0)
    return -torch.xlogy(shares, shares).sum(1)


ENTROPY = Criterion(score, "entropy of its average over photos", "arXiv 1706.05791")
