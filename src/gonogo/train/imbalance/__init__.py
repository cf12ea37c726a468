"""What to do where one class is rare: draw other photos, or weigh their losses; one remedy per file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from gonogo.registry import Registry

if TYPE_CHECKING:
    from gonogo.train.recipe import Recipe

Loss = Callable[[Tensor, Tensor], Tensor]


def every_photo_once(labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return (N,) the places of all photos, shuffled."""
    return torch.randperm(len(labels), generator=generator)


def cross_entropy(_counts: Tensor, recipe: Recipe) -> Loss:
    """Return the plain loss, every photo counting alike."""
    return lambda logits, labels: F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)


def each_label(logits: Tensor, label_smoothing: float) -> Tensor:
    """Return (B, K), the cross-entropy that each photo would have with each label."""
    log_probs = F.log_softmax(logits, 1)
    return -(1 - label_smoothing) * log_probs - label_smoothing * log_probs.mean(1, keepdim=True)


@dataclass(frozen=True)
class Remedy:
    """One way to treat imbalance.

    Attributes:
        order: from the labels (N,) of the training photos and a generator to the places (M,) of the photos of one
            epoch, in their order; M must not depend on chance.
        loss: from the training photos per class (K,) float32 and the recipe to the loss of logits (B, K) against
            labels (B,), or of photos that were mixed against their shares (B, K) of each class: the loss of each label,
            weighted by its share. A mean over the batch.
        source: the paper.
    """

    order: Callable[[Tensor, torch.Generator], Tensor] = every_photo_once
    loss: Callable[[Tensor, Recipe], Loss] = cross_entropy
    source: str = ""


NONE = Remedy()

REMEDIES: Registry[Remedy] = Registry(
    "remedy for imbalance",
    {
        "none": "gonogo.train.imbalance:NONE",
        "undersample": "gonogo.train.imbalance.undersample:UNDERSAMPLE",
        "oversample": "gonogo.train.imbalance.oversample:OVERSAMPLE",
        "class-weights": "gonogo.train.imbalance.class_weights:CLASS_WEIGHTS",
        "focal": "gonogo.train.imbalance.focal:FOCAL",
        "logit-adjustment": "gonogo.train.imbalance.logit_adjustment:LOGIT_ADJUSTMENT",
    },
)


def members_of(labels: Tensor) -> list[Tensor]:
    """Return the places of the photos of each class that has any."""
    return [torch.nonzero(labels == label).flatten() for label in labels.unique()]  # type: ignore[no-untyped-call]
