"""Batches from the memory-mapped cache; augmented as a whole."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from gonogo.data.geometry import Geometry
from gonogo.train.augment import augment
from gonogo.train.progressive import epoch_size, resize
from gonogo.train.recipe import Recipe
from gonogo.train.samplers import draw, units_of
from gonogo.types import Int64Array, UInt8Array


def statistics(pixels: UInt8Array, rows: Int64Array, geometry: Geometry) -> Geometry:
    """Return the geometry with the mean and std of these photos, in grey levels, of each network channel.

    Args:
        pixels: (N, h, w, stored_channels) uint8.
        rows: (M,) which of them: the training photos.
        geometry: its mean and std are replaced.
    """
    counts = np.zeros((pixels.shape[-1], 256), dtype=np.int64)
    for row in rows:
        for channel in range(pixels.shape[-1]):
            counts[channel] += np.bincount(pixels[row, ..., channel].ravel(), minlength=256)
    levels = np.arange(256)
    mean = counts @ levels / counts.sum(1)
    std = np.sqrt(np.maximum(counts @ levels**2 / counts.sum(1) - mean**2, 1.0))
    repeat = geometry.network_channels // len(mean)
    return geometry.with_statistics(
        tuple(round(float(v), 4) for v in mean) * repeat, tuple(round(float(v), 4) for v in std) * repeat
    )


class Loader:
    """Batches of normalised photos with their labels.

    Args:
        pixels: (N, h, w, stored_channels) uint8, as the cache holds them.
        rows: (M,) which of them.
        labels: (M,) class numbers.
        geometry: for mean and std.
        device: where the batches go.
        parts: (M,) part numbers; every photo is a part of its own unless given.
        told: (M,) what `train_batches` yields of each photo; its label unless given.
    """

    def __init__(
        self,
        pixels: UInt8Array,
        rows: Int64Array,
        labels: Int64Array,
        geometry: Geometry,
        device: torch.device,
        parts: Int64Array | None = None,
        told: Int64Array | None = None,
    ) -> None:
        self.pixels, self.rows = pixels, rows
        self.labels = torch.from_numpy(labels)
        self.parts = torch.from_numpy(np.arange(len(rows)) if parts is None else parts)
        self.told = self.labels if told is None else torch.from_numpy(told)
        self.mean = torch.tensor(geometry.mean, device=device).view(1, -1, 1, 1)
        self.std = torch.tensor(geometry.std, device=device).view(1, -1, 1, 1)
        self.device = device

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def size(self) -> tuple[int, int]:
        """Return the height and width of the photos."""
        height, width = self.pixels.shape[1:3]
        return height, width

    def photos_per_epoch(self, recipe: Recipe) -> int:
        """Return how many photos `train_batches` yields in each epoch."""
        return len(draw(units_of(self.labels, self.parts, recipe), recipe, torch.Generator()))

    def class_counts(self, num_classes: int, recipe: Recipe) -> Tensor:
        """Return (K,) float32, the photos of each class, or its parts where the recipe draws these."""
        units = units_of(self.labels, self.parts, recipe)
        return torch.bincount(units.labels, minlength=num_classes).float()

    def _levels(self, chosen: Int64Array) -> Tensor:
        photos = torch.from_numpy(self.pixels[self.rows[chosen]]).to(self.device)
        n, height, width, channels = photos.shape
        if channels == 1:
            return photos.view(n, 1, height, width).float()
        return photos.permute(0, 3, 1, 2).float().contiguous()

    def _normalise(self, levels: Tensor) -> Tensor:
        return levels.sub(self.mean).div_(self.std).contiguous(memory_format=torch.channels_last)

    def train_batches(self, recipe: Recipe, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the photos that the recipe draws, shuffled and augmented; the same epoch of the same seed always alike.

        Yields:
            (B, C, h, w) float32 normalised photos, of the epoch's size, and (B,) int64 of what is told of them.
        """
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + epoch)
        order = draw(units_of(self.labels, self.parts, recipe), recipe, generator)
        size = epoch_size(self.size, recipe, epoch)
        for chosen in torch.split(order, recipe.batch_size):
            yield self.train_batch(chosen, recipe, generator, size)

    def train_batch(
        self, chosen: Tensor, recipe: Recipe, generator: torch.Generator, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Augment the photos of one batch, by (B,) their numbers; returns what `train_batches` yields."""
        # Reduced last, so that every limit of the augmentation keeps its unit.
        levels = resize(augment(self._levels(chosen.numpy()), recipe, generator), size)
        return self._normalise(levels), self.told[chosen].to(self.device)

    def batches(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield every photo once, in order and as it is."""
        for start in range(0, len(self), batch_size):
            chosen = np.arange(start, min(start + batch_size, len(self)))
            yield self._normalise(self._levels(chosen)), self.labels[chosen].to(self.device)
