"""One resampling under changes of pose: OpenCV on the CPU gives what PyTorch gives elsewhere."""

from __future__ import annotations

import cv2
import pytest
import torch
from torch.nn import functional as F

from gonogo.train.augment.pose import pose_matrices
from gonogo.train.augment.resample import resample
from gonogo.train.recipe import Recipe


def noise(n: int, channels: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(1)) * 255


@pytest.mark.parametrize(
    ("shape", "recipe"),
    [
        ((8, 1, 40, 40), Recipe()),
        ((5, 3, 20, 31), Recipe(scale_percent=40, shift_percent=20)),
        # So far beyond the border that it is mirrored again and again.
        ((5, 2, 9, 14), Recipe(scale_percent=90, shift_percent=100)),
        ((2, 1, 1, 6), Recipe()),
    ],
)
def test_it_is_what_grid_sample_does(shape: tuple[int, int, int, int], recipe: Recipe):
    photos = noise(*shape)
    matrices = pose_matrices(shape[0], shape[2:], recipe, torch.Generator().manual_seed(2))
    grid = F.affine_grid(matrices, list(shape), align_corners=False)
    expected = F.grid_sample(photos, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    found = resample(photos, matrices)
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=0.05)
    assert (found - expected).abs().mean() < 1e-3


def test_photos_with_their_channels_innermost_are_resampled_alike():
    photos = noise(3, 3, 12, 10)
    matrices = pose_matrices(3, (12, 10), Recipe(), torch.Generator().manual_seed(0))
    turned = resample(photos.contiguous(memory_format=torch.channels_last), matrices)
    assert torch.equal(turned, resample(photos, matrices))


def test_a_quarter_turn_changes_no_level_and_the_photos_given_stay():
    photo = noise(1, 1, 16, 16)
    before = photo.clone()
    quarter = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]])
    assert torch.equal(resample(photo, quarter), torch.rot90(photo, 1, (2, 3)))
    assert torch.equal(photo, before)


def test_it_uses_as_many_threads_as_pytorch_and_gives_the_same_with_any():
    photos, threads = noise(2, 1, 300, 300), torch.get_num_threads()
    matrices = pose_matrices(2, (300, 300), Recipe(), torch.Generator().manual_seed(0))
    found = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(resample(photos, matrices))
            assert cv2.getNumThreads() == count
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*found)
