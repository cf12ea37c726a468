"""Teach a small network what another one sees: beside its labels, it learns the teacher's features of each photo.

What the pupil pools over a photo, through one linear layer that is thrown away afterwards, shall come close to what
the teacher pools (Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015, here on pooled features). The teacher
looks at every photo once, as it is; the pupil sees it turned and lit otherwise, and learns what that does not change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from gonogo.errors import UsageError
from gonogo.models.architecture import Head, Network, PoolingHead
from gonogo.train.checkpoint import Progress
from gonogo.train.imbalance import REMEDIES, Loss
from gonogo.train.loader import Loader
from gonogo.train.loop import Step, Trainer
from gonogo.train.mixing import wants_mixing
from gonogo.train.prepare import Prepared
from gonogo.train.recipe import Recipe
from gonogo.train.teacher import Teaching, divergence
from gonogo.train.views import SharedViews
from gonogo.types import Float32Array, Int64Array

# The best of three tries on one fold, by one photo: whether teaching helps at all is open (`docs/experiments.md`).
AXES = 8
# Next to a cross-entropy of about 1 at the start, a mean square of 1 before anything is learnt.
WEIGHT = 1.0
STILL = 1e-6


@dataclass(frozen=True)
class Lesson:
    """What is taught of the training photos.

    Attributes:
        targets: (M, F) float32, of each training photo in its order; every column has mean 0 and deviation 1.
        weight: of the mean square of what is missed, beside the loss of the labels.
    """

    targets: Float32Array
    weight: float = WEIGHT

    @classmethod
    def of(cls, features: Float32Array, axes: int = AXES, weight: float = WEIGHT) -> Lesson:
        """Make a lesson of a teacher's pooled features.

        They are standardised and turned to the axes along which they vary most; each axis then counts alike.

        Args:
            features: (M, D) of the training photos alone; nothing is learnt from others.
            axes: as many, at most.
            weight: of the lesson.

        Raises:
            UsageError: the features do not vary.
        """
        values = features - features.mean(0)
        deviation = values.std(0)
        values = values[:, deviation > STILL] / deviation[deviation > STILL]
        if not values.size:
            raise UsageError(f"the teacher sees no difference between {len(features)} photos, expected different ones")
        left, lengths, _ = np.linalg.svd(values, full_matrices=False)
        kept = min(axes, int((lengths > STILL * lengths[0]).sum()))
        return cls((left[:, :kept] * np.sqrt(len(values))).astype(np.float32), weight)


class TaughtHead(Head):
    """A pooling head that in training also says what the teacher would see.

    Args:
        head: stays as it is, and learns.
        axes: how many figures of the teacher's.
    """

    def __init__(self, head: PoolingHead, axes: int) -> None:
        super().__init__()
        self.head = head
        self.guess = nn.Linear(head.pooled_width, axes)

    def forward(self, features: Tensor) -> Tensor:
        """Turn (N, C, h, w) features into (N, K) logits, in training with (N, F) guesses behind them."""
        pooled = self.head.pooled(features)
        logits = self.head.classify(pooled)
        return torch.cat([logits, self.guess(pooled)], 1) if self.training else logits

    def maps(self, features: Tensor) -> Tensor:
        """Answer for each place, as the head does."""
        return self.head.maps(features)


class Pupil(Network):
    """A network while it is taught; body and head are those of the network, which so learns in place."""

    def __init__(self, network: Network, axes: int) -> None:
        super().__init__()
        self.body, self.head = network.body, TaughtHead(pooling_head(network), axes)
        self.fixed_size = network.fixed_size


def pooling_head(network: Network) -> PoolingHead:
    """Return a network's head.

    Raises:
        UsageError: it is of another kind.
    """
    if not isinstance(network.head, PoolingHead):
        raise UsageError(
            f"only networks with a pooling head can be taught features, found {type(network.head).__name__}; "
            "give a taper, a sheet network or a ResNet"
        )
    return network.head


def taught_loss(labels: Tensor, lesson: Lesson | None, own: Loss, teaching: Teaching | None = None) -> Loss:
    """Return the loss of a pupil's outputs (B, K + F).

    Its targets are the places (B,) of the photos among those of training or, where a teacher answers too, (B, 1 + K)
    with its logits behind them.

    Args:
        labels: (M,) class numbers of the training photos.
        lesson: what is taught of them; None where no features are, and F is 0.
        own: of logits and labels.
        teaching: how much the pupil listens to the logits; None where there are none.
    """
    axes = 0 if lesson is None else lesson.targets.shape[1]

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        places = (targets if teaching is None else targets[:, 0]).long().cpu()
        logits = outputs[:, : outputs.shape[1] - axes]
        total = own(logits, labels[places].to(outputs.device))
        if teaching is not None:
            missed = divergence(logits, targets[:, 1:], teaching.temperature)
            total = (1 - teaching.weight) * total + teaching.weight * missed
        if lesson is not None:
            wanted = torch.from_numpy(lesson.targets)[places].to(outputs)
            total = total + lesson.weight * F.mse_loss(outputs[:, -axes:], wanted)
        return total

    return loss


@dataclass(frozen=True)
class Answering:
    """A teacher that answers to the view that its pupil learns from.

    Attributes:
        teacher: from photos in its geometry to (N, K) logits; stays as it is.
        prepared: the pupil's photos in that geometry.
        teaching: how much the pupil listens.
    """

    teacher: nn.Module
    prepared: Prepared
    teaching: Teaching


def learn_taught(
    network: Network,
    prepared: Prepared,
    recipe: Recipe,
    lesson: Lesson | None,
    fabric: Fabric,
    checkpoint: Path,
    report: Callable[[Step], None] | None = None,
    answering: Answering | None = None,
) -> Progress:
    """Train a network on the photos of train, taught by a lesson, by a teacher's answers, or by both.

    Otherwise as `gonogo.train.train.learn`.

    Raises:
        UsageError: the recipe mixes photos, of which the teacher saw none, or the network has another kind of head.
        BarNotMetError: the loss left the numbers.
    """
    check_unmixed(recipe)
    rows, held = prepared.rows("train"), prepared.rows("val")
    if lesson is not None and len(lesson.targets) != len(rows):
        raise UsageError(f"found a lesson of {len(lesson.targets)} photos, expected the {len(rows)} training photos")
    labels = prepared.manifest.labels
    if answering is None:
        train = _loader(prepared, rows, fabric, np.arange(len(rows)))
    else:
        answering.teacher.to(fabric.device).eval().requires_grad_(False)
        train = SharedViews(prepared, answering.prepared, answering.teacher, fabric.device)
    # Features that are computed draw numbers, those from the cache do not; the pupil is to be the same.
    torch.manual_seed(recipe.seed)
    pupil = network if lesson is None else Pupil(network, lesson.targets.shape[1])
    trainer = Trainer(pupil, recipe, train, _loader(prepared, held, fabric), fabric, checkpoint, report)
    counts = train.class_counts(len(prepared.task.classes), recipe)
    own = REMEDIES.get(recipe.imbalance).loss(counts, recipe)
    teaching = None if answering is None else answering.teaching
    trainer.loss = taught_loss(torch.from_numpy(labels[rows]), lesson, own, teaching)
    return trainer.fit()


def check_unmixed(recipe: Recipe) -> None:
    """Refuse a recipe that mixes photos.

    Raises:
        UsageError: it does.
    """
    if wants_mixing(recipe):
        raise UsageError(
            f"a teacher saw whole photos, found mixup_alpha={recipe.mixup_alpha:g} and cutmix_alpha="
            f"{recipe.cutmix_alpha:g}; leave them out"
        )


def _loader(prepared: Prepared, rows: Int64Array, fabric: Fabric, told: Int64Array | None = None) -> Loader:
    labels, parts = prepared.manifest.labels[rows], prepared.parts[rows]
    return Loader(prepared.pixels, rows, labels, prepared.geometry, fabric.device, parts, told)
