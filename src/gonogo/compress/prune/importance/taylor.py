"""How much the loss would change without a filter, by the first term of its Taylor series.

Source: Molchanov et al. 2019, "Importance Estimation for Neural Network Pruning", arXiv 1906.10771, equation 8.
"""

from __future__ import annotations

import torch

from gonogo.compress.prune.evidence import Evidence, placed, total
from gonogo.compress.prune.graph import Group
from gonogo.compress.prune.importance import Criterion
from gonogo.types import Float64Array


def score(group: Group, evidence: Evidence) -> Float64Array:
    """Return (C,) squares of the sum of gradient times weight, the mean over batches."""
    squares = []
    for gradients in evidence.batch_gradients:
        changes = [
            placed(
                (evidence.weight(m.layer) * gradients[f"{m.layer}.weight"]).flatten(1).sum(1)[m.channels],
                m.of,
                group.width,
            )
            for m in group.made_by
        ]
        squares.append(torch.stack(changes).sum(0).square())
    return total(squares) / len(squares)


TAYLOR = Criterion(score, "change of the loss, first order", "arXiv 1906.10771", comparable=True)
