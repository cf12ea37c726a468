"""Logit adjustment: in training each logit is raised by the log frequency of its class, so rare ones work harder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import functional as F

from gonogo.train.imbalance import Loss, Remedy

if TYPE_CHECKING:
    from gonogo.train.recipe import Recipe


def loss(counts: Tensor, recipe: Recipe) -> Loss:
    """Return the cross-entropy of logits + tau log(n_k / N); the network answers without the shift."""
    shift = recipe.logit_tau * (counts.clamp_min(1) / counts.sum()).log()

    def adjusted(logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits + shift.to(logits), labels, label_smoothing=recipe.label_smoothing)

    return adjusted


LOGIT_ADJUSTMENT = Remedy(loss=loss, source="Menon et al., ICLR 2021")
