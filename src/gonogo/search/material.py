"""The photos of a search: seen by every network at its own reduction, parts shared out into the same folds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from gonogo.data.manifest import Manifest
from gonogo.data.split import linked_groups, share_out, with_splits
from gonogo.models import ARCHITECTURES
from gonogo.search.space import Proposal
from gonogo.splitting import Progress
from gonogo.train.folds import Course
from gonogo.train.prepare import DataOptions, Photos, Prepared, choose_geometry, reduce_photos
from gonogo.types import Int64Array


@dataclass
class Material:
    """Photos to search on.

    Attributes:
        photos: as read.
        manifest: those that may be trained on.
        options: what is said about the data.
        count: of folds.
        seed: of the folds.
        folder: of the answers.
    """

    photos: Photos
    manifest: Manifest
    options: DataOptions
    count: int
    seed: int
    folder: Path
    progress: Progress | None = None
    _seen: dict[tuple[int, str | None], Prepared] = field(default_factory=dict, init=False)
    _folds: Int64Array | None = field(default=None, init=False)

    @property
    def folds(self) -> Int64Array:
        """(1, N) the fold of each photo.

        Raises:
            DataError: a class has fewer parts than there are folds.
        """
        if self._folds is None:
            division = share_out(self._undivided, self.count, seed=self.seed)
            self._folds = np.array([division.folds], dtype=np.int64)
        return self._folds

    @cached_property
    def fewest_parts(self) -> int:
        """How many parts the rarest class has."""
        return min(parts_of_classes(self.manifest).values())

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """(N,) the parts; photos of which nothing tells the part are one each."""
        return tuple(str(part) for part in self._any.parts)

    @property
    def _undivided(self) -> Manifest:
        return with_splits(self.manifest, ["train"] * len(self.manifest))

    @property
    def _any(self) -> Prepared:
        return next(iter(self._seen.values()))

    def seen_by(self, proposal: Proposal) -> Prepared:
        """Return the photos as a network sees them."""
        colour = ARCHITECTURES.get(proposal.candidate.arch).colour
        key = (proposal.reduce, colour)
        if key not in self._seen:
            options = self.options if self.options.fixes_size else replace(self.options, reduce=proposal.reduce)
            geometry = choose_geometry(self.photos.scanned, options, colour)
            self._seen[key] = reduce_photos(replace(self.photos, geometry=geometry), self._undivided, self.progress)
        return self._seen[key]

    def course(self, proposal: Proposal) -> Course:
        """Return the folds to train a network on."""
        return Course(self.seen_by(proposal), self.folds, self.folder)


def parts_of_classes(manifest: Manifest) -> dict[str, int]:
    """Return how many different parts there are of each class."""
    numbers = linked_groups(manifest)
    shown = {(s.label, number) for s, number in zip(manifest.samples, numbers, strict=True)}
    return {name: sum(label == name for label, _ in shown) for name in manifest.classes}
