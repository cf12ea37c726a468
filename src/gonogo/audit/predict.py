"""What a simple classifier says of photos whose parts it has not seen: discriminant analysis, folds over parts."""

from __future__ import annotations

import numpy as np

from gonogo.audit.inspection import Inspection
from gonogo.types import BoolArray, Float32Array, Float64Array, Int64Array

FOLDS = 5
TURNS = 3
SHRINKAGE = 0.15


def out_of_fold(seen: Inspection, keep: BoolArray | None = None) -> Float64Array:
    """Return (N, K) probabilities, each photo's from classifiers that saw no photo of its part.

    Args:
        seen: the photos.
        keep: (N,) bool, the photos to learn from; all unless given.

    Source: Fisher 1936 with the covariance shrunk towards its diagonal, as Friedman, JASA 84 (1989).
    """
    features = standardised(seen.looks.texture)
    labels, classes = seen.manifest.labels, len(seen.manifest.classes)
    weights = 1 / np.bincount(seen.parts)[seen.parts]
    if keep is not None:
        weights = np.where(keep, weights, 0.0)
    total = np.zeros((len(seen), classes))
    for turn in range(TURNS):
        fold = _folds(seen, turn)
        for k in range(FOLDS):
            test = fold == k
            if test.any() and not test.all():
                train = ~test
                total[test] += _fit_predict(features[train], labels[train], weights[train], features[test], classes)
    return np.asarray(total / np.maximum(total.sum(axis=1, keepdims=True), 1e-12))


def standardised(features: Float32Array) -> Float64Array:
    """Return features with mean 0 and deviation 1; those that do not vary become 0."""
    values = features.astype(np.float64)
    deviation = values.std(axis=0)
    return np.asarray(np.where(deviation > 1e-6, (values - values.mean(axis=0)) / np.maximum(deviation, 1e-6), 0.0))


def _folds(seen: Inspection, turn: int) -> Int64Array:
    """Return (N,) folds: whole parts, those of each class dealt out in turn."""
    rng = np.random.default_rng((seen.seed, turn))
    first = np.array([rows[0] for rows in seen.members])
    labels = seen.manifest.labels[first]
    order = np.lexsort((rng.random(len(first)), labels))
    fold = np.empty(len(first), dtype=np.int64)
    fold[order] = np.arange(len(first)) % FOLDS
    return np.asarray(fold[seen.parts])


def _fit_predict(
    features: Float64Array, labels: Int64Array, weights: Float64Array, asked: Float64Array, classes: int
) -> Float64Array:
    """Fit on weighted photos and return (M, K) probabilities; a class without photos gets none."""
    there = [k for k in range(classes) if weights[labels == k].sum() > 0]
    means = np.stack([np.average(features[labels == k], axis=0, weights=weights[labels == k]) for k in there])
    place = np.full(classes, -1)
    place[there] = np.arange(len(there))
    centred = (features - means[np.maximum(place[labels], 0)]) * np.sqrt(weights)[:, None]
    covariance = centred.T @ centred / weights.sum()
    diagonal = np.diag(np.diag(covariance) + 1e-3)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * diagonal
    directions = np.linalg.solve(shrunk, means.T)
    scores = asked @ directions - 0.5 * (means.T * directions).sum(axis=0)
    scores -= scores.max(axis=1, keepdims=True)
    probs = np.zeros((len(asked), classes))
    probs[:, there] = np.exp(scores)
    return np.asarray(probs / probs.sum(axis=1, keepdims=True))


def balanced_accuracy(seen: Inspection, answers: Int64Array, among: BoolArray | None = None) -> float:
    """Return the mean over classes of the share answered rightly, each part counting once.

    Args:
        seen: the photos.
        answers: (N,) class numbers.
        among: (N,) bool, the photos that count; all unless given.
    """
    weights = 1 / np.bincount(seen.parts)[seen.parts]
    labels = seen.manifest.labels
    counted = np.ones(len(labels), dtype=np.bool_) if among is None else among
    rows = [counted & (labels == k) for k in np.unique(labels[counted])]
    return float(np.mean([np.average(answers[own] == labels[own], weights=weights[own]) for own in rows]))
