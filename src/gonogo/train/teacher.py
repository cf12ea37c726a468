"""Learn from another network's answers: beside its labels, a network learns what a teacher says of the same photos.

Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", arXiv 1503.02531. Teacher and pupil see each
photo turned and lit in the same way, so the pupil is never told of what it does not see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from gonogo.errors import UsageError
from gonogo.models.architecture import Network
from gonogo.train.checkpoint import Progress
from gonogo.train.imbalance import REMEDIES, Loss
from gonogo.train.loop import Step, Trainer
from gonogo.train.prepare import Prepared
from gonogo.train.recipe import Recipe
from gonogo.train.train import loader

# How a network that was changed learns again: from where it is, and slowly.
FINE_TUNING: Mapping[str, Any] = {
    "epochs": 15,
    "optimizer": "sgd",
    "lr": 0.02,
    "weight_decay": 5e-4,
    "schedule": "cosine",
    "warmup_epochs": 0,
    "averaging": "none",
    "keep": "last",
    "patience": 0,
}
# Softened further, all answers are alike.
HOTTEST = 1000.0


@dataclass(frozen=True)
class Teaching:
    """How much a pupil listens.

    Attributes:
        temperature: both answers are softened by it, so that what is unlikely still says something.
        weight: of the teacher's answers, 0 to 1; the labels have the rest.

    Raises:
        UsageError: a value out of range.
    """

    temperature: float = 4.0
    weight: float = 0.9

    def __post_init__(self) -> None:
        if not 0 < self.temperature <= HOTTEST or not 0 <= self.weight <= 1:
            raise UsageError(
                f"found --temperature {self.temperature:g} and --teaching {self.weight:g}, expected above 0 to "
                f"{HOTTEST:g}, and 0 to 1"
            )


class Listening(Network):
    """A network that in training says its own logits and, behind them, its teacher's; body and head learn in place."""

    def __init__(self, network: Network, teacher: nn.Module) -> None:
        super().__init__()
        self.body, self.head, self.fixed_size = network.body, network.head, network.fixed_size
        # Not a part of the pupil: nothing of it is learnt, saved or averaged.
        self._teacher = [teacher]

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn (N, C, h, w) into (N, K) logits, in training with the teacher's (N, K) behind them."""
        logits = super().forward(inputs)
        if not self.training:
            return logits
        with torch.no_grad():
            told = self._teacher[0](inputs).to(logits)
        return torch.cat([logits, told], 1)


def divergence(logits: Tensor, told: Tensor, temperature: float) -> Tensor:
    """Return how far (B, K) logits are from a teacher's: the mean divergence of the softened answers.

    It is multiplied by the squared temperature, so that its gradient does not shrink with it (section 2 of the paper).
    """
    ours, theirs = (F.log_softmax(values.float() / temperature, 1) for values in (logits, told))
    return temperature**2 * F.kl_div(ours, theirs, reduction="batchmean", log_target=True)


def taught_loss(own: Loss, teaching: Teaching) -> Loss:
    """Return the loss of a listening network's (B, 2 K) outputs."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        logits, told = outputs.float().chunk(2, 1)
        missed = divergence(logits, told, teaching.temperature)
        return (1 - teaching.weight) * own(logits, targets) + teaching.weight * missed

    return loss


def learn_from(
    network: Network,
    teacher: nn.Module,
    prepared: Prepared,
    recipe: Recipe,
    teaching: Teaching,
    fabric: Fabric,
    checkpoint: Path,
    report: Callable[[Step], None] | None = None,
) -> Progress:
    """Train a network, in place, to answer like a teacher that takes the same photos in the same geometry.

    Args:
        network: learns, all of it.
        teacher: from normalised photos to logits; stays as it is.
        prepared: the photos.
        recipe: how.
        teaching: how much it listens.
        fabric: device and precision.
        checkpoint: where the state goes after each epoch; the training goes on from it if it is there.
        report: called after each batch and epoch.

    Raises:
        BarNotMetError: the loss left the numbers.
    """
    teacher.to(fabric.device).eval().requires_grad_(False)
    teacher.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pupil = Listening(network, teacher)
    train, val = (loader(prepared, split, fabric) for split in ("train", "val"))
    trainer = Trainer(pupil, recipe, train, val, fabric, checkpoint, report)
    counts = train.class_counts(len(prepared.task.classes), recipe)
    trainer.loss = taught_loss(REMEDIES.get(recipe.imbalance).loss(counts, recipe), teaching)
    return trainer.fit()
