"""Training a network that stands on weights learnt elsewhere: its features once, its head at once."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gonogo.errors import UsageError
from gonogo.files import sha256
from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import ModelSpec, Network
from gonogo.models.layers.statistics_head import StatisticsHead
from gonogo.models.pretrained import PretrainedNetwork
from gonogo.models.surgery import operate
from gonogo.models.weights import read_weights
from gonogo.train.checkpoint import Progress
from gonogo.train.features import Array, Features, about_features, extract, recall_or_make
from gonogo.train.head import Examples, LinearHead, best_strength, choose_strength, fit_head
from gonogo.train.loader import Loader
from gonogo.train.prepare import Prepared
from gonogo.types import Int64Array

WeightsSource = Path | Literal["hub"] | None


@dataclass(frozen=True)
class Weights:
    """Pretrained weights.

    Attributes:
        tensors: by name; empty for an architecture that learns from nothing.
        facts: what ``run.toml`` says of them: where they came from, and their hash.
    """

    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)


def read_pretrained(arch: str, weights: WeightsSource, options: Mapping[str, object]) -> Weights:
    """Read the weights that an architecture stands on or starts from; none for one that learns from nothing.

    Args:
        arch: a name from the registry.
        weights: a file, "hub" to fetch the published ones, or None.
        options: changes to the architecture's options.

    Raises:
        UsageError: weights are needed and none are given, or the other way round, or they demand other options.
        DataError: the file cannot be read.
    """
    architecture = ARCHITECTURES.get(arch)
    pretraining = architecture.pretraining
    if pretraining is None:
        if weights is not None:
            raise UsageError(f"architecture '{arch}' learns from nothing; leave --weights out")
        return Weights()
    if weights is None:
        if not pretraining.required:
            return Weights()
        raise UsageError(
            f"architecture '{arch}' stands on pretrained weights, and random ones would only pass for them; "
            f"give {pretraining.what}: --weights FILE"
        )
    asked = architecture.options(options)
    if weights == "hub":
        if pretraining.fetch is None:
            raise UsageError(f"no hub has weights of architecture '{arch}'; give a file: --weights FILE")
        tensors = {name: tensor.float() for name, tensor in pretraining.fetch(asked).items()}
        return Weights(tensors, {"source": "hub", "sha256": _digest(tensors)})
    tensors, digest = read_weights(weights), sha256(weights)
    for start, demanded in pretraining.known.items():
        for name, value in demanded.items():
            if digest.startswith(start) and getattr(asked, name) != value:
                raise UsageError(
                    f"{weights} was learnt with {name}={value}, found {getattr(asked, name)}; add --with {name}={value}"
                )
    return Weights(tensors, {"source": weights.name, "sha256": digest})


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        digest.update(json.dumps([name, list(tensor.shape)]).encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def with_levels(prepared: Prepared, spec: ModelSpec, tensors: Mapping[str, Tensor]) -> Prepared:
    """Give the geometry the mean and std that pretrained weights expect; unchanged where there are none."""
    architecture = ARCHITECTURES.get(spec.arch)
    if architecture.pretraining is None or not tensors:
        return prepared
    levels = architecture.pretraining.levels(architecture.options(spec.options))
    n = prepared.geometry.network_channels
    return replace(prepared, geometry=prepared.geometry.with_statistics(levels.mean[:n], levels.std[:n]))


def put_weights(network: Network, spec: ModelSpec, tensors: Mapping[str, Tensor]) -> None:
    """Put pretrained weights into a network; nothing to do where there are none.

    Raises:
        UsageError: they are of another network.
    """
    architecture = ARCHITECTURES.get(spec.arch)
    if architecture.pretraining is None or not tensors:
        return
    if not spec.surgery:
        architecture.pretraining.load(network, architecture.options(spec.options), tensors)
        return
    # Weights fit the network as it is published, and each surgery keeps those of the layers that it keeps.
    whole = replace(spec, surgery=()).build()
    architecture.pretraining.load(whole, architecture.options(spec.options), tensors)
    operate(whole, spec.surgery, spec.arch)
    network.load_state_dict(whole.state_dict())


def is_frozen(network: Network) -> bool:
    """Say whether the network stands on pretrained weights of which none is to change."""
    return isinstance(network, PretrainedNetwork) and not any(p.requires_grad for p in network.body.parameters())


def fit_network(network: Network, prepared: Prepared, seed: int, device: torch.device) -> Progress:
    """Fit the head on the training photos' features.

    Args:
        network: with its pretrained body; its head is replaced by the fitted one.
        prepared: the photos.
        seed: of the folds.
        device: where the features are computed.

    Returns:
        The history: no epochs, and a row for each strength of the head's penalty that was tried.
    """
    started = time.perf_counter()
    assert isinstance(network.head, StatisticsHead)
    examples = examples_of(network, prepared, "train", device)
    tried = choose_strength(examples, seed)
    strength = best_strength(tried)
    set_head(network, fit_head(examples, strength))
    images_per_second = len(examples.labels) / (time.perf_counter() - started)
    rows = [asdict(row) for row in tried] or [{"strength": strength, "log_loss": float("nan")}]
    return Progress(history=[{**row, "images_per_second": images_per_second} for row in rows])


def set_head(network: Network, head: LinearHead) -> None:
    """Replace the network's classifier by a fitted one."""
    assert isinstance(network.head, StatisticsHead)
    classifier = network.head.classifier
    with torch.no_grad():
        classifier.weight.copy_(torch.from_numpy(head.weight))
        classifier.bias.copy_(torch.from_numpy(head.bias))


def examples_of(network: Network, prepared: Prepared, split: str, device: torch.device) -> Examples:
    """Return the pooled features of a split's photos, with their labels.

    The features are kept in the cache: another head on the same photos and weights is fitted in seconds.
    """
    head = network.head
    assert isinstance(head, StatisticsHead)
    chosen, rows = prepared.manifest.select(split), prepared.rows(split)
    shares = np.zeros(len(rows), dtype=np.int64) if prepared.shares is None else prepared.shares[rows]
    inside = [np.flatnonzero(shares == share) for share in np.unique(shares)]
    seen = [_seen(network, head.statistics, prepared, rows[own], device) for own in inside]
    pooled = np.concatenate([own.pooled for own in seen])[np.argsort(np.concatenate(inside))]
    places = np.average([own.places for own in seen], axis=0, weights=[len(own) for own in inside])
    whole = Features(pooled, places, np.zeros(len(rows), dtype=np.int64), head.statistics)
    return Examples(whole.pooled, chosen.labels, chosen.groups, whole.within(np.arange(len(chosen))))


def _seen(
    network: Network, statistics: tuple[str, ...], prepared: Prepared, rows: Int64Array, device: torch.device
) -> Features:
    """Return the features of some photos, with one covariance of all their places."""

    def make() -> dict[str, Array]:
        loader = Loader(prepared.pixels, rows, prepared.manifest.labels[rows], prepared.geometry, device)
        network.to(device).eval()
        features = extract([network.body], [0], statistics, loader, ["all"] * len(rows))[0]
        return {"pooled": features.pooled, "places": features.places, "parts": features.parts}

    about = about_features(network.body, prepared, rows, device)
    return Features(**recall_or_make([*statistics, *about], make), statistics=statistics)


def predict_examples(network: Network, examples: Examples) -> Tensor:
    """Return (N, K) float32 class probabilities from pooled features, as the network gives them from the photos."""
    assert isinstance(network.head, StatisticsHead)
    with torch.no_grad():
        logits = network.head.classifier.cpu()(torch.from_numpy(examples.features))
    return torch.softmax(logits, 1)
