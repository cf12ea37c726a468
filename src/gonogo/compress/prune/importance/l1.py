"""The sum of a filter's absolute weights.

Source: Li et al. 2016, "Pruning Filters for Efficient ConvNets", arXiv 1608.08710.
"""

from __future__ import annotations

from gonogo.compress.prune.evidence import Evidence, total
from gonogo.compress.prune.graph import Group
from gonogo.compress.prune.importance import Criterion
from gonogo.types import Float64Array


def score(group: Group, evidence: Evidence) -> Float64Array:
    """Return (C,) sums of absolute weights; over all layers that make the channel."""
    return total([filters.abs().sum(1) for filters in evidence.filters(group)])


L1 = Criterion(score, "absolute sum of the filter's weights", "arXiv 1608.08710")
