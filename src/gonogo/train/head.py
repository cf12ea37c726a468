"""A linear classifier on pooled features, fitted at once instead of step by step.

Features are whitened by what varies without a defect - within a class from photo to photo, within a photo from place to
place - and classified by logistic regression there. With few parts this prior is what decides: on standardised
features alone the same regression makes twice the mistakes on steel, and its heat maps show the part, not the defect
(`docs/experiments.md`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression

from gonogo.types import BoolArray, Float32Array, Float64Array, Int64Array

# How much of each feature's own variance is added to the scatter within classes: the features outnumber the parts.
SHRINKAGE = 1.0
# How much of the variance from place to place is added. More makes clearer heat maps; from .1 on it costs quality.
PLACES = 0.02
# Inverse strengths of the regression's penalty, in units of whitened features and parts.
STRENGTHS = (0.01, 0.1, 1.0, 10.0)
DEFAULT_STRENGTH = 1.0
FOLDS = 4
MOST_STEPS = 1000
# In standardised units: a feature that hardly varies within the classes is not trusted without end.
FLOOR = 1e-3
# A deviation below this share of the mean is rounding.
STILL = 1e-6


@dataclass(frozen=True)
class LinearHead:
    """What takes features to logits: ``features @ weight.T + bias``.

    Attributes:
        weight: (K, F).
        bias: (K,).
    """

    weight: Float64Array
    bias: Float64Array

    def logits(self, features: Float32Array) -> Float64Array:
        """Return (N, K) for (N, F) features."""
        return np.asarray(features.astype(np.float64) @ self.weight.T + self.bias)


@dataclass(frozen=True)
class Tried:
    """A strength and how it did on parts that it was not fitted on.

    Attributes:
        strength: of `STRENGTHS`.
        log_loss: mean over the parts, classes weighing alike.
    """

    strength: float
    log_loss: float


def part_weights(labels: Int64Array, groups: Sequence[str]) -> Float64Array:
    """Weigh the photos so that classes weigh alike, and a part as the square root of its photos.

    Fifty turned copies of one part teach more than one photo, but not fifty times as much.

    Args:
        labels: (N,) class numbers.
        groups: (N,) the parts.

    Returns:
        (N,) weights whose sum is the number of parts.
    """
    _, part, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    weights: Float64Array = 1 / np.sqrt(sizes[part].astype(np.float64))
    present = np.unique(labels)
    for label in present:
        weights[labels == label] /= weights[labels == label].sum()
    return weights * len(sizes) / len(present)


def deal_folds(labels: Int64Array, groups: Sequence[str], seed: int, folds: int = FOLDS) -> Int64Array:
    """Deal whole parts into folds, class by class and large parts first, so that every fold gets of every class.

    Args:
        labels: (N,) class numbers; a part counts to the class of most of its photos.
        groups: (N,) the parts.
        seed: which of equally large parts go where.
        folds: at most; a class of fewer parts lowers it.

    Returns:
        (N,) fold numbers from 0; all 0 where a class has one part alone and nothing can be held out.
    """
    _, part = np.unique(np.asarray(groups), return_inverse=True)
    votes = np.zeros((part.max() + 1, labels.max() + 1), dtype=np.int64)
    np.add.at(votes, (part, labels), 1)
    of_class: dict[int, list[int]] = defaultdict(list)
    for number in np.random.default_rng(seed).permutation(len(votes)):
        of_class[int(votes[number].argmax())].append(int(number))
    folds = min(folds, *(len(parts) for parts in of_class.values()))
    fold = np.zeros(len(votes), dtype=np.int64)
    dealt = 0
    for label in sorted(of_class):
        for number in sorted(of_class[label], key=lambda number: -int(votes[number].sum())):
            fold[number] = dealt % folds
            dealt += 1
    return fold[part]


@dataclass(frozen=True)
class Examples:
    """What a head is fitted on.

    Attributes:
        features: (N, F).
        labels: (N,) class numbers, every class present.
        groups: (N,) the parts.
        places: (F, F) covariance of what the head should not answer to besides, in the features' units.
    """

    features: Float32Array
    labels: Int64Array
    groups: tuple[str, ...]
    places: Float64Array

    def at(self, inside: BoolArray) -> Examples:
        """Return some of them, by a (N,) mask."""
        groups = tuple(group for group, kept in zip(self.groups, inside, strict=True) if kept)
        return replace(self, features=self.features[inside], labels=self.labels[inside], groups=groups)


def fit_head(examples: Examples, strength: float) -> LinearHead:
    """Fit the classifier; standardisation and whitening are folded into its weights.

    Args:
        examples: features with their labels.
        strength: inverse of the penalty.
    """
    labels = examples.labels
    weights = part_weights(labels, examples.groups)
    share = weights / weights.sum()
    values = examples.features.astype(np.float64)
    mean = share @ values
    values -= mean
    std = np.sqrt(share @ np.square(values))
    # A feature that never varies says nothing; dividing by its deviation would only blow up rounding errors.
    std[std <= STILL * (1 + np.abs(mean))] = np.inf
    values /= std
    # Any root of the inverse scatter whitens; the penalty does not see how they are turned against each other.
    scatter = _scatter(values, labels, weights) + PLACES * examples.places / np.outer(std, std)
    root = cholesky(scatter, lower=True)
    regression = LogisticRegression(C=strength, max_iter=MOST_STEPS)
    regression.fit(solve_triangular(root, values.T, lower=True).T, labels, sample_weight=weights)
    weight, bias = regression.coef_, regression.intercept_
    if len(weight) == 1:  # for two classes there is one row, the difference of both
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weight = solve_triangular(root, weight.T, lower=True, trans="T").T / std
    return LinearHead(weight, bias - weight @ mean)


def _scatter(values: Float64Array, labels: Int64Array, weights: Float64Array) -> Float64Array:
    """Return (F, F) how standardised features vary within the classes, shrunk towards their own variances."""
    scatter = np.zeros((values.shape[1], values.shape[1]))
    present = np.unique(labels)
    for label in present:
        own, share = values[labels == label], weights[labels == label]
        share = share / share.sum()
        away = own - share @ own
        scatter += (away * share[:, None]).T @ away / len(present)
    return np.asarray(scatter + np.diag(SHRINKAGE * np.diag(scatter) + FLOOR))


def out_of_fold(examples: Examples, fold: Int64Array, strength: float) -> Float64Array:
    """Return (N, K) logits of every photo from a head that was fitted without its fold."""
    logits = np.zeros((len(examples.labels), examples.labels.max() + 1))
    for number in np.unique(fold):
        inside = fold == number
        logits[inside] = fit_head(examples.at(~inside), strength).logits(examples.features[inside])
    return logits


def choose_strength(examples: Examples, seed: int) -> list[Tried]:
    """Try each strength on parts held out; the best is the one with the lowest loss.

    The log loss asks for honest probabilities, not only for the right order.

    Args:
        examples: features with their labels.
        seed: of the folds.

    Returns:
        What was tried; nothing where a class has one part alone, so that none can be held out.
    """
    labels = examples.labels
    fold = deal_folds(labels, examples.groups, seed)
    if not fold.any():
        return []
    weights = part_weights(labels, examples.groups)
    tried = []
    for strength in STRENGTHS:
        logits = out_of_fold(examples, fold, strength)
        losses = logsumexp(logits, axis=1) - logits[np.arange(len(labels)), labels]
        tried.append(Tried(strength, float(weights @ losses / weights.sum())))
    return tried


def best_strength(tried: Sequence[Tried]) -> float:
    """Return the strength with the lowest loss, the default where nothing could be tried."""
    return min(tried, key=lambda row: row.log_loss).strength if tried else DEFAULT_STRENGTH
