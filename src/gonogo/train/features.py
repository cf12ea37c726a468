"""What a pretrained body sees in each photo, computed once: pooled features, and how much places of a photo differ."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gonogo.data.scan import cache_folder
from gonogo.errors import RunError
from gonogo.files import remove_leftovers
from gonogo.models.layers.statistics_head import StatisticsHead
from gonogo.train.checkpoint import load_tensors, save_tensors
from gonogo.train.loader import Loader
from gonogo.train.prepare import Prepared
from gonogo.types import Float32Array, Float64Array, Int64Array

Array = NDArray[Any]

# Photos a step: from twice as many pixels on, the system takes as long to hand out fresh memory for each layer's output
# as the layer takes to compute it.
BATCH_PIXELS = 200_000
MOST_BATCH = 64
# Raised when features change their meaning.
FEATURES_VERSION = 1


def batch_size(size: tuple[int, int]) -> int:
    """Return how many photos of this height and width are asked at once where nothing is learnt."""
    return max(1, min(MOST_BATCH, BATCH_PIXELS // (size[0] * size[1])))


@dataclass(frozen=True)
class Features:
    """Pooled features of N photos with C channels and S statistics.

    Attributes:
        pooled: (N, S * C) float32, as `StatisticsHead.pool` gives them.
        places: (P, C, C) the covariance of the channels over the places of a photo, averaged over each part's photos.
        parts: (N,) which of the P parts each photo shows.
        statistics: the S names.
    """

    pooled: Float32Array
    places: Float64Array
    parts: Int64Array
    statistics: tuple[str, ...]

    def only(self, statistics: Sequence[str]) -> Features:
        """Return some of the statistics, in the order given."""
        n, channels = len(self.pooled), self.places.shape[-1]
        blocks = self.pooled.reshape(n, len(self.statistics), channels)
        chosen = [self.statistics.index(name) for name in statistics]
        return replace(self, pooled=blocks[:, chosen].reshape(n, -1), statistics=tuple(statistics))

    def within(self, rows: Int64Array) -> Float64Array:
        """Return (S * C, S * C): how features would vary if the parts of these photos looked like one place of them.

        A place stands in for the average and the maximum, as in the head's maps; it has no deviation.

        Args:
            rows: (M,) of the N photos; only their parts count, so that parts held out stay unseen.
        """
        places = self.places[np.unique(self.parts[rows])].mean(axis=0)
        n = len(places)
        noise = np.zeros((len(self.statistics) * n,) * 2)
        for index, name in enumerate(self.statistics):
            if name != "std":
                noise[index * n : (index + 1) * n, index * n : (index + 1) * n] = places
        return noise


def extract(
    layers: Sequence[nn.Module], cuts: Sequence[int], statistics: Sequence[str], loader: Loader, groups: Sequence[str]
) -> dict[int, Features]:
    """Pool the features after several layers of one body, in one pass over the photos.

    Args:
        layers: of the body, in evaluation mode, in their order.
        cuts: the layers after which features are pooled.
        statistics: names from `STATISTICS`.
        loader: the N photos.
        groups: (N,) the part that each shows; each costs C * C numbers, so of wide layers name but a few.

    Returns:
        Features by cut.
    """
    names, parts = np.unique(np.asarray(groups), return_inverse=True)
    parts = parts.astype(np.int64)
    head = StatisticsHead(1, 2, statistics)  # for its pooling
    pooled: dict[int, list[Tensor]] = {cut: [] for cut in cuts}
    places: dict[int, Tensor] = {}
    done = 0
    with torch.no_grad():
        for inputs, _ in loader.batches(batch_size(loader.pixels.shape[1:3])):
            part = torch.from_numpy(parts[done : done + len(inputs)])
            done += len(inputs)
            values = inputs
            for index, layer in enumerate(layers[: max(cuts) + 1]):
                values = layer(values)
                if index in pooled:
                    pooled[index].append(head.pool(values).float().cpu())
                    spread = _spread_of_places(values)
                    if index not in places:
                        places[index] = torch.zeros(len(names), *spread.shape[1:], dtype=torch.float64)
                    places[index].index_add_(0, part, spread.double().cpu())
    photos = np.bincount(parts)[:, None, None]
    return {
        cut: Features(torch.cat(pooled[cut]).numpy(), places[cut].numpy() / photos, parts, tuple(statistics))
        for cut in cuts
    }


def _spread_of_places(features: Tensor) -> Tensor:
    """Return (N, C, C), the covariance over the places of (N, C, h, w) features."""
    flat = features.float().flatten(2)
    flat = flat - flat.mean(2, keepdim=True)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def about_features(body: nn.Module, prepared: Prepared, rows: Int64Array, device: torch.device) -> list[str]:
    """Return, in words, all that the features of these photos depend on: layers, weights, pixels, their order."""
    digest = hashlib.sha256(repr(body).encode())
    for name, tensor in body.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    geometry = prepared.geometry
    photos = [prepared.manifest.samples[row].sha256 for row in rows]
    return [digest.hexdigest(), device.type, geometry.pixels_key, repr((geometry.mean, geometry.std)), *photos]


def recall_or_make(about: Iterable[str], make: Callable[[], dict[str, Array]]) -> dict[str, Array]:
    """Return arrays from the cache, or make them and remember them there.

    Args:
        about: everything they depend on, in words.
        make: computes them, by name.
    """
    digest = hashlib.sha256(f"{FEATURES_VERSION} {torch.__version__}".encode())
    for word in about:
        digest.update(f"{len(word)} {word}".encode())
    path = cache_folder() / "features" / f"{digest.hexdigest()[:32]}.safetensors"
    try:
        # Copied, because memory that is aligned otherwise is summed in another order, to other last bits.
        return {name: tensor.clone().numpy() for name, tensor in load_tensors(path)[0].items()}
    except RunError:  # there is none, or a disk fault cut it
        made = make()
        remove_leftovers(path.parent)
        save_tensors(path, {name: torch.from_numpy(array) for name, array in made.items()})
        return made
