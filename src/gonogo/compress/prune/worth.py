"""What a channel is worth: how much of it arrives at the end of the body, for what it costs.

A criterion says which channels of a group matter least; whether a group should lose more of them than another depends
on what the layers behind it make up for, and on how many multiply-adds a channel takes. Both are measured: half of each
group goes, alone, and the layers behind it are fitted again.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor

from gonogo.compress.prune.evidence import Evidence
from gonogo.compress.prune.graph import Group, removal
from gonogo.compress.prune.moments import BATCH
from gonogo.compress.prune.refit import refit
from gonogo.compress.prune.schedule import Price, Scores
from gonogo.models.architecture import Network
from gonogo.models.pruned import apply
from gonogo.types import Float64Array

# Photos that are asked, and the share of a group that goes.
FEW, TRIED = 96, 0.5
# Stands in for a loss or a price of nothing.
LEAST = 1e-12


def by_worth(scores: Scores, evidence: Evidence, price: Price) -> dict[Group, Float64Array]:
    """Return the scores in one unit: the share of the features' variance that a channel takes along, for its price.

    Args:
        scores: (C,) of each group, larger = keep.
        evidence: the network and training photos.
        price: of what is left without these channels.
    """
    photos = evidence.photos[:FEW]
    features, whole, found = features_of(evidence.network, photos), price({}), {}
    for group, own in scores.items():
        gone = np.argsort(own, kind="stable")[: max(1, int(TRIED * group.width))]
        smaller, pruning = copy.deepcopy(evidence.network), removal({group: gone})
        apply(smaller, pruning)
        refit(smaller, evidence.network, pruning, photos)
        lost = share_lost(features, features_of(smaller, photos))
        saved = (whole - price({group: gone})) / len(gone)
        found[group] = own * lost / max(float(own[gone].sum()), LEAST) / max(saved, LEAST)
    return found


def features_of(network: Network, photos: Tensor) -> Tensor:
    """Return what a body makes of photos: (N, C, h, w)."""
    with torch.no_grad():
        return torch.cat([network.body(batch) for batch in torch.split(photos, BATCH)])


def share_lost(before: Tensor, after: Tensor) -> float:
    """Return how far (N, C, ...) features are from what they were, as a share of how they vary."""
    spread = before - before.mean([axis for axis in range(before.ndim) if axis != 1], keepdim=True)
    return float((after - before).square().sum() / spread.square().sum().clamp(min=LEAST))
