"""One view for two: pupil and teacher see each photo turned and lit alike, each at its own size and in its colours.

A teacher that answered to the photo as it is would be asked about another picture than its pupil, and would tell it to
be as sure of a dark, turned photo as of a plain one (Beyer et al. 2022, "Knowledge distillation: A good teacher is
patient and consistent", arXiv 2106.05237).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from gonogo.data.geometry import Geometry
from gonogo.train.loader import Loader
from gonogo.train.prepare import Prepared
from gonogo.train.recipe import Recipe


class Reframed(nn.Module):
    """A teacher that takes what was normalised for its pupil: the same pixels by another mean and deviation.

    Args:
        teacher: from photos normalised its own way to (N, K) logits.
        own: its geometry.
        given: the pupil's, of the same pixels.
    """

    def __init__(self, teacher: nn.Module, own: Geometry, given: Geometry) -> None:
        super().__init__()
        self.teacher = teacher
        mean, std, to_mean, to_std = (
            torch.tensor(values).view(1, -1, 1, 1) for values in (given.mean, given.std, own.mean, own.std)
        )
        self.register_buffer("scale", std / to_std)
        self.register_buffer("shift", (mean - to_mean) / to_std)

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn the pupil's (N, C, h, w) into (N, K) logits."""
        logits: Tensor = self.teacher(inputs * self.get_buffer("scale") + self.get_buffer("shift"))
        return logits


class SharedViews(Loader):
    """Batches whose photos a teacher sees too; of each, `train_batches` tells its number and the teacher's logits.

    Pose and light of a photo are drawn once for both. Blur counts in each network's own pixels; what is covered and the
    noise of a pixel are the same only where both see the same pixels.

    Args:
        prepared: the pupil's photos, of which it learns from those of train.
        theirs: the same ones in the teacher's geometry.
        teacher: from photos in that geometry to (N, K) logits, on the device.
        device: where the batches go.
    """

    def __init__(self, prepared: Prepared, theirs: Prepared, teacher: nn.Module, device: torch.device) -> None:
        rows = prepared.rows("train")
        labels, parts = prepared.manifest.labels[rows], prepared.parts[rows]
        super().__init__(prepared.pixels, rows, labels, prepared.geometry, device, parts, np.arange(len(rows)))
        self.theirs = Loader(theirs.pixels, rows, labels, theirs.geometry, device)
        self.teacher = teacher

    def train_batch(
        self, chosen: Tensor, recipe: Recipe, generator: torch.Generator, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Augment a batch for both; return (B, C, h, w) photos, and (B, 1 + K) float32 numbers and logits."""
        again = torch.Generator()
        again.set_state(generator.get_state())
        photos, numbers = super().train_batch(chosen, recipe, generator, size)
        views, _ = self.theirs.train_batch(chosen, recipe, again, self.theirs.size)
        with torch.no_grad():
            logits = self.teacher(views).float()
        return photos, torch.cat([numbers[:, None].to(logits), logits], 1)
