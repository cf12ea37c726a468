"""Which photos an epoch shows: parts evenly, with every remedy for imbalance, always as many."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from gonogo.data.manifest import Manifest, Sample
from gonogo.data.task import Task
from gonogo.errors import ConfigError
from gonogo.models.architecture import make_spec
from gonogo.train.imbalance import REMEDIES
from gonogo.train.loader import Loader
from gonogo.train.loop import Step, Trainer
from gonogo.train.prepare import Prepared
from gonogo.train.recipe import Recipe, resolve_recipe
from gonogo.train.samplers import Units, draw, units_of
from gonogo.train.train import learn
from tests.helpers import UNCHANGED, grey_geometry, noise

# Two good parts of 50 and 2 photos; four defective ones of 4, 1, 1 and 2. The part 5 has photos of both classes.
PARTS = torch.tensor([0] * 50 + [1] * 2 + [2] * 4 + [3, 4, 5, 5, 5])
LABELS = torch.tensor([0] * 52 + [1] * 4 + [1, 1, 1, 1, 0])
EVENLY = Recipe(sample="parts")


def drawn(recipe: Recipe, seed: int = 0) -> torch.Tensor:
    units = units_of(LABELS, PARTS, recipe)
    return draw(units, recipe, torch.Generator().manual_seed(seed))


def test_units_hold_every_photo_of_their_part_and_class():
    units = Units.parts(LABELS, PARTS)
    assert units.labels.tolist() == [0, 0, 1, 1, 1, 0, 1]
    assert units.sizes.tolist() == [50, 2, 4, 1, 1, 1, 2]
    assert units.first.tolist() == [0, 50, 52, 56, 57, 58, 59]
    assert units.places.tolist() == [*range(52), 52, 53, 54, 55, 56, 57, 60, 58, 59]


def test_parts_come_up_evenly_and_their_photos_at_random():
    places = drawn(replace(EVENLY, photos_per_epoch=7 * 200))
    of_unit = torch.stack([PARTS[places], LABELS[places]], 1).unique(dim=0, return_counts=True)[1]
    assert of_unit.tolist() == [200] * 7
    photos = torch.bincount(places, minlength=len(LABELS))
    assert photos[:50].max() < 20
    # Each of the four photos of part 2 is expected 50 times, give or take 6.
    assert photos[52:56].min() > 25
    assert photos[52:56].max() < 75


def test_an_epoch_has_as_many_photos_as_asked_and_otherwise_as_there_are():
    assert len(drawn(EVENLY)) == len(LABELS)
    for wanted in (1, 5, 7, 8, 500):
        assert len(drawn(replace(EVENLY, photos_per_epoch=wanted))) == wanted
        assert len(drawn(Recipe(photos_per_epoch=wanted))) == wanted


def test_photos_are_each_shown_once_before_any_comes_again():
    assert sorted(drawn(Recipe()).tolist()) == list(range(len(LABELS)))
    times = torch.bincount(drawn(Recipe(photos_per_epoch=2 * len(LABELS) + 5)), minlength=len(LABELS))
    assert sorted(times.unique().tolist()) == [2, 3]


def test_oversampling_parts_makes_their_number_of_each_class_equal():
    # Three units are good, four defective: an order holds 8, four of each class.
    places = drawn(replace(EVENLY, imbalance="oversample", photos_per_epoch=8 * 50))
    assert torch.bincount(LABELS[places]).tolist() == [200, 200]
    assert torch.bincount(PARTS[places[LABELS[places] == 1]])[2:].tolist() == [50] * 4


@pytest.mark.parametrize("sample", ["photos", "parts"])
@pytest.mark.parametrize("remedy", REMEDIES)
def test_every_remedy_works_with_either_sample(remedy: str, sample: str):
    recipe = Recipe(imbalance=remedy, sample=sample, photos_per_epoch=40)  # type: ignore[arg-type]
    first, again, other = drawn(recipe), drawn(recipe), drawn(recipe, seed=1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(first) == len(other) == 40
    assert set(first.tolist()) <= set(range(len(LABELS)))


def test_what_cannot_be_sampled_is_refused():
    with pytest.raises(ConfigError, match="sample"):
        resolve_recipe({"sample": "part"})
    with pytest.raises(ConfigError, match="photos_per_epoch is -1, expected 0 or more"):
        Recipe(photos_per_epoch=-1)


def test_a_training_knows_the_parts_of_its_photos(tmp_path, monkeypatch):
    samples = tuple(Sample(f"{n}.png", "ab"[n >= 6], "train" if n < 9 else "val", f"part {n // 3}") for n in range(12))
    prepared = Prepared(
        Manifest(Path(), samples, ("a", "b")),
        Task(("a", "b"), "a"),
        grey_geometry(16, 16),
        np.stack([noise(16, 16, seed=n) for n in range(12)]),
        (),
        {},
    )
    seen: list[Loader] = []

    class Watched(Trainer):
        def __init__(self, network, recipe, train, *others) -> None:
            seen.append(train)
            super().__init__(network, recipe, train, *others)

    monkeypatch.setattr("gonogo.train.train.Trainer", Watched)
    steps: list[Step] = []
    recipe = replace(UNCHANGED, epochs=1, batch_size=4, sample="parts", photos_per_epoch=10)
    network, fabric = make_spec("taper", 2, 1, {}).build(), Fabric(accelerator="cpu", devices=1)
    learn(network, prepared, recipe, fabric, tmp_path / "checkpoint.safetensors", report=steps.append)
    assert seen[0].parts.unique(return_counts=True)[1].tolist() == [3, 3, 3]
    assert {step.photos_per_epoch for step in steps} == {10}
    assert steps[-1].photos == 10
