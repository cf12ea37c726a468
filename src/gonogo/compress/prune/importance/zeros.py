"""How often a channel is silent.

Source: Hu et al. 2016, "Network Trimming", arXiv 1607.03250: the average percentage of zeros after the activation.
"""

from __future__ import annotations

from gonogo.compress.prune.evidence import Evidence, total
from gonogo.compress.prune.graph import Group
from gonogo.compress.prune.importance import Criterion
from gonogo.types import Float64Array


def score(group: Group, evidence: Evidence) -> Float64Array:
    """Return (C,) shares of places and photos where the channel is above zero."""
    return total([(maps > 0).double().mean((0, 2, 3)) for maps in evidence.maps(group)])


ZEROS = Criterion(score, "share of its values above zero", "arXiv 1607.03250")
