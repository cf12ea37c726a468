"""Does a change cover variation that parts really show?

Two answers, both from the photos: what photos of one part differ by, where copies or names tell which they are; and
whether photos of parts never seen are as much like changed training photos as like plain ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gonogo.advise.changes import Change
from gonogo.advise.movements import Shown
from gonogo.advise.subjects import Subjects
from gonogo.evaluate.resample import Parts, draw_parts, percentiles
from gonogo.types import Float32Array, Float64Array

# Of the variance of the plain photos; directions beyond are noise, in which nothing is near.
COMPONENTS = 16
# The share of photos above which changed ones are more like new parts; what changes next to nothing stays near a half.
NEARER = 0.6


@dataclass(frozen=True)
class Covered:
    """What one change covers.

    Attributes:
        change: what was done.
        shown: what photos of one part show of it; None where nothing tells.
        share: of the photos of unseen parts, those whose nearest training photo of their class is a changed one, where
            each training photo stands beside its changed self: a half where changed ones are as much like new parts.
        low: lower end of its 95 % interval over parts.
        high: upper end.
    """

    change: Change
    shown: Shown | None
    share: float
    low: float
    high: float

    @property
    def is_nearer(self) -> bool:
        """True where changed training photos are clearly more like those of unseen parts than plain ones are."""
        return self.low > NEARER

    @property
    def is_shown(self) -> bool:
        """True where photos of one part really differ by it."""
        return self.shown is not None and self.shown.is_shown


def covers(
    subjects: Subjects,
    plain: Float32Array,
    looks: Mapping[str, Float32Array],
    changes: tuple[Change, ...],
    shown: Mapping[str, Shown],
    seed: int,
) -> tuple[Covered, ...]:
    """Measure for each change how like the photos of unseen parts the changed ones are.

    Args:
        subjects: the N photos.
        plain: (D, N, F) what they look like.
        looks: label of a change to the same of the changed photos.
        changes: those to measure.
        shown: key of the recipe to what photos of one part show.
        seed: of the bootstrap.
    """
    nearest = _Nearest(subjects, plain[0])
    parts = Parts.of(subjects.groups, len(subjects.labels))
    counts = np.concatenate(list(draw_parts(parts.strata(subjects.labels), len(subjects.labels), seed=seed)))
    weights = counts[:, parts.codes]
    found = []
    for own in changes:
        wins = nearest.changed_wins(looks[own.label])
        value = float(wins.mean())
        ends = percentiles(weights @ wins / weights.sum(1), value)
        found.append(Covered(own, shown.get(own.key), value, *ends))
    return tuple(found)


class _Nearest:
    """Photos of each class and fold, and how far the nearest plain training photo lies.

    Args:
        subjects: the photos.
        plain: (N, F) what they look like.
    """

    def __init__(self, subjects: Subjects, plain: Float32Array) -> None:
        fold, labels = subjects.folds[0], subjects.labels
        self._photos, self._cells = len(plain), []
        for number in np.unique(fold):
            axes = _Axes.of(plain[fold != number])
            for label in np.unique(labels[fold == number]):
                own, others = (np.flatnonzero((labels == label) & side) for side in (fold == number, fold != number))
                here = axes(plain[own])
                self._cells.append((own, others, axes, here, _nearest(here, axes(plain[others]))))

    def changed_wins(self, looks: Float32Array) -> Float64Array:
        """Return (N,) in how many of the draws a changed training photo is nearer; (D, N, F) are changed."""
        wins = np.zeros(self._photos)
        for own, others, axes, here, plainly in self._cells:
            wins[own] = np.mean([_nearest(here, axes(draw[others])) < plainly for draw in looks], axis=0)
        return wins


@dataclass(frozen=True)
class _Axes:
    """The directions in which plain photos differ most, each weighed by how far they differ there."""

    mean: Float64Array
    scale: Float64Array
    directions: Float64Array

    @classmethod
    def of(cls, looks: Float32Array) -> _Axes:
        values = looks.astype(np.float64)
        mean, scale = values.mean(0), np.maximum(values.std(0), 1e-6)
        _, _, rows = np.linalg.svd((values - mean) / scale, full_matrices=False)
        return cls(mean, scale, rows[:COMPONENTS].T)

    def __call__(self, looks: Float32Array) -> Float64Array:
        return np.asarray(((looks - self.mean) / self.scale) @ self.directions)


def _nearest(here: Float64Array, there: Float64Array) -> Float64Array:
    """Return (M,) the distance of each of M points to the nearest of others."""
    square = (here**2).sum(1)[:, None] - 2 * here @ there.T + (there**2).sum(1)
    return np.asarray(np.sqrt(np.maximum(square, 0).min(1)))
