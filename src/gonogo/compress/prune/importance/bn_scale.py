"""The scale that BatchNorm gives a channel.

Source: Liu et al. 2017, "Learning Efficient Convolutional Networks through Network Slimming", arXiv 1708.06519.
"""

from __future__ import annotations

from gonogo.compress.prune.evidence import Evidence, total
from gonogo.compress.prune.graph import Group
from gonogo.compress.prune.importance import Criterion
from gonogo.types import Float64Array


def score(group: Group, evidence: Evidence) -> Float64Array | None:
    """Return (C,) absolute scales, added over the BatchNorms of the group; None where it has none."""
    scales = [values.abs() for values in evidence.scales(group)]
    return total(scales) if scales else None


BN_SCALE = Criterion(score, "absolute scale of its BatchNorm", "arXiv 1708.06519")
