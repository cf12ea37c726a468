"""Batches: every photo once, the same for the same seed, normalised by the training photos' own levels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from gonogo.data.geometry import Geometry
from gonogo.train.loader import Loader, statistics
from tests.helpers import UNCHANGED, grey_geometry, noise

CPU = torch.device("cpu")
ALL = np.arange(5)
PLAIN = replace(UNCHANGED, batch_size=4)


def numbered(count: int) -> np.ndarray:
    return np.stack([np.full((8, 8, 1), n, dtype=np.uint8) for n in range(count)])


def loader(count: int, rows: np.ndarray) -> Loader:
    return Loader(numbered(count), rows, rows * 10, grey_geometry(8, 8, mean=(10.0,), std=(2.0,)), CPU)


def test_statistics_are_those_of_all_pixels():
    pixels = np.stack([noise(8, 8, seed=n) for n in range(5)])
    geometry = statistics(pixels, ALL, grey_geometry(8, 8))
    assert geometry.mean == pytest.approx((pixels.mean(),), abs=1e-3)
    assert geometry.std == pytest.approx((pixels.std(),), abs=1e-3)


def test_statistics_see_the_training_photos_alone():
    pixels = np.stack([noise(8, 8, seed=n) for n in range(5)])
    other = pixels.copy()
    other[[0, 3]] = 255
    rows = np.array([1, 2, 4])
    assert statistics(pixels, rows, grey_geometry(8, 8)) == statistics(other, rows, grey_geometry(8, 8))
    assert statistics(pixels, rows, grey_geometry(8, 8)).mean == pytest.approx((pixels[rows].mean(),), abs=1e-3)


def test_each_colour_has_its_statistics_and_a_grey_camera_s_are_repeated():
    pixels = np.stack([noise(8, 8, 3, seed=n) for n in range(5)])
    colour = statistics(pixels, ALL, Geometry(8, 8, 3, colour="rgb", mean=(0.0,) * 3, std=(1.0,) * 3))
    assert colour.mean == pytest.approx(pixels.mean(axis=(0, 1, 2)), abs=1e-3)
    grey = statistics(pixels[..., :1], ALL, Geometry(8, 8, 1, colour="rgb", mean=(0.0,) * 3, std=(1.0,) * 3))
    assert len(set(grey.mean)) == 1
    assert len(grey.std) == 3


def test_photos_of_one_level_do_not_divide_by_zero():
    assert statistics(np.full((2, 8, 8, 1), 7, dtype=np.uint8), np.arange(2), grey_geometry(8, 8)).std == (1.0,)


def test_an_epoch_holds_every_photo_once_with_its_label():
    batches = list(loader(20, np.arange(3, 13)).train_batches(PLAIN, 0))
    assert [len(labels) for _, labels in batches] == [4, 4, 2]
    levels = torch.cat([inputs[:, 0, 0, 0] for inputs, _ in batches]) * 2 + 10
    labels = torch.cat([labels for _, labels in batches])
    assert sorted(levels.tolist()) == list(range(3, 13))
    assert torch.equal(labels, (levels * 10).long())


def test_the_order_follows_seed_and_epoch_alone():
    def order(seed: int, epoch: int) -> list[int]:
        recipe = replace(PLAIN, seed=seed)
        return torch.cat([y for _, y in loader(20, np.arange(20)).train_batches(recipe, epoch)]).tolist()

    assert order(1, 2) == order(1, 2)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4


def test_parts_come_up_evenly_where_the_recipe_says_so():
    rows = np.arange(20)
    parts = np.minimum(rows, 3)  # three parts of one photo, one of seventeen
    own = Loader(numbered(20), rows, rows, grey_geometry(8, 8), CPU, parts)
    recipe = replace(PLAIN, sample="parts", photos_per_epoch=40)
    labels = torch.cat([y for _, y in own.train_batches(recipe, 0)])
    assert torch.bincount(labels, minlength=20).tolist() == [2] * 20  # a part of seventeen classes is one of each
    of_one_class = Loader(numbered(20), rows, np.zeros(20, dtype=np.int64), grey_geometry(8, 8), CPU, parts)
    levels = torch.cat([x[:, 0, 0, 0] for x, _ in of_one_class.train_batches(recipe, 0)]) * 64 + 127.5
    assert torch.bincount(levels.round().long().clamp_max(3)).tolist() == [10] * 4
    assert of_one_class.photos_per_epoch(recipe) == 40
    assert of_one_class.class_counts(2, recipe).tolist() == [4, 0]
    assert of_one_class.class_counts(2, PLAIN).tolist() == [20, 0]


def test_validation_comes_in_order_and_unchanged():
    batches = list(loader(9, np.arange(9)).batches(4))
    assert torch.cat([labels for _, labels in batches]).tolist() == [n * 10 for n in range(9)]
    assert torch.cat([x[:, 0, 0, 0] for x, _ in batches]).tolist() == [(n - 10) / 2 for n in range(9)]
