"""How well a channel tells the classes apart: Fisher's criterion of its average over the photo.

Source: Fisher 1936, "The Use of Multiple Measurements in Taxonomic Problems", for one measurement.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gonogo.compress.prune.evidence import Evidence, total
from gonogo.compress.prune.graph import Group
from gonogo.compress.prune.importance import Criterion
from gonogo.types import Float64Array

# Of a channel that never changes within a class; far below any variance of a channel that is alive.
STILL = 1e-12


def score(group: Group, evidence: Evidence) -> Float64Array:
    """Return (C,) ratios of the variance between the classes to that within them."""
    return total([_ratios(maps.mean((2, 3)).double(), evidence.labels) for maps in evidence.maps(group)])


def _ratios(averages: Tensor, labels: Tensor) -> Tensor:
    """Turn (N, C) averages into (C,) ratios."""
    whole = averages.mean(0)
    between, within = torch.zeros_like(whole), torch.zeros_like(whole)
    for label in torch.unique(labels):
        own = averages[labels == label]
        between += len(own) * (own.mean(0) - whole).square()
        within += (own - own.mean(0)).square().sum(0)
    return between / (within + STILL)


SEPARABILITY = Criterion(score, "how well its average tells the classes apart", "Fisher 1936")
