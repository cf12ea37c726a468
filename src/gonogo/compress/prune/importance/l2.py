"""The length of a filter.

Source: Li et al. 2016, "Pruning Filters for Efficient ConvNets", arXiv 1608.08710, compares it with the absolute sum.
"""

from __future__ import annotations

import numpy as np

from gonogo.compress.prune.evidence import Evidence, total
from gonogo.compress.prune.graph import Group
from gonogo.compress.prune.importance import Criterion
from gonogo.types import Float64Array


def score(group: Group, evidence: Evidence) -> Float64Array:
    """Return (C,) lengths; of all layers that make the channel, as one long filter."""
    return np.sqrt(total([filters.square().sum(1) for filters in evidence.filters(group)]))


L2 = Criterion(score, "length of the filter", "arXiv 1608.08710")
