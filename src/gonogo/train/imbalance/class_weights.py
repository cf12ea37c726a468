"""Class weights: the loss of a photo counts in inverse proportion to how frequent its class is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import functional as F

from gonogo.train.imbalance import Loss, Remedy, each_label

if TYPE_CHECKING:
    from gonogo.train.recipe import Recipe


def weights(counts: Tensor) -> Tensor:
    """Return (K,) weights whose mean over the training photos is 1: N / (K n_k)."""
    present = (counts > 0).sum()
    return counts.sum() / (present * counts.clamp_min(1))


def loss(counts: Tensor, recipe: Recipe) -> Loss:
    """Return the weighted cross-entropy."""
    own = weights(counts)

    def weighted(logits: Tensor, labels: Tensor) -> Tensor:
        if labels.ndim == 2:
            return (labels * own.to(logits) * each_label(logits, recipe.label_smoothing)).sum(1).mean()
        each = F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing, reduction="none")
        # A mean over the batch, not over its weights: a batch of frequent photos must not count as much as a rare one.
        return (each * own.to(logits)[labels]).mean()

    return weighted


CLASS_WEIGHTS = Remedy(loss=loss, source="King and Zeng, Political Analysis 9 (2001)")
