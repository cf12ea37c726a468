"""Augmentation in physical units: what is asked for happens, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from gonogo.train.augment import augment
from gonogo.train.augment.pose import pose_matrices
from gonogo.train.augment.resample import _grid
from gonogo.train.recipe import Recipe
from tests.helpers import UNCHANGED

PHOTOS = torch.rand(16, 2, 20, 30, generator=torch.Generator().manual_seed(0)) * 255


def run(photos: torch.Tensor = PHOTOS, seed: int = 0, **changes: object) -> torch.Tensor:
    return augment(photos, replace(UNCHANGED, **changes), torch.Generator().manual_seed(seed))


def test_nothing_asked_is_nothing_done():
    assert run() is PHOTOS


@pytest.mark.parametrize(("change", "dimension"), [("hflip", 3), ("vflip", 2)])
def test_a_mirror_changes_no_pixel_s_value(change: str, dimension: int):
    found = run(**{change: True})
    flipped = [torch.equal(a, b.flip(dimension - 1)) for a, b in zip(found, PHOTOS, strict=True)]
    kept = [torch.equal(a, b) for a, b in zip(found, PHOTOS, strict=True)]
    assert all(a != b for a, b in zip(flipped, kept, strict=True))
    assert 2 < sum(flipped) < 14


def test_brightness_moves_every_pixel_of_a_photo_alike():
    moved = (run(brightness_levels=20) - PHOTOS).flatten(1)
    assert (moved.amax(1) - moved.amin(1)).max() < 1e-3
    assert 10 < moved.abs().max() <= 20
    assert moved[:, 0].unique().numel() == 16


def test_contrast_keeps_each_photo_s_mean():
    found = run(contrast_percent=30)
    assert torch.allclose(found.mean((1, 2, 3)), PHOTOS.mean((1, 2, 3)), atol=1e-2)
    gain = found.std((1, 2, 3)) / PHOTOS.std((1, 2, 3))
    assert 0.7 <= gain.min() < 0.95
    assert 1.05 < gain.max() <= 1.3


def test_a_turn_is_a_turn_though_the_photo_is_not_square():
    size = (20, 30)
    matrices = pose_matrices(200, size, replace(UNCHANGED, rotate_degrees=180), torch.Generator().manual_seed(0))
    scale = torch.tensor([size[1] / 2, size[0] / 2])
    # From relative units to pixels: what is left must be a rotation.
    in_pixels = matrices[:, :, :2] * scale[None, :, None] / scale[None, None, :]
    unit = in_pixels @ in_pixels.transpose(1, 2)
    assert torch.allclose(unit, torch.eye(2).expand_as(unit), atol=1e-5)
    assert torch.allclose(torch.det(in_pixels), torch.ones(200), atol=1e-5)
    assert (matrices[:, :, 2] == 0).all()
    angles = torch.atan2(in_pixels[:, 1, 0], in_pixels[:, 0, 0])
    assert angles.min() < -3
    assert angles.max() > 3


def test_scale_and_shift_stay_within_their_limits():
    matrices = pose_matrices(
        500, (20, 30), replace(UNCHANGED, scale_percent=10, shift_percent=5), torch.Generator().manual_seed(0)
    )
    zoom = 1 / matrices[:, 0, 0]
    assert 0.9 <= zoom.min() < 0.92
    assert 1.08 < zoom.max() <= 1.1
    # 5 % of the width is a tenth of the range -1 to 1
    assert 0.09 < matrices[:, :, 2].abs().max() <= 0.1


def test_a_shift_by_whole_pixels_moves_the_picture():
    photo = torch.zeros(1, 1, 21, 21)
    photo[0, 0, 10, 10] = 100
    found = run(photo.expand(64, -1, -1, -1), shift_percent=20)
    total = found.sum((1, 2, 3))
    assert torch.allclose(total, torch.full((64,), 100.0), atol=0.5)
    columns = (found.sum((1, 2)) * torch.arange(21)).sum(1) / total
    assert 3 < (columns - 10).abs().max() <= 4.2 + 1e-3


def test_the_same_generator_gives_the_same_photos():
    assert torch.equal(run(seed=3, rotate_degrees=10), run(seed=3, rotate_degrees=10))
    assert not torch.equal(run(seed=3, rotate_degrees=10), run(seed=4, rotate_degrees=10))


@pytest.mark.parametrize(("n", "height", "width"), [(1, 7, 5), (3, 20, 30)])
def test_positions_are_those_of_pytorch(n: int, height: int, width: int):
    matrices = pose_matrices(n, (height, width), Recipe(), torch.Generator().manual_seed(2))
    expected = F.affine_grid(matrices, [n, 1, height, width], align_corners=False)
    assert torch.allclose(_grid(matrices, height, width), expected, atol=1e-6)
