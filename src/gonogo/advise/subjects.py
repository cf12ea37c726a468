"""The photos that the advice is measured on: few enough to be quick, every part and every class heard."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gonogo.data.cache import reduced_pixels
from gonogo.evaluate.held_out import HeldOut, groups_of
from gonogo.train.loader import statistics
from gonogo.train.prepare import Prepared
from gonogo.types import Int64Array, UInt8Array


@dataclass(frozen=True)
class Subjects:
    """Photos with their folds.

    Attributes:
        prepared: they alone.
        folds: (R, N) the fold of each in each round; whole parts, all rounds shared out differently.
    """

    prepared: Prepared
    folds: Int64Array

    @property
    def labels(self) -> Int64Array:
        """(N,) class numbers."""
        return self.prepared.manifest.labels

    @property
    def groups(self) -> tuple[str, ...] | None:
        """(N,) the part of each photo; None where nobody named them."""
        return self.prepared.manifest.groups if self.prepared.manifest.has_groups else None

    @property
    def levels(self) -> Tensor:
        """(N, C, h, w) float32 grey levels."""
        return as_levels(self.prepared.pixels)

    def held_out(self, folds: Int64Array) -> HeldOut:
        """Return what figures of held-out photos need, for (R, N) folds; photos with fold -1 are left out."""
        there = np.asarray((folds >= 0).all(axis=0), dtype=np.bool_)
        known = groups_of(self.groups, there)
        groups = None if known is None else tuple(known)
        return HeldOut(self.prepared.task, self.labels[there], groups, folds[:, there])

    def reduced(self, factor: int) -> Subjects:
        """Return the same photos, reduced by another whole number."""
        geometry = replace(self.prepared.geometry, reduce=factor)
        pixels = reduced_pixels(self.prepared.manifest, geometry)
        geometry = statistics(pixels, np.arange(len(pixels)), geometry)
        return Subjects(replace(self.prepared, geometry=geometry, pixels=pixels), self.folds)


def as_levels(pixels: UInt8Array) -> Tensor:
    """Return (N, h, w, C) uint8 as (N, C, h, w) float32 grey levels."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float().contiguous()


def as_pixels(levels: Tensor) -> UInt8Array:
    """Return (N, C, h, w) grey levels as (N, h, w, C) uint8, as a camera would have stored them."""
    pixels: UInt8Array = levels.round().clamp(0, 255).permute(0, 2, 3, 1).byte().contiguous().numpy()
    return pixels


def choose(prepared: Prepared, folds: Int64Array, most: int, seed: int) -> Subjects:
    """Choose photos, as many of each class, and of a class as evenly from its parts as they allow.

    Args:
        prepared: all photos.
        folds: (R, N) theirs.
        most: photos to choose.
        seed: which of a part's photos.
    """
    manifest = prepared.manifest
    rng = np.random.default_rng(seed)
    share = -(-most // len(manifest.classes))
    chosen: list[int] = []
    for number in range(len(manifest.classes)):
        of: dict[str, list[int]] = {}
        for place in rng.permutation(np.flatnonzero(manifest.labels == number)).tolist():
            of.setdefault(manifest.groups[place], []).append(place)
        # A part's first photo, then every part's second one, until there are enough.
        turns = [(turn, name, place) for name, places in of.items() for turn, place in enumerate(places)]
        chosen += [place for _, _, place in sorted(turns)[:share]]
    rows = np.sort(np.array(chosen, dtype=np.int64))
    kept = np.zeros(len(manifest), dtype=bool)
    kept[rows] = True
    few = replace(prepared, manifest=manifest.keep(kept.tolist()), pixels=np.array(prepared.pixels[rows]))
    few = replace(few, geometry=statistics(few.pixels, np.arange(len(rows)), few.geometry))
    return Subjects(few, folds[:, rows])
