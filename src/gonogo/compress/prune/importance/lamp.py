"""A filter's squared length as a share of what is left once all shorter ones of its group are gone.

Source: Lee et al. 2021, "Layer-adaptive Sparsity for the Magnitude-based Pruning", arXiv 2010.07611, equation 2, of
filters in the place of single weights.
"""

from __future__ import annotations

import numpy as np

from gonogo.compress.prune.evidence import Evidence, total
from gonogo.compress.prune.graph import Group
from gonogo.compress.prune.importance import Criterion
from gonogo.types import Float64Array


def score(group: Group, evidence: Evidence) -> Float64Array:
    """Return (C,) shares; the longest filter has 1."""
    squares = total([filters.square().sum(1) for filters in evidence.filters(group)])
    order = np.argsort(squares, kind="stable")
    left = np.empty_like(squares)
    left[order] = np.cumsum(squares[order][::-1])[::-1]
    return squares / np.where(left > 0, left, 1.0)


LAMP = Criterion(score, "squared length as a share of the longer ones", "arXiv 2010.07611", comparable=True)
