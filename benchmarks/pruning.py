"""Channels taken out by gonogo and by plain Torch-Pruning, at the same multiply-adds and with the same learning after.

    python benchmarks/pruning.py [--share 0.5] [--epochs 1] [--photos 4096] [DATA]

DATA holds CIFAR's binaries, with `weights/resnet56*.th` beside it. Both begin with the same weights, lose as many
multiply-adds by the same criterion, and learn as long from the same photos and the same teacher. Before that the plain
one gets BatchNorm estimated anew, and gonogo's its layers fitted again, both without labels. Accuracy is of the test
photos, paired; the times are of one photo from camera pixels in ONNX Runtime, one thread, in turns with the original's.
"""

from __future__ import annotations

import argparse
import copy
from dataclasses import replace
from pathlib import Path

import torch
import torch_pruning
from lightning_fabric import Fabric

from common import data_folder, heading, scratch
from gonogo.compress.prune.patient import Patient, estimate, fit_again, open_patient
from gonogo.compress.prune.prune import FINE_TUNING, PruneRequest, surgeon_of
from gonogo.compress.prune.target import Target
from gonogo.config import to_dict
from gonogo.evaluate.paired import paired_drop
from gonogo.models.architecture import Network
from gonogo.models.cost import count_macs
from gonogo.train.prepare import DataOptions
from gonogo.train.recipe import resolve_recipe
from gonogo.train.teacher import STEADIED, Teaching, learn_from
from gonogo.train.train import TrainRequest, answers, train


def by_torch_pruning(patient: Patient, share: float) -> Network:
    """Prune as the library's documentation does: its own pruner, no rounding, small steps until the cost is met."""
    config = patient.run.config
    network = copy.deepcopy(patient.network).requires_grad_(True)
    size, channels = config.geometry.input_size, config.geometry.network_channels
    whole = count_macs(network, channels, size)
    pruner = torch_pruning.pruner.MagnitudePruner(
        network,
        torch.zeros(1, channels, *size),
        importance=torch_pruning.importance.MagnitudeImportance(p=2),
        iterative_steps=100,
        pruning_ratio=1.0,
        ignored_layers=[network.head.classifier],
    )
    while count_macs(network, channels, size) > share * whole:
        pruner.step()
    estimate(network, patient.prepared, Fabric(accelerator="cpu", devices=1))
    return network


def by_gonogo(patient: Patient, share: float) -> Network:
    """Prune as `gonogo prune --criterion l2 --refit` does."""
    network = copy.deepcopy(patient.network)
    request = PruneRequest(patient.run.path, Path("unused"), Target("macs", share), criterion="l2", refit=True)
    surgeon = surgeon_of(request, patient, print)
    pruning = surgeon.operate(network, replace(patient.evidence, network=network), request.target)
    fit_again(patient, network, patient.network, pruning)
    return network.requires_grad_(True)


def main() -> None:
    """Print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=data_folder("cifar10-binary"))
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--photos", type=int, default=4096)
    asked = parser.parse_args()
    if asked.data is None:
        print("no photos: set GONOGO_DATA to the folder that holds cifar10-binary/ and weights/, or name DATA")
        return
    heading(f"ResNet-56 pruned to {asked.share:.0%}, {asked.epochs} epochs of {asked.photos:,} photos after it")
    torch.set_num_threads(1)
    weights = next((asked.data.parent / "weights").glob("resnet56*"))
    with scratch() as folder:
        request = TrainRequest(
            asked.data,
            folder / "run",
            "resnet56",
            recipe={"epochs": 0},
            options=DataOptions(good="none", val=0.02, find_copies=False),
            weights=weights,
            reject_unknown=False,
        )
        patient = open_patient(train(request).path, None, 0)
        compare(patient, asked.share, asked.epochs, asked.photos, folder)


def compare(patient: Patient, share: float, epochs: int, photos: int, folder: Path) -> None:
    """Prune both ways, let both learn, and print what came of it."""
    recipe = resolve_recipe(
        to_dict(patient.run.config.recipe),
        FINE_TUNING,
        STEADIED,
        {"epochs": epochs, "photos_per_epoch": photos, "batch_size": 64},
    )
    fabric = Fabric(accelerator="cpu", devices=1)
    ways = {"plain Torch-Pruning": by_torch_pruning, "gonogo": by_gonogo}
    networks, probs = {}, {}
    for name, way in ways.items():
        network = way(patient, share)
        if epochs:
            teacher = copy.deepcopy(patient.network)
            checkpoint = folder / f"{len(networks)}.safetensors"
            learn_from(network, teacher, patient.prepared, recipe, Teaching(), fabric, checkpoint)
        probs[name] = answers(network, patient.prepared, "test", fabric)
        networks[name] = network.eval()
    test = patient.prepared.manifest.select("test")
    task = patient.run.config.task
    original = answers(patient.network.requires_grad_(True), patient.prepared, "test", fabric)
    times = patient.times(original=patient.network, **dict(zip(("plain", "ours"), networks.values(), strict=True)))
    config = patient.run.config
    for key, (name, network) in zip(("plain", "ours"), networks.items(), strict=True):
        lost = paired_drop(task, test.labels, original, probs[name], None)
        left = count_macs(network, 3, config.geometry.input_size) / count_macs(
            patient.network, 3, config.geometry.input_size
        )
        faster = times["original"].p50_ms / times[key].p50_ms
        print(f"{name}: {left:.1%} of the multiply-adds, {faster:.2f}x as fast, {lost.in_words()} lost")
    both = paired_drop(task, test.labels, probs["gonogo"], probs["plain Torch-Pruning"], None)
    print(f"gonogo against plain Torch-Pruning: {both.in_words()} better")


if __name__ == "__main__":
    main()
