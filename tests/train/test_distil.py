"""Teaching by features: what a lesson is, and that a pupil learns it in place."""

from __future__ import annotations

import math
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
from gonogo.train.distil import Answering, Lesson, Pupil, learn_taught, taught_loss
from gonogo.train.prepare import Prepared
from gonogo.train.teacher import Teaching, divergence
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


def test_the_loss_of_answers_by_hand():
    heat = 2.0
    # Softened, the teacher says 1/4 and 3/4, and the pupil one half each.
    told = torch.tensor([[0.0, heat * math.log(3)]])
    missed = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    assert float(divergence(torch.zeros(1, 2), told, heat)) == pytest.approx(heat**2 * missed, rel=1e-5)
    targets = torch.cat([torch.tensor([[1.0]]), told], 1)
    loss = taught_loss(torch.tensor([0, 1]), None, F.cross_entropy, Teaching(heat, 0.75))
    expected = 0.25 * math.log(2) + 0.75 * heat**2 * missed
    assert float(loss(torch.zeros(1, 2), targets)) == pytest.approx(expected, rel=1e-5)


def test_the_loss_of_both_is_the_sum():
    lesson, teaching = Lesson(np.array([[1, 2], [3, 1]], dtype=np.float32), 0.5), Teaching(3.0, 0.5)
    labels, outputs = torch.tensor([0, 1]), torch.tensor([[2.0, 1.0, 0.0, 0.0]])
    targets = torch.tensor([[1.0, -1.0, 4.0]])
    answers = taught_loss(labels, None, F.cross_entropy, teaching)(outputs[:, :2], targets)
    both = taught_loss(labels, lesson, F.cross_entropy, teaching)(outputs, targets)
    assert float(both) == pytest.approx(float(answers) + 0.5 * (9 + 1) / 2)


class Contrary(torch.nn.Module):
    """A teacher that tells light photos from dark ones, whatever their labels."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        light = inputs.mean((1, 2, 3))
        return torch.stack([-9 * light, 9 * light], 1)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_the_weight_says_whether_the_labels_or_the_teacher_decide(weight: float, tmp_path: Path):
    data = prepared()
    # Labels that the light does tell, but the other way round.
    light = data.pixels.mean((1, 2, 3))
    samples = tuple(replace(s, label="ba"[int(own > 115)]) for s, own in zip(data.manifest.samples, light, strict=True))
    data = replace(data, manifest=replace(data.manifest, samples=samples))
    network, recipe = taper(), replace(RECIPE, epochs=40, lr=0.02)
    answering = Answering(Contrary(), data, Teaching(1.0, weight))
    learn_taught(network, data, recipe, None, FABRIC, tmp_path / "checkpoint.safetensors", answering=answering)
    inputs = (torch.from_numpy(data.pixels[:, None, :, :, 0]).float() - 127.5) / 64
    with torch.no_grad():
        chosen = network.eval()(inputs).argmax(1)
    told = Contrary()(inputs).argmax(1)
    followed = float((chosen == told).float().mean())
    assert (followed > 0.85) if weight else (followed < 0.15)


@pytest.mark.parametrize("values", [(0.0, 0.5), (2000.0, 0.5), (4.0, -0.1), (4.0, 1.5)])
def test_a_teaching_out_of_range_is_refused(values: tuple[float, float]):
    with pytest.raises(UsageError, match="expected above 0 to 1000, and 0 to 1"):
        Teaching(*values)
