"""How far a filter is from all others of its layer: one near their middle can be replaced by them.

Source: He et al. 2019, "Filter Pruning via Geometric Median", arXiv 1811.00250, equation 8.
"""

from __future__ import annotations

import torch

from gonogo.compress.prune.evidence import Evidence, total
from gonogo.compress.prune.graph import Group
from gonogo.compress.prune.importance import Criterion
from gonogo.types import Float64Array


def score(group: Group, evidence: Evidence) -> Float64Array:
    """Return (C,) sums of the distances to the other filters."""
    return total([torch.cdist(filters, filters).sum(1) for filters in evidence.filters(group)])


FPGM = Criterion(score, "distance to the layer's other filters", "arXiv 1811.00250")
