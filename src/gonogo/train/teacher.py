"""Learn from another network: beside its labels, a network learns what a teacher says of the same photos, and sees.

Sources: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", arXiv 1503.02531, of answers; Romero et al.
2015, "FitNets: Hints for Thin Deep Nets", arXiv 1412.6550, of maps. Teacher and pupil see each photo turned, lit and
mixed in the same way, so the pupil is never told of what it does not see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from gonogo.errors import UsageError
from gonogo.models.architecture import Network
from gonogo.models.folding import fold_norms
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
# Errors of early maps reach far: unclipped, a pupil taught by them forgets within ten steps what it could.
STEADIED: Mapping[str, Any] = {"clip_norm": 5.0}
# Softened further, all answers are alike.
HOTTEST = 1000.0
# Weighed heavier, maps would be all that is learnt.
MOST = 1000.0
# Added to the variance of a teacher's maps, lest one that says the same everywhere divides by 0.
TINY = 1e-6


@dataclass(frozen=True)
class Teaching:
    """How much a pupil listens.

    Attributes:
        temperature: both answers are softened by it, so that what is unlikely still says something.
        weight: of the teacher's answers, 0 to 1; the labels have the rest.
        maps: weight of the teacher's maps, 0 for none; beside answers and labels, which keep theirs.

    Raises:
        UsageError: a value out of range.
    """

    temperature: float = 4.0
    weight: float = 0.9
    maps: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature <= HOTTEST or not 0 <= self.weight <= 1:
            raise UsageError(
                f"found --temperature {self.temperature:g} and --teaching {self.weight:g}, expected above 0 to "
                f"{HOTTEST:g}, and 0 to 1"
            )
        if not 0 <= self.maps <= MOST:
            raise UsageError(f"found --maps {self.maps:g}, expected 0 to {MOST:g}")


class Listening(Network):
    """A network that in training says its own logits and, behind them, its teacher's; body and head learn in place.

    Args:
        network: learns.
        teacher: from the same photos to logits, in evaluation.
        maps: whether the maps of both are held against each other as well.
    """

    def __init__(self, network: Network, teacher: nn.Module, maps: bool = False) -> None:
        super().__init__()
        self.body, self.head, self.fixed_size = network.body, network.head, network.fixed_size
        self.maps = maps
        # Not a part of the pupil: nothing of it is learnt, saved or averaged.
        self._teacher = [teacher]

    def forward(self, inputs: Tensor) -> Tensor:
        """Classify.

        Args:
            inputs: (N, C, h, w) float32, normalised.

        Returns:
            (N, K) logits; in training (N, 2 K) with the teacher's behind them, and where maps are compared
            (N, 2 K + 1), the last column being what `missed` says of them.
        """
        if not self.training:
            return super().forward(inputs)
        teacher = self._teacher[0]
        if not self.maps:
            logits = super().forward(inputs)
            with torch.no_grad():
                told = teacher(inputs).to(logits)
            return torch.cat([logits, told], 1)
        assert isinstance(teacher, Network)
        ours = outputs_of(self.body, inputs)
        logits = self.head(ours[-1])
        with torch.no_grad():
            theirs = outputs_of(teacher.body, inputs)
            told = teacher.head(theirs[-1]).to(logits)
        return torch.cat([logits, told, missed(ours, theirs).to(logits)[:, None]], 1)


def outputs_of(body: nn.Module, inputs: Tensor) -> list[Tensor]:
    """Return what each stage of a body makes of (N, C, h, w), one after the other; of a body without stages, itself."""
    if not isinstance(body, nn.Sequential):
        return [body(inputs)]
    outputs, values = [], inputs
    for stage in body:
        values = stage(values)
        outputs.append(values)
    return outputs


def missed(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> Tensor:
    """Return (N,), how far a pupil's maps are from its teacher's: squared errors as shares of the teacher's variance.

    Compared are the last maps of each size, where a run of stages that add to one stream ends, as far as the pupil has
    the same channels; their mean is taken, 0 where there are none.

    Args:
        ours: of each stage of the pupil's body, (N, C, h, w).
        theirs: of the same stages of the teacher's.
    """
    errors = [
        (own - told.to(own)).square().mean((1, 2, 3)) / (told.float().var() + TINY)
        for stage, (own, told) in enumerate(zip(ours, theirs, strict=True))
        if own.shape == told.shape and (stage + 1 == len(theirs) or theirs[stage + 1].shape != told.shape)
    ]
    return torch.stack(errors).mean(0) if errors else ours[0].new_zeros(len(ours[0]))


def divergence(logits: Tensor, told: Tensor, temperature: float) -> Tensor:
    """Return how far (B, K) logits are from a teacher's: the mean divergence of the softened answers.

    It is multiplied by the squared temperature, so that its gradient does not shrink with it (section 2 of the paper).
    """
    ours, theirs = (F.log_softmax(values.float() / temperature, 1) for values in (logits, told))
    return temperature**2 * F.kl_div(ours, theirs, reduction="batchmean", log_target=True)


def taught_loss(own: Loss, teaching: Teaching) -> Loss:
    """Return the loss of a listening network's (B, 2 K) outputs; (B, 2 K + 1) where its maps are taught too."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        outputs = outputs.float()
        answers = outputs[:, :-1] if teaching.maps else outputs
        logits, told = answers.chunk(2, 1)
        unlike = divergence(logits, told, teaching.temperature)
        total = (1 - teaching.weight) * own(logits, targets) + teaching.weight * unlike
        return total + teaching.maps * outputs[:, -1].mean() if teaching.maps else total

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
    # Folded it answers the same, about a quarter faster.
    told_by = fold_norms(teacher).to(fabric.device).requires_grad_(False)
    told_by.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pupil = Listening(network, told_by, bool(teaching.maps))
    train, val = (loader(prepared, split, fabric) for split in ("train", "val"))
    trainer = Trainer(pupil, recipe, train, val, fabric, checkpoint, report)
    counts = train.class_counts(len(prepared.task.classes), recipe)
    trainer.loss = taught_loss(REMEDIES.get(recipe.imbalance).loss(counts, recipe), teaching)
    return trainer.fit()
