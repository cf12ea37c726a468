"""Undersampling: of every class as many photos as the rarest has, others in each epoch."""

from __future__ import annotations

import torch
from torch import Tensor

from gonogo.train.imbalance import Remedy, members_of


def order(labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return the places of an equal number of photos of each class, shuffled."""
    classes = members_of(labels)
    fewest = min(len(places) for places in classes)
    drawn = [places[torch.randperm(len(places), generator=generator)[:fewest]] for places in classes]
    together = torch.cat(drawn)
    return together[torch.randperm(len(together), generator=generator)]


UNDERSAMPLE = Remedy(order=order, source="Kubat and Matwin, ICML 1997")
