"""The rank of a channel's feature maps: how many patterns they hold.

Source: Lin et al. 2020, "HRank: Filter Pruning using High-Rank Feature Map", arXiv 2002.10179.
"""

from __future__ import annotations

import torch

from gonogo.compress.prune.evidence import Evidence, total
from gonogo.compress.prune.graph import Group
from gonogo.compress.prune.importance import Criterion
from gonogo.types import Float64Array


def score(group: Group, evidence: Evidence) -> Float64Array:
    """Return (C,) mean ranks over the photos."""
    return total([torch.linalg.matrix_rank(maps).double().mean(0) for maps in evidence.maps(group)])


RANK = Criterion(score, "mean rank of its feature maps", "arXiv 2002.10179")
