"""Focal loss: photos that are already answered well count less."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import functional as F

from gonogo.train.imbalance import Loss, Remedy, each_label

if TYPE_CHECKING:
    from gonogo.train.recipe import Recipe


def loss(_counts: Tensor, recipe: Recipe) -> Loss:
    """Return the mean of (1 - p)^gamma times the cross-entropy, p the probability of the right class."""

    def focal(logits: Tensor, labels: Tensor) -> Tensor:
        if labels.ndim == 2:
            missing = (1 - F.softmax(logits, 1)) ** recipe.focal_gamma
            return (labels * missing * each_label(logits, recipe.label_smoothing)).sum(1).mean()
        each = F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing, reduction="none")
        right = F.log_softmax(logits, 1).gather(1, labels[:, None]).squeeze(1).exp()
        return ((1 - right) ** recipe.focal_gamma * each).mean()

    return focal


FOCAL = Remedy(loss=loss, source="Lin et al., ICCV 2017")
