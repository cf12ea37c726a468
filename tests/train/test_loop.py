"""Training with every value of a recipe: it goes on where it was stopped, and keeps the weights it should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from gonogo.errors import UsageError
from gonogo.models.architecture import make_spec
from gonogo.train.averaging import estimate_norms, first_averaged
from gonogo.train.checkpoint import Progress, copy_weights
from gonogo.train.loader import Loader
from gonogo.train.loop import Step, Trainer
from gonogo.train.progressive import check_sizes, epoch_size
from gonogo.train.recipe import Recipe
from tests.helpers import grey_geometry

# Bright photos are of class 1.
RNG = np.random.default_rng(0)
LABELS = np.arange(20) % 2
PIXELS = (RNG.integers(0, 120, (20, 32, 40, 1)) + LABELS[:, None, None, None] * 60).astype(np.uint8)

RECIPES: dict[str, dict[str, object]] = {
    "plain": {},
    "muon, ema, mixup": {"optimizer": "muon", "averaging": "ema", "mixup_alpha": 0.4, "schedule": "cosine"},
    "sgd, swa, cutmix": {"optimizer": "sgd", "averaging": "swa", "swa_start": 0.4, "cutmix_alpha": 1.0, "lr": 0.05},
    "everything": {
        "optimizer": "muon",
        "averaging": "swa",
        "swa_start": 0.3,
        "mixup_alpha": 0.4,
        "cutmix_alpha": 1.0,
        "imbalance": "focal",
        "schedule": "plateau",
        "warmup_epochs": 1,
        "clip_norm": 0.5,
        "progressive_resize": 0.7,
        "shear_degrees": 5,
        "blur_sigma": 0.5,
        "noise_levels": 4,
        "cutout_percent": 20,
    },
    "bf16, step": {"precision": "bf16-mixed", "schedule": "step", "step_epochs": 2, "clip_norm": 1.0},
}


def loader(rows: np.ndarray) -> Loader:
    geometry = grey_geometry(32, 40, mean=(90.0,), std=(45.0,))
    return Loader(PIXELS, rows, LABELS[rows], geometry, torch.device("cpu"))


def trainer(path: Path, report=None, epochs: int = 5, **values: object) -> Trainer:
    recipe = Recipe(**{"epochs": epochs, "batch_size": 8, "patience": 0, **values})  # type: ignore[arg-type]
    torch.manual_seed(0)
    network = make_spec("taper", 2, 1, {}).build()
    fabric = Fabric(accelerator="cpu", devices=1, precision=recipe.precision)
    rows = np.arange(20)
    return Trainer(network, recipe, loader(rows[:14]), loader(rows[14:]), fabric, path, report)


def without_clock(progress: Progress) -> list[dict[str, float]]:
    return [{key: row[key] for key in row if key != "images_per_second"} for row in progress.history]


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("name", RECIPES)
def test_a_training_that_was_stopped_ends_as_one_that_was_not(name: str, tmp_path: Path):
    whole = trainer(tmp_path / "whole", **RECIPES[name])
    undisturbed = whole.fit()

    def stop(step: Step) -> None:
        # Before SWA has begun, and after.
        if step.epoch in stops and step.photos == 8:
            stops.discard(step.epoch)
            raise StoppedError

    stops = {2, 4}
    for _ in range(2):
        with pytest.raises(StoppedError):
            trainer(tmp_path / "stopped", stop, **RECIPES[name]).fit()
    last = trainer(tmp_path / "stopped", stop, **RECIPES[name])
    resumed = last.fit()
    assert without_clock(resumed) == without_clock(undisturbed)
    assert resumed.best_epoch == undisturbed.best_epoch
    weights = [copy_weights(one.network) for one in (whole, last)]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_the_mean_of_the_weights_is_what_is_validated_and_kept(tmp_path: Path):
    seen: list[dict[str, torch.Tensor]] = []

    def look(step: Step) -> None:
        if step.row is not None:
            seen.append(copy_weights(swa.network))

    swa = trainer(tmp_path / "c", look, averaging="swa", swa_start=0.6, keep="last", schedule="constant")
    swa.fit()
    kept = copy_weights(swa.network)
    name = "body.0.0.weight"
    assert torch.allclose(kept[name], (seen[3][name] + seen[4][name]) / 2, atol=1e-7)
    assert not torch.equal(seen[3][name], seen[4][name])
    losses = swa._validate(swa.network)
    assert losses[0] == pytest.approx(swa.progress.history[-1]["val_loss"], abs=1e-5)


@pytest.mark.parametrize(("averaging", "first"), [("none", 0), ("ema", 0), ("swa", 4)])
def test_nothing_is_kept_and_nobody_loses_patience_before_there_is_an_average(
    averaging: str, first: int, tmp_path: Path
):
    one = trainer(tmp_path / "c", epochs=6, averaging=averaging, patience=1, lr=10.0, optimizer="sgd", clip_norm=1e-9)
    assert first_averaged(one.recipe) == first
    progress = one.fit()
    # A gradient of no length changes nothing but the statistics, so some epoch is soon no better than the one before.
    assert progress.best_epoch > first
    assert len(progress.history) > first


def test_the_last_epoch_is_averaged_though_swa_starts_at_the_end():
    assert first_averaged(Recipe(averaging="swa", epochs=7, swa_start=1.0)) == 6
    assert first_averaged(Recipe(averaging="swa", epochs=1, swa_start=0.75)) == 0


def test_statistics_estimated_anew_are_means_over_batches_and_frozen_ones_stay():
    network = nn.Sequential(nn.BatchNorm2d(2), nn.BatchNorm2d(2))
    network.train = lambda mode=True: (nn.Module.train(network, mode), network[1].eval())[0]  # type: ignore[method-assign,assignment]
    batches = [(torch.randn(4, 2, 5, 5) + shift, torch.zeros(4)) for shift in (0.0, 3.0)]
    estimate_norms(network, network, lambda: batches)
    means = torch.stack([inputs.mean((0, 2, 3)) for inputs, _ in batches]).mean(0)
    assert torch.allclose(network[0].running_mean, means, atol=1e-6)
    assert network[0].momentum == 0.1
    assert network[1].running_mean.tolist() == [0.0, 0.0]
    assert int(network[1].num_batches_tracked) == 0


def test_a_gradient_is_cut_to_its_length(tmp_path: Path):
    weights = []
    for clip in (0.0, 1e-3):
        one = trainer(
            tmp_path / str(clip), epochs=1, optimizer="sgd", momentum=0, weight_decay=0, lr=1.0, batch_size=14,
            schedule="constant", keep="last", clip_norm=clip,
        )  # fmt: skip
        before = {name: value.detach().clone() for name, value in one.network.named_parameters()}
        one.fit()
        moved = [(value.detach() - before[name]).square().sum() for name, value in one.network.named_parameters()]
        weights.append(float(torch.stack(moved).sum().sqrt()))
    assert weights[1] == pytest.approx(1e-3, rel=1e-3)
    assert weights[0] > 0.01


# ---- progressive resizing


def test_photos_grow_in_four_stages_to_their_whole_size():
    recipe = Recipe(epochs=8, progressive_resize=0.4)
    sizes = [epoch_size((100, 50), recipe, epoch) for epoch in range(8)]
    assert sizes == [(40, 20)] * 2 + [(60, 30)] * 2 + [(80, 40)] * 2 + [(100, 50)] * 2
    for epochs in (1, 2, 3, 30):
        recipe = Recipe(epochs=epochs, progressive_resize=0.4)
        sizes = [epoch_size((100, 50), recipe, epoch) for epoch in range(epochs)]
        assert sizes == sorted(sizes)
        assert sizes[-1] == (100, 50)
    assert epoch_size((33, 47), Recipe(), 0) == (33, 47)


def test_batches_have_the_size_of_their_epoch_and_validation_the_whole():
    recipe = Recipe(epochs=4, progressive_resize=0.5)
    every = loader(np.arange(20))
    sizes = [next(iter(every.train_batches(recipe, epoch)))[0].shape[2:] for epoch in range(4)]
    assert sizes == [(16, 20), (21, 27), (27, 33), (32, 40)]
    assert next(iter(every.batches(4)))[0].shape[2:] == (32, 40)


def test_a_network_that_cannot_take_smaller_photos_says_so():
    network = make_spec("taper-study", 2, 1, {}).build()
    recipe = Recipe(progressive_resize=0.1)
    with pytest.raises(UsageError, match="begins at 2x2 pixels, too few for this network"):
        check_sizes(network, recipe, 1, (20, 20))
    network.fixed_size = (32, 40)
    with pytest.raises(UsageError, match=r"takes 40x32 pixels and no others, found progressive_resize=0\.1; leave"):
        check_sizes(network, recipe, 1, (32, 40))
    check_sizes(network, Recipe(), 1, (32, 40))
