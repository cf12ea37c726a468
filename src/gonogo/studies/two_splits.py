"""One data set divided twice: as it was published, and with whole parts kept on one side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from gonogo.data.geometry import Colour, Geometry
from gonogo.data.split import share_out, with_splits
from gonogo.evaluate.decision import Decision
from gonogo.evaluate.held_out import HeldOut
from gonogo.evaluate.metrics import Evaluation, evaluate
from gonogo.splitting import Progress
from gonogo.train.prepare import DataOptions, Photos, Prepared, choose_geometry, reduce_photos
from gonogo.types import BoolArray, Float32Array, Int64Array

HONEST, PUBLISHED = 0, 1  # the rounds of `TwoSplits.folds`
TESTED, LEARNT = 0, 1  # the folds of the published round, of which only the first is held out


@dataclass(frozen=True)
class TwoSplits:
    """Photos with both divisions.

    Attributes:
        photos: as read.
        options: what is said about the data.
        folds: (2, N): the fold of each photo where whole parts are kept together; and 0 for what was published as the
            test set, 1 for the rest.
        count: how many folds the first has.
        is_own: the data came with the published split; else it was drawn photo by photo, as the study drew it.
        leaked: (N,) the photos of the published test set whose part is also among the others.
    """

    photos: Photos
    options: DataOptions
    folds: Int64Array
    count: int
    is_own: bool
    leaked: BoolArray

    @classmethod
    def of(cls, photos: Photos, options: DataOptions, folds: int, *, test: float, seed: int = 0) -> TwoSplits:
        """Divide photos twice.

        Args:
            photos: as read.
            options: what is said about the data.
            folds: of whole parts.
            test: share of each class in the published test set, where the data name none.
            seed: of both divisions.

        Raises:
            DataError: a class has fewer parts than there are folds.
        """
        manifest = photos.linked
        honest = np.array(share_out(_undivided(photos), folds, seed=seed).folds, dtype=np.int64)
        named = np.array([sample.split == "test" for sample in manifest.samples])
        tested = named if named.any() else _drawn(manifest.labels, test, seed)
        groups = np.array(manifest.groups)
        leaked = tested & np.isin(groups, groups[~tested])
        rounds = np.stack([honest, np.where(tested, TESTED, LEARNT)])
        return cls(photos, options, rounds, folds, bool(named.any()), leaked)

    @property
    def tested(self) -> BoolArray:
        """(N,) the published test set."""
        return np.asarray(self.folds[PUBLISHED] == TESTED)

    @property
    def groups(self) -> tuple[str, ...] | None:
        """(N,) the part of each photo; None where nobody and nothing tells parts."""
        return self.photos.linked.groups if self.photos.linked.has_groups else None

    def geometry(self, sees: Mapping[str, Any], colour: Colour | None) -> Geometry:
        """Return the way from the camera to a network; arguments as for `seen_as`."""
        return choose_geometry(self.photos.scanned, replace(self.options, **sees), colour)

    def seen_as(self, sees: Mapping[str, Any], colour: Colour | None, progress: Progress | None) -> Prepared:
        """Return the photos as a network sees them.

        Args:
            sees: changes to the options: its reduction or size.
            colour: what the network was made for.
            progress: called while they are reduced.
        """
        geometry = self.geometry(sees, colour)
        return reduce_photos(replace(self.photos, geometry=geometry), _undivided(self.photos), progress)

    def measure_published(self, answers: Float32Array) -> Evaluation:
        """Return figures on the published test set; (M, K) answers to its photos."""
        groups = self.groups
        kept = None if groups is None else [groups[i] for i in np.flatnonzero(self.tested)]
        return evaluate(self._decision, self.photos.linked.labels[self.tested], answers, kept)

    def measure_honest(self, answers: Float32Array) -> Evaluation:
        """Return figures on all photos, each answered by a network that never saw its part; (N, K) answers."""
        return evaluate(self._decision, self.photos.linked.labels, answers, self.groups)

    @property
    def held_out(self) -> HeldOut:
        """All photos with the folds of whole parts."""
        return HeldOut(self.photos.task, self.photos.linked.labels, self.groups, self.folds[HONEST : HONEST + 1])

    @property
    def _decision(self) -> Decision:
        """The likelier class, as the studies have it."""
        return Decision(self.photos.task, None if self.photos.task.is_sorting else 0.5, "the likelier class")


def _undivided(photos: Photos) -> Any:
    return with_splits(photos.linked, ["train"] * len(photos.linked))


def _drawn(labels: Int64Array, share: float, seed: int) -> BoolArray:
    """Draw a test set photo by photo within each class."""
    places = np.arange(len(labels))
    _, test = train_test_split(places, test_size=share, stratify=labels, random_state=seed)
    return np.isin(places, test)
