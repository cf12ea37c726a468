"""How many of the last stages of a pretrained network are worth fine-tuning: decided on parts held out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from gonogo.errors import UsageError
from gonogo.models.architecture import ModelSpec, count_frozen, count_parameters
from gonogo.models.cost import count_macs
from gonogo.models.layers.statistics_head import StatisticsHead
from gonogo.models.pretrained import PretrainedNetwork
from gonogo.train.choose import Scores, Trial, score_parts
from gonogo.train.features import batch_size
from gonogo.train.head import Examples, best_strength, choose_strength, deal_folds, fit_head
from gonogo.train.loader import Loader
from gonogo.train.loop import Trainer
from gonogo.train.prepare import Prepared
from gonogo.train.recipe import Recipe
from gonogo.train.transfer import examples_of, is_frozen, put_weights, set_head
from gonogo.types import Float64Array, Int64Array

FOLDS = 3


def choose_unfrozen(
    prepared: Prepared,
    spec: ModelSpec,
    tensors: Mapping[str, Tensor],
    recipe: Recipe,
    device: str,
    note: Callable[[str], None] | None = None,
) -> tuple[list[Trial], Trial]:
    """Unfreeze one stage after the other, as long as each is better than the one before by more than the noise.

    Only training parts are looked at: the epoch is that of the recipe, and validation keeps its word.

    Args:
        prepared: the photos, with the levels of the weights.
        spec: the network; how many of its stages learn plays no part.
        tensors: its weights.
        recipe: of the fine-tuning.
        device: of Lightning Fabric.
        note: called with a line for each number of stages.

    Returns:
        What was tried, and what was taken.

    Raises:
        UsageError: a class has one part alone, so that none can be held out.
    """
    fabric = Fabric(accelerator=device, devices=1, precision=recipe.precision)
    frozen = _build(spec, tensors, 0)
    examples = examples_of(frozen, prepared, "train", fabric.device)
    fold = deal_folds(examples.labels, examples.groups, recipe.seed, FOLDS)
    if not fold.any():
        raise UsageError("--unfreeze auto holds parts out, and a class has one part alone; give a number of stages")
    recipe = replace(recipe, keep="last", patience=0)
    size = prepared.geometry.input_size
    tried: list[Trial] = []
    for count in range(len(frozen.stages()) + 1):
        network = _build(spec, tensors, count)
        scores = _held_out(network, prepared, examples, fold, recipe, fabric)
        params = count_parameters(network)[0] + count_frozen(network)
        macs = count_macs(network, prepared.geometry.network_channels, size)
        tried.append(Trial({"unfrozen": count}, size, params, macs, scores))
        if note is not None:
            note(f"{count} stages unfrozen: {scores.name} {scores.mean:.4f} on parts held out")
        if count and not _is_better(scores, tried[-2].scores):
            return tried, tried[-2]
    return tried, tried[-1]


def _is_better(scores: Scores, before: Scores) -> bool:
    gain = scores.minus(before)
    return gain.mean > gain.standard_error


def _build(spec: ModelSpec, tensors: Mapping[str, Tensor], unfrozen: int) -> PretrainedNetwork:
    spec = replace(spec, options={**spec.options, "unfrozen": unfrozen})
    network = spec.build()
    assert isinstance(network, PretrainedNetwork)
    put_weights(network, spec, tensors)
    return network


def _held_out(
    network: PretrainedNetwork,
    prepared: Prepared,
    examples: Examples,
    fold: Int64Array,
    recipe: Recipe,
    fabric: Fabric,
) -> Scores:
    """Return the score of each part from networks that were fine-tuned without it.

    Args:
        network: with the weights it came with; every fold starts from them.
        prepared: the photos.
        examples: the pooled features of the training photos, before any fine-tuning.
        fold: (N,) their folds.
        recipe: of the fine-tuning.
        fabric: device and precision.
    """
    assert isinstance(network.head, StatisticsHead)
    rows, labels = prepared.rows("train"), examples.labels
    parts = prepared.parts[rows]
    start = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    logits = np.zeros((len(labels), network.head.classifier.out_features))
    for number in np.unique(fold):
        inside = fold != number
        seen = examples.at(inside)
        network.load_state_dict(start)
        set_head(network, fit_head(seen, best_strength(choose_strength(seen, recipe.seed))))
        learn, held = (
            Loader(prepared.pixels, rows[mask], labels[mask], prepared.geometry, fabric.device, parts[mask])
            for mask in (inside, ~inside)
        )
        if not is_frozen(network):
            with tempfile.TemporaryDirectory() as folder:
                Trainer(network, recipe, learn, held, fabric, Path(folder) / "checkpoint.safetensors").fit()
        logits[~inside] = _logits(network.to(fabric.device), held, batch_size(prepared.geometry.input_size))
    return score_parts(logits, labels, examples.groups, fold)


def _logits(network: PretrainedNetwork, photos: Loader, step: int) -> Float64Array:
    network.eval()
    with torch.no_grad():
        found: Float64Array = torch.cat([network(inputs).double().cpu() for inputs, _ in photos.batches(step)]).numpy()
    return found
