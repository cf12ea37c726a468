"""Oversampling: photos of rare classes again and again, until every class has as many as the most frequent."""

from __future__ import annotations

import torch
from torch import Tensor

from gonogo.train.imbalance import Remedy, members_of


def order(labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return the places of an equal number of photos of each class, shuffled; no photo twice more than another."""
    classes = members_of(labels)
    most = max(len(places) for places in classes)
    drawn = []
    for places in classes:
        whole, rest = divmod(most, len(places))
        extra = places[torch.randperm(len(places), generator=generator)[:rest]]
        drawn.append(torch.cat([places.repeat(whole), extra]))
    together = torch.cat(drawn)
    return together[torch.randperm(len(together), generator=generator)]


OVERSAMPLE = Remedy(order=order, source="Buda, Maki and Mazurowski, Neural Networks 106 (2018)")
