"""How much the loss would change without a filter, by the second term of its Taylor series.

Source: LeCun et al. 1990, "Optimal Brain Damage", equation 5; the diagonal of the Hessian by squared gradients of
single photos, as Theis et al. 2018, arXiv 1801.05787, have it.
"""

from __future__ import annotations

from gonogo.compress.prune.evidence import Evidence, placed, total
from gonogo.compress.prune.graph import Group
from gonogo.compress.prune.importance import Criterion
from gonogo.types import Float64Array


def score(group: Group, evidence: Evidence) -> Float64Array:
    """Return (C,) sums over the filter of half the curvature times the squared weight."""
    changes = []
    for m in group.made_by:
        change = evidence.weight(m.layer).square() * evidence.curvature[f"{m.layer}.weight"] / 2
        changes.append(placed(change.flatten(1).sum(1)[m.channels], m.of, group.width))
    return total(changes)


HESSIAN = Criterion(score, "change of the loss, second order", "Optimal Brain Damage, 1990", comparable=True)
