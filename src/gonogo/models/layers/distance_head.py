"""How unlike good parts a photo is, as logits of good and of defect."""

from __future__ import annotations

import torch
from torch import Tensor

from gonogo.errors import UsageError
from gonogo.models.architecture import Head
from gonogo.models.novelty import Novelty

# A photo that is as good as the mean of good photos has a distance near 0, whose logarithm has no bound.
LEAST = 1e-6


class DistanceHead(Head):
    """The distance from good parts, for a line that has made no defect yet.

    The logit of "good" is 0, that of "defect" the logarithm of the distance d, so that the probability of a defect is
    d / (1 + d): one half at the limit, and for d times the limit the odds are d to 1.

    Args:
        channels: C of the features.
        num_classes: two, good before defect.
        axes: how many directions of the distance have a variance of their own.

    Raises:
        UsageError: another number of classes.
    """

    def __init__(self, channels: int, num_classes: int, axes: int) -> None:
        super().__init__()
        if num_classes != 2:
            raise UsageError(
                f"a distance from good parts tells good from defect, found {num_classes} classes; leave axes out"
            )
        self.novelty = Novelty(3 * channels, axes)

    def forward(self, features: Tensor) -> Tensor:
        """Measure (N, C, h, w) features: (N, 2) logits."""
        odds = torch.log(torch.clamp(self.novelty(features), min=LEAST))
        return torch.stack([torch.zeros_like(odds), odds], 1)

    def maps(self, features: Tensor) -> Tensor:
        """Say what each place adds: (N, 2, h, w), 0 for good and, for a defect, its share of the distance less 1.

        A place above 0 adds more than it may where the whole photo is to stay within the limit. The mean over the
        places is the photo's distance less 1. (A place cannot stand in for the photo, as it does in other heads: all
        places are unlike the average of a photo, and those of the defect not most of all.)
        """
        more = self.novelty.shares(features) - 1
        return torch.stack([torch.zeros_like(more), more], 1)
