"""Teaching by features: what a lesson is, and that a pupil learns it in place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch.nn import functional as F

from gonogo.data.manifest import Manifest, Sample
from gonogo.data.task import Task
from gonogo.errors import UsageError
from gonogo.models.architecture import make_spec
from gonogo.train.distil import Lesson, Pupil, learn_taught, taught_loss
from gonogo.train.prepare import Prepared
from tests.helpers import UNCHANGED, grey_geometry, noise

RNG = np.random.default_rng(0)
FABRIC = Fabric(accelerator="cpu", devices=1)
RECIPE = replace(UNCHANGED, epochs=30, batch_size=8, keep="last", patience=0, label_smoothing=0.0)
SHAPE = {"widths": (8,), "kernels": (3,), "strides": (2,), "pools": (1,), "norms": (True,)}


def prepared() -> Prepared:
    """Return 16 training photos and 4 others whose classes nothing tells, but whose light does vary."""
    pixels = np.stack([noise(16, 16, seed=n) // 4 + 8 * n for n in range(20)]).astype(np.uint8)
    splits = ["train"] * 16 + ["val"] * 4
    samples = tuple(Sample(f"{n}.png", "ab"[n % 2], split) for n, split in enumerate(splits))
    manifest = Manifest(Path(), samples, ("a", "b"))
    return Prepared(manifest, Task(("a", "b"), "a"), grey_geometry(16, 16), pixels, (), {})


def taper() -> torch.nn.Module:
    torch.manual_seed(0)
    return make_spec("taper", 2, 1, SHAPE).build()


def test_a_lesson_has_uncorrelated_columns_of_mean_0_and_deviation_1():
    features = (RNG.normal(size=(50, 6)) @ RNG.normal(size=(6, 9)) * 7 + 3).astype(np.float32)
    features[:, 4] = 2.5  # says nothing
    targets = Lesson.of(features, 4).targets
    assert targets.shape == (50, 4)
    assert np.abs(targets.mean(0)).max() < 1e-5
    assert np.allclose(targets.T @ targets / 50, np.eye(4), atol=1e-4)
    assert Lesson.of(features).targets.shape == (50, 6)  # there is no more in them


def test_a_lesson_of_features_that_do_not_vary_is_refused():
    with pytest.raises(UsageError, match="no difference between 5 photos"):
        Lesson.of(np.ones((5, 3), dtype=np.float32))


def test_the_loss_by_hand():
    labels, lesson = torch.tensor([1, 0, 1]), Lesson(np.array([[1, 2], [0, 0], [3, 1]], dtype=np.float32), 0.5)
    outputs, places = torch.tensor([[2.0, 1.0, 1.0, 1.0], [0.0, 3.0, 2.0, 2.0]]), torch.tensor([2, 0])
    expected = F.cross_entropy(outputs[:, :2], torch.tensor([1, 1])) + 0.5 * (4 + 0 + 1 + 0) / 4
    assert float(taught_loss(labels, lesson, F.cross_entropy)(outputs, places)) == pytest.approx(float(expected))


def test_a_pupil_answers_as_its_network_does():
    network = taper()
    pupil, photos = Pupil(network, 5), torch.randn(3, 1, 16, 16)  # type: ignore[arg-type]
    assert pupil.train()(photos).shape == (3, 7)
    assert torch.equal(pupil.eval()(photos), network.eval()(photos))


def test_the_network_learns_in_place_what_the_teacher_saw(tmp_path):
    data = prepared()
    light = data.pixels.mean((1, 2, 3), dtype=np.float32)[:16]
    lesson = Lesson.of(light[:, None], weight=10.0)
    network = taper()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    progress = learn_taught(network, data, RECIPE, lesson, FABRIC, tmp_path / "checkpoint.safetensors")
    assert progress.epoch == 30
    # What is pooled now tells the light of photos that no lesson was about.
    network.eval()
    with torch.no_grad():
        inputs = (torch.from_numpy(data.pixels[:, None, :, :, 0]).float() - 127.5) / 64
        pooled = network.head.pooled(network.body(inputs)).numpy()
    assert all(name in before for name in network.state_dict())
    assert any(not torch.equal(before[name], value) for name, value in network.state_dict().items())
    design = np.column_stack([pooled, np.ones(20)])
    fitted = np.linalg.lstsq(design[:16], lesson.targets, rcond=None)[0]
    assert np.abs(design[:16] @ fitted - lesson.targets).mean() < 0.2
    assert progress.history[-1]["train_loss"] < 0.2 * progress.history[0]["train_loss"]


def test_what_no_teacher_saw_is_refused(tmp_path):
    lesson = Lesson.of(RNG.normal(size=(16, 3)).astype(np.float32))
    with pytest.raises(UsageError, match="a teacher saw whole photos, found mixup_alpha"):
        learn_taught(taper(), prepared(), replace(RECIPE, mixup_alpha=0.2), lesson, FABRIC, tmp_path / "c")
    with pytest.raises(UsageError, match="found a lesson of 3 photos, expected the 16 training photos"):
        learn_taught(taper(), prepared(), RECIPE, Lesson(lesson.targets[:3]), FABRIC, tmp_path / "c")
    with pytest.raises(UsageError, match="found StatisticsHead; give a taper"):
        Pupil(make_spec("stump", 2, 1, {"cut": 1}).build(), 3)
