"""Fit the distance that sends photos unlike anything in training to review; its limit comes from parts held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gonogo.data.good_alone import LEAST_PARTS
from gonogo.evaluate.intervals import share
from gonogo.models.architecture import Network
from gonogo.models.novelty import Novelty, Spread, pool
from gonogo.train.features import Array, about_features, batch_size, recall_or_make
from gonogo.train.loader import Loader
from gonogo.train.prepare import Prepared
from gonogo.types import Float64Array, Int64Array, Rate

SPLITS_USED = ("train", "val")
EXPLAINED = 0.85  # of the variance, by directions with a variance of their own
LEFT_WEIGHS = 2.0  # what lies outside of them tells more
HELD_BACK = 0.01  # of the photos of parts held out may lie beyond the limit
FOLDS = 5
# A feature that hardly varies in training is not trusted without end, in units of its size.
STILL = 1e-3


@dataclass(frozen=True)
class Fitted:
    """The distance, and what it was fitted on.

    Attributes:
        novelty: the module.
        held_back: share of the photos of parts held out that lie beyond the limit.
        parts: how many parts it was fitted on.
        distances: (N,) of the training and validation photos, each measured without its own part; 1 at the limit.
    """

    novelty: Novelty
    held_back: Rate
    parts: int
    distances: Float64Array

    def to_json(self) -> dict[str, Any]:
        """Return what ``metrics.json`` says of it."""
        return {"held_back": vars(self.held_back), "parts": self.parts, "axes": self.novelty.axes.shape[1]}


def fit_novelty(network: Network, prepared: Prepared, seed: int, device: torch.device) -> Fitted | None:
    """Fit on the training and validation photos, whole parts held out in turn for the limit.

    Args:
        network: trained, in evaluation mode.
        prepared: the photos.
        seed: of the folds.
        device: where the features are computed.

    Returns:
        None where there are fewer than `LEAST_PARTS` parts, or where the network sees no difference between photos.
    """
    values, groups = watched_features(network, prepared, device)
    _, parts = np.unique(np.asarray(groups), return_inverse=True)
    count = int(parts.max()) + 1
    if count < LEAST_PARTS or not np.ptp(values, axis=0).any():
        return None
    distances = held_out_distances(values, parts, seed)
    limit = float(np.quantile(distances, 1 - HELD_BACK, method="higher"))
    novelty = Novelty.of(spread_of(values, parts), limit)
    named = groups if prepared.manifest.has_groups else None
    return Fitted(novelty, share(distances > limit, named), count, distances / limit)


def held_out_distances(values: Float64Array, parts: Int64Array, seed: int) -> Float64Array:
    """Return (N,) distances of features (N, F), each from a spread that was fitted without its part (N,) and others."""
    count = int(parts.max()) + 1
    fold = (np.random.default_rng(seed).permutation(count) % FOLDS)[parts]
    distances = np.zeros(len(values))
    for k in range(FOLDS):
        distances[fold == k] = distance(spread_of(values[fold != k], parts[fold != k]), values[fold == k])
    return distances


def watched_features(network: Network, prepared: Prepared, device: torch.device) -> tuple[Float64Array, list[str]]:
    """Return (N, F) pooled features of the training and validation photos, and their parts (N,)."""
    rows = np.concatenate([prepared.rows(split) for split in SPLITS_USED])
    labels, groups = prepared.manifest.labels, prepared.manifest.groups

    def make() -> dict[str, Array]:
        loader = Loader(prepared.pixels, rows, labels[rows], prepared.geometry, device)
        network.to(device).eval()
        with torch.no_grad():
            batches = [
                pool(network.watch(inputs)[0]).double().cpu()
                for inputs, _ in loader.batches(batch_size(prepared.geometry.input_size))
            ]
        return {"watched": torch.cat(batches).numpy()}

    about = about_features(network.body, prepared, rows, device)
    return recall_or_make([f"watched {network.watched}", *about], make)["watched"], [groups[row] for row in rows]


def spread_of(values: Float64Array, parts: Int64Array, axes: int | None = None) -> Spread:
    """Return how features (N, F) of parts (N,) are spread; a part counts as the square root of its photos.

    Args:
        values: the features.
        parts: the number of each photo's part.
        axes: how many directions get a variance of their own; as many as explain enough unless given.
    """
    _, place, sizes = np.unique(parts, return_inverse=True, return_counts=True)
    weights = 1 / np.sqrt(sizes[place])
    weights /= weights.sum()
    mean = weights @ values
    centred = values - mean
    std = np.maximum(np.sqrt(weights @ np.square(centred)), STILL * np.abs(mean) + 1e-9)
    scaled = centred / std * np.sqrt(weights)[:, None]
    variances, directions = _principal(scaled)
    total = variances.sum()
    k = axes or int(np.searchsorted(np.cumsum(variances), EXPLAINED * total)) + 1
    return Spread(
        mean, std, directions[:k], variances[:k], max(float(variances[k:].sum()), 1e-6 * float(total)) / LEFT_WEIGHS
    )


def _principal(scaled: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return the variances along the principal axes, the largest first, and the axes (k, F), of scaled rows (N, F)."""
    few = len(scaled) < scaled.shape[1]  # of fewer photos than features, the products of the photos say the same
    variances, vectors = np.linalg.eigh(scaled @ scaled.T if few else scaled.T @ scaled)
    variances, vectors = variances[::-1].clip(min=0), vectors[:, ::-1]
    if not few:
        return variances, vectors.T
    known = variances > variances[0] * len(scaled) * np.finfo(np.float64).eps
    return variances[known], (scaled.T @ vectors[:, known] / np.sqrt(variances[known])).T


def distance(spread: Spread, values: Float64Array) -> Float64Array:
    """Return (N,) distances of features (N, F), before any limit; see `Novelty.of`."""
    scaled = (values - spread.mean) / spread.std
    along = np.square(scaled @ spread.axes.T)
    left = np.square(scaled).sum(axis=1) - along.sum(axis=1)
    return np.asarray((along / spread.variances).mean(axis=1) + left / spread.rest)
