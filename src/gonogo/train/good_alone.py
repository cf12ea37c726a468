"""A first gauge for a line that has made no defect yet: the distance from good parts alone decides."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from gonogo.errors import DataError, UsageError
from gonogo.evaluate.intervals import share
from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import ModelSpec, Network
from gonogo.models.layers.distance_head import DistanceHead
from gonogo.models.novelty import Novelty, Spread
from gonogo.train.automatic import AUTO
from gonogo.train.checkpoint import Progress
from gonogo.train.novelty import (
    HELD_BACK,
    SPLITS_USED,
    distance,
    held_out_distances,
    spread_of,
    watched_features,
)
from gonogo.train.prepare import Prepared
from gonogo.types import Float64Array, Int64Array, Rate

WAY_OUT = "--arch stump --weights FILE makes a first gauge of good parts alone"
WORTH_LABELLING = 5


def check_request(arch: str, options: Mapping[str, Any], recipe: Mapping[str, Any], data: str, good: str) -> None:
    """Refuse what cannot be learnt from good parts alone.

    Args:
        arch: a name from the registry.
        options: changes to the architecture's options.
        recipe: changes to the recipe.
        data: how messages call the photos.
        good: the good class.

    Raises:
        UsageError: the architecture learns from nothing else, or an option needs defects to choose or learn by.
    """
    if "axes" not in vars(ARCHITECTURES.get(arch).defaults):
        raise UsageError(
            f"{data}: only one class, '{good}', to learn from, and architecture '{arch}' needs photos of defects too; "
            f"add some, or {WAY_OUT}"
        )
    for name, text in (("cut", "--cut auto"), ("unfrozen", "--unfreeze"), ("imbalance", "--imbalance")):
        value = {**recipe, **options}.get(name)
        if value == AUTO or (name != "cut" and str(value or 0) not in ("0", "none")):
            raise UsageError(f"{text} learns from defects, and {data} has none, only '{good}'; leave it out")


@dataclass(frozen=True)
class GoodParts:
    """What a network sees in photos of good parts.

    Attributes:
        values: (N, F) pooled features of the training photos, then of the validation photos.
        parts: (N,) the number of each photo's part.
        groups: (N,) its name.
        paths: (N,) of the photos.
        trained: how many of the photos are training photos.
    """

    values: Float64Array
    parts: Int64Array
    groups: list[str]
    paths: list[str]
    trained: int

    @classmethod
    def of(cls, network: Network, prepared: Prepared, device: torch.device) -> GoodParts:
        """Look at them; the features are kept in the cache."""
        values, groups = watched_features(network, prepared, device)
        parts = np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64)
        paths = [sample.path for split in SPLITS_USED for sample in prepared.manifest.select(split).samples]
        return cls(values, parts, groups, paths, len(prepared.rows("train")))

    def spread(self, axes: int | None = None) -> Spread:
        """Return how the training photos are spread.

        Raises:
            DataError: the network sees no difference between them.
        """
        values = self.values[: self.trained]
        if not np.ptp(values, axis=0).any():
            raise DataError(
                f"the network sees no difference between the {self.trained} training photos; expected photos of "
                "different parts, as the camera takes them"
            )
        return spread_of(values, self.parts[: self.trained], axes)


def with_axes(spec: ModelSpec, network: Network, prepared: Prepared) -> ModelSpec:
    """Return the network whose head is a distance, with as many directions as the training photos need.

    Args:
        spec: of the network with a linear head.
        network: built from it, with its pretrained weights.
        prepared: the photos.
    """
    spread = GoodParts.of(network, prepared, torch.device("cpu")).spread()
    return replace(spec, options={**spec.options, "axes": len(spread.variances)})


@dataclass(frozen=True)
class FittedDistance:
    """What a distance from good parts rests on.

    Attributes:
        photos: of how many training photos it knows the spread.
        parts: how many parts they show.
        axes: directions with a variance of their own.
        held_back: share of the training photos beyond the limit, each measured without its own part.
        to_label: path and distance of the most unusual training and validation photos, one of each part; 1 is the
            limit.
    """

    photos: int
    parts: int
    axes: int
    held_back: Rate
    to_label: tuple[tuple[str, float], ...]

    def to_json(self) -> dict[str, Any]:
        """Return what ``metrics.json`` says of it."""
        rows = [{"path": path, "distance": distance} for path, distance in self.to_label]
        return {**vars(self), "held_back": vars(self.held_back), "to_label": rows}


def fit_distance(
    network: Network, prepared: Prepared, seed: int, device: torch.device
) -> tuple[Progress, FittedDistance]:
    """Fit the head on the training photos, whole parts of them held out in turn for the limit.

    Validation photos play no part, so that a promise can be made on them.

    Args:
        network: with its pretrained body; its head is given the distance.
        prepared: the photos.
        seed: of the folds.
        device: where the features are computed.

    Raises:
        DataError: the network sees no difference between the photos.
    """
    started = time.perf_counter()
    assert isinstance(network.head, DistanceHead)
    seen = GoodParts.of(network, prepared, device)
    spread, n = seen.spread(network.head.novelty.axes.shape[1]), seen.trained
    parts = np.unique(seen.parts[:n], return_inverse=True)[1].astype(np.int64)
    distances = np.concatenate([held_out_distances(seen.values[:n], parts, seed), distance(spread, seen.values[n:])])
    limit = float(np.quantile(distances[:n], 1 - HELD_BACK, method="higher"))
    network.head.novelty.load_state_dict(Novelty.of(spread, limit).state_dict())
    fitted = FittedDistance(
        n,
        int(parts.max()) + 1,
        len(spread.variances),
        share(distances[:n] > limit, seen.groups[:n] if prepared.manifest.has_groups else None),
        _most_unusual(seen, distances / limit),
    )
    images_per_second = n / (time.perf_counter() - started)
    return Progress(history=[{"axes": fitted.axes, "limit": limit, "images_per_second": images_per_second}]), fitted


def _most_unusual(seen: GoodParts, distances: Float64Array) -> tuple[tuple[str, float], ...]:
    """Return the photos that say most when somebody looks at them, the most unusual one first, one of each part."""
    found: dict[int, tuple[str, float]] = {}
    for place in np.argsort(-distances, kind="stable").tolist():
        found.setdefault(int(seen.parts[place]), (seen.paths[place], float(distances[place])))
        if len(found) == WORTH_LABELLING:
            break
    return tuple(found.values())
