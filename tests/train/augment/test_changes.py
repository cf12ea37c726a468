"""Every augmentation of the registry: what each promises, and the figures of those that are not pose or light."""

from __future__ import annotations

import hashlib
import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from gonogo.errors import UsageError
from gonogo.train.augment import AUGMENTATIONS, augment, without_augmentation
from gonogo.train.augment.blur import blur
from gonogo.train.augment.cutout import cutout
from gonogo.train.augment.noise import noise
from gonogo.train.augment.shear import shear
from gonogo.train.recipe import Recipe, resolve_recipe
from tests.helpers import UNCHANGED

PHOTOS = torch.rand(16, 2, 20, 30, generator=torch.Generator().manual_seed(0)) * 255


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_augmentation_changes_photos_as_the_recipe_says_and_by_chance_of_the_generator_alone(name: str):
    entry = AUGMENTATIONS.get(name)
    assert entry.values(0) == {entry.key: entry.identity}
    for strength in (0.25, 1):
        recipe = replace(UNCHANGED, **entry.values(strength))
        torch.manual_seed(1)
        found = augment(PHOTOS, recipe, drawn())
        torch.manual_seed(2)
        assert torch.equal(found, augment(PHOTOS, recipe, drawn()))
        assert not torch.equal(found, augment(PHOTOS, recipe, drawn(1)))
        assert found.shape == PHOTOS.shape
        assert torch.isfinite(found).all()
        changed = (found != PHOTOS).flatten(1).any(1)
        assert changed.sum() >= (3 if entry.is_switch else 10)  # a draw near nothing changes nothing


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_augmentation_draws_for_each_photo_alone(name: str):
    alike = PHOTOS[:1].expand(16, -1, -1, -1).contiguous()
    found = augment(alike, replace(UNCHANGED, **AUGMENTATIONS.get(name).values(1)), drawn())
    assert len({photo.numpy().tobytes() for photo in found}) >= (2 if AUGMENTATIONS.get(name).is_switch else 14)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_strongest_change_is_a_value_that_the_recipe_allows(name: str):
    entry = AUGMENTATIONS.get(name)
    assert getattr(resolve_recipe(entry.values(1)), entry.key) == (True if entry.is_switch else entry.maximum)
    assert entry.says
    for strength in (-0.1, 1.1, math.nan):
        with pytest.raises(UsageError, match="expected 0 to 1"):
            entry.values(strength)


def test_no_augmentation_is_left_when_all_are_taken_out():
    plain = without_augmentation(Recipe())
    assert plain == UNCHANGED
    assert augment(PHOTOS, plain, drawn()) is PHOTOS
    # Every limit in physical units has its entry, so that nothing is left on by oversight.
    units = ("_degrees", "_percent", "_levels", "_sigma", "flip")
    keys = {field.name for field in fields(Recipe) if field.name.endswith(units)}
    assert {AUGMENTATIONS.get(name).key for name in AUGMENTATIONS} == keys


def test_the_default_recipe_draws_what_it_always_drew():
    """Runs of older releases resume, and figures that were measured with them stay true."""
    found = augment(torch.arange(2 * 8 * 8.0).view(2, 1, 8, 8), Recipe(), drawn(7))
    assert found.mean((1, 2, 3)).tolist() == pytest.approx(MEANS, abs=1e-3)
    assert found[:, 0, 3, 4].tolist() == pytest.approx(MIDDLES, abs=1e-3)


# Of the release before further augmentations came.
MEANS, MIDDLES = [30.474817276, 90.200202942], [32.751136780, 94.290115356]


def test_shear_leans_upright_lines_and_keeps_rows():
    matrices = shear(300, (20, 30), 15.0, drawn())
    assert torch.equal(matrices[:, 1], torch.tensor([0.0, 1.0]).expand(300, 2))
    assert torch.equal(matrices[:, 0, 0], torch.ones(300))
    lean = torch.rad2deg(torch.atan(matrices[:, 0, 1]))
    assert -15 <= lean.min() < -14
    assert 14 < lean.max() <= 15


def test_shear_counts_in_pixels_though_the_photo_is_not_square():
    """A line through the middle: each row moves by its distance from the middle times the tangent."""
    photo = torch.zeros(1, 1, 21, 61)
    photo[..., 30] = 100
    found = augment(photo.expand(40, -1, -1, -1).contiguous(), replace(UNCHANGED, shear_degrees=30), drawn(3))
    where = (found[:, 0] * torch.arange(61.0)).sum(2) / found[:, 0].sum(2) - 30
    slope = (where[:, 20] - where[:, 0]) / 20
    degrees = torch.rad2deg(torch.atan(slope)).abs()
    assert 25 < degrees.max() <= 30.1
    assert torch.allclose(where[:, 15] - where[:, 10], 5 * slope, atol=0.02)


def test_blur_is_a_gaussian():
    found = blur(PHOTOS, 1.5, drawn(4))
    sigmas = (torch.rand(16, generator=drawn(4)) * 1.5).numpy()
    for photo, original, sigma in zip(found.numpy(), PHOTOS.numpy(), sigmas, strict=True):
        # The kernel reaches five pixels for every photo of the batch: three of the largest sigmas.
        expected = gaussian_filter(original.astype(float), (0, sigma, sigma), mode="mirror", radius=5)
        assert np.abs(photo - expected).max() < 1e-3


def test_blur_of_a_photo_smaller_than_its_reach_stays_a_mean():
    small = torch.rand(3, 1, 4, 3) * 255
    found = blur(small, 10.0, drawn())
    assert found.shape == small.shape
    assert small.min() <= found.min()
    assert found.max() <= small.max()


def test_noise_has_a_deviation_of_its_own_in_each_photo():
    flat = torch.full((40, 1, 64, 64), 128.0)
    added = noise(flat, 12.0, drawn()) - flat
    expected = torch.rand(40, generator=drawn()) * 12
    assert torch.allclose(added.std((1, 2, 3)), expected, rtol=0.05)
    assert added.mean().abs() < 0.1


def test_cutout_covers_a_square_of_that_share_of_the_width():
    photos = torch.rand(200, 3, 40, 60, generator=drawn()) * 255
    found = cutout(photos, 25.0, drawn(1))
    covered = (found != photos).any(1)
    tall, wide = covered.any(2).sum(1), covered.any(1).sum(1)
    assert (int(tall.max()), int(wide.max())) == (15, 15)
    assert torch.equal(covered.sum((1, 2)), tall * wide)
    # At the border a part of the square lies outside: half of it at most.
    assert 7 <= int(wide.min()) < 15
    means = photos.mean((2, 3))
    for photo in range(5):
        values = found[photo][:, covered[photo]]
        assert torch.equal(values, means[photo][:, None].expand_as(values))


def test_all_changes_together_are_one_whole():
    recipe = Recipe(shear_degrees=10, blur_sigma=1, noise_levels=5, cutout_percent=20)
    found = augment(PHOTOS, recipe, drawn(9))
    assert found.shape == PHOTOS.shape
    digest = hashlib.sha256(augment(PHOTOS, recipe, drawn(9)).numpy().tobytes()).hexdigest()
    assert digest == hashlib.sha256(found.numpy().tobytes()).hexdigest()
