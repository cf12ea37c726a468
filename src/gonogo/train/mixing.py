"""Mix photos of a batch, and their labels with them: MixUp and CutMix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gonogo.train.recipe import Recipe


@dataclass(frozen=True)
class Mixed:
    """A batch after mixing.

    Attributes:
        inputs: (N, C, h, w) float32.
        partner: (N,) the place in the batch of the photo that each was mixed with.
        share: (N,) float32, how much of a photo is its own, 0 to 1.
    """

    inputs: Tensor
    partner: Tensor
    share: Tensor

    def targets(self, labels: Tensor, num_classes: int) -> Tensor:
        """Return (N, K) float32, for each photo the shares of the classes in it; they sum to 1.

        Args:
            labels: (N,) class numbers of the photos before mixing.
            num_classes: K.
        """
        one_hot = F.one_hot(labels, num_classes).float()
        share = self.share[:, None]
        return share * one_hot + (1 - share) * one_hot[self.partner]


def wants_mixing(recipe: Recipe) -> bool:
    """Say whether a recipe asks for it."""
    return bool(recipe.mixup_alpha or recipe.cutmix_alpha)


def mix(inputs: Tensor, recipe: Recipe, generator: torch.Generator) -> Mixed:
    """Mix each photo of a batch with another one; of two ways, each batch takes one by the toss of a coin.

    Args:
        inputs: (N, C, h, w) float32.
        recipe: `mixup_alpha` and `cutmix_alpha`, one of them above 0 at least.
        generator: on the CPU; the only source of chance.
    """
    cut = bool(recipe.cutmix_alpha)
    if recipe.mixup_alpha and recipe.cutmix_alpha:
        cut = bool(torch.rand((), generator=generator) < 0.5)
    partner = torch.randperm(len(inputs), generator=generator)
    share = draw_shares(len(inputs), recipe.cutmix_alpha if cut else recipe.mixup_alpha, generator)
    return cutmix(inputs, partner, share, generator) if cut else mixup(inputs, partner, share)


def draw_shares(n: int, alpha: float, generator: torch.Generator) -> Tensor:
    """Return (n,) float32 draws of a Beta(alpha, alpha)."""
    # PyTorch's Beta takes no generator; NumPy's is seeded by ours.
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, n).astype(np.float32))


def mixup(inputs: Tensor, partner: Tensor, share: Tensor) -> Mixed:
    """Lay two photos over each other (Zhang et al., ICLR 2018).

    Args:
        inputs: (N, C, h, w).
        partner: (N,) the other photo.
        share: (N,) the weight of the photo itself.
    """
    partner, share = partner.to(inputs.device), share.to(inputs.device)
    weight = share.to(inputs.dtype)[:, None, None, None]
    return Mixed(weight * inputs + (1 - weight) * inputs[partner], partner, share)


def cutmix(inputs: Tensor, partner: Tensor, share: Tensor, generator: torch.Generator) -> Mixed:
    """Put a rectangle of one photo into another (Yun et al., ICCV 2019).

    The rectangle has the photo's proportions, and its middle may be any pixel; the shares that come back are those of
    the pixels that were really kept, since at the border a part of the rectangle lies outside.

    Args:
        inputs: (N, C, h, w).
        partner: (N,) the other photo.
        share: (N,) the part of the area to keep, before the border cuts the rectangle.
        generator: on the CPU.
    """
    n, _, height, width = inputs.shape
    taken = torch.ones(n, 1, 1, 1, dtype=torch.bool)
    for length, shape in ((height, (n, 1, height, 1)), (width, (n, 1, 1, width))):
        side = ((1 - share).sqrt() * length).long()[:, None]
        first = torch.randint(length, (n, 1), generator=generator) - side // 2
        place = torch.arange(length)
        taken = taken & ((place >= first) & (place < first + side)).view(shape)
    kept = 1 - taken.float().mean((1, 2, 3))
    partner, taken = partner.to(inputs.device), taken.to(inputs.device)
    return Mixed(torch.where(taken, inputs[partner], inputs), partner, kept.to(inputs.device))
