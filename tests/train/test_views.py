"""Views that a pupil and its teacher share: the same draws, each network's own pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gonogo.data.manifest import Manifest, Sample
from gonogo.data.task import Task
from gonogo.train.loader import Loader
from gonogo.train.prepare import Prepared
from gonogo.train.recipe import Recipe
from gonogo.train.views import Reframed, SharedViews
from tests.helpers import grey_geometry, noise

CPU = torch.device("cpu")
MOVING = Recipe(batch_size=3, contrast_percent=30, brightness_levels=30, scale_percent=10, shift_percent=5)


class Told(nn.Module):
    """A teacher that repeats what it is shown."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(1)


def prepared(side: int = 32) -> Prepared:
    """Return 7 training photos and one of validation: blurred noise, which a turn changes."""
    rough = torch.from_numpy(noise(4, 4, 8, seed=3)).permute(2, 0, 1)[:, None].float()
    smooth = F.interpolate(rough, (side, side), mode="bicubic", align_corners=False).clamp(0, 255)
    pixels = smooth.permute(0, 2, 3, 1).round().numpy().astype(np.uint8)
    samples = tuple(Sample(f"{n}.png", "ab"[n % 2], "val" if n == 7 else "train") for n in range(8))
    return Prepared(
        Manifest(Path(), samples, ("a", "b")), Task(("a", "b"), "a"), grey_geometry(side, side), pixels, (), {}
    )


def reduced(data: Prepared) -> Prepared:
    geometry = replace(data.geometry, reduce=2)
    return replace(data, geometry=geometry, pixels=geometry.apply(data.pixels))


def test_teacher_and_pupil_see_the_very_same_pixels_where_their_geometry_is_one():
    data = prepared()
    for photos, told in SharedViews(data, data, Told(), CPU).train_batches(MOVING, 2):
        assert torch.equal(told[:, 1:], photos.flatten(1))


def test_at_another_size_they_see_the_same_pose_and_light():
    large = prepared()
    apart, shared = [], []
    for photos, told in SharedViews(reduced(large), large, Told(), CPU).train_batches(MOVING, 0):
        halved = F.avg_pool2d(told[:, 1:].view(-1, 1, 32, 32), 2)
        # Away from the border, where reflection begins at another pixel.
        inner = (slice(None), slice(None), slice(4, 12), slice(4, 12))
        shared.append((halved - photos)[inner].abs().mean())
        apart.append((halved.roll(1, 0) - photos)[inner].abs().mean())
    assert max(shared) < 0.06
    assert min(apart[:2]) > 0.2


def test_the_pupil_learns_from_what_it_would_see_without_a_teacher():
    small = reduced(prepared())
    recipe = replace(MOVING, noise_levels=20.0, blur_sigma=1.0)
    rows = small.rows("train")
    alone = Loader(small.pixels, rows, small.manifest.labels[rows], small.geometry, CPU, small.parts[rows])
    beside = SharedViews(small, prepared(), Told(), CPU)
    for (photos, labels), (views, told) in zip(
        alone.train_batches(recipe, 1), beside.train_batches(recipe, 1), strict=True
    ):
        assert torch.equal(photos, views)
        assert torch.equal(labels, alone.labels[told[:, 0].long()])


def test_a_teacher_of_another_mean_and_deviation_by_hand():
    own, given = (grey_geometry(4, 4, mean=(mean,), std=(std,)) for mean, std in ((30.0, 10.0), (100.0, 50.0)))
    # Grey level 150 is 1 to the pupil and 12 to the teacher.
    assert Reframed(Told(), own, given)(torch.ones(1, 1, 4, 4)).numpy() == pytest.approx(12.0)
