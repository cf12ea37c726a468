"""Training on a backbone of timm: from photos to a gauge, features remembered, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gonogo.data.scan import cache_folder
from gonogo.export.gauge import export_gauge
from gonogo.gauge.gauge import Gauge
from gonogo.models.timm import create
from gonogo.train import transfer
from gonogo.train.novelty import LEFT_WEIGHS, spread_of
from gonogo.train.prepare import DataOptions
from gonogo.train.train import TrainRequest, train
from tests.helpers import in_process, one_error_line


def write_weights(path: Path, backbone: str) -> Path:
    """Write random weights of a backbone as a safetensors file, under timm's names."""
    torch.manual_seed(0)
    save_file(create(backbone).state_dict(), path)
    return path


def request(data: Path, folder: Path, backbone: str, **changes: object) -> TrainRequest:
    weights = write_weights(folder / f"{backbone}.safetensors", backbone)
    return TrainRequest(data, folder / "run", "timm", {"backbone": backbone}, weights=weights, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("backbone", "size"),
    [
        pytest.param("test_efficientnet", None, marks=pytest.mark.slow),
        pytest.param("test_vit", (160, 160), marks=pytest.mark.slow),
    ],
)
def test_photos_become_a_gauge_that_answers_alike(backbone: str, size: tuple | None, plates: Path, tmp_path: Path):
    run = train(request(plates, tmp_path, backbone, options=DataOptions(size=size)))
    # The head alone is trained: a weight for each channel and class, and a bias for each class.
    metrics, head = run.metrics, run.load_network().head
    assert metrics["params_trainable"] == 2 * head.classifier.in_features + 2
    assert (metrics["epochs"], metrics["refused"]) == (0, None)
    assert run.config.geometry.network_channels == 3
    assert export_gauge(run, tmp_path / "gauge").parities[0].max_abs_diff <= 1e-4
    verdicts = [Gauge.load(tmp_path / "gauge").inspect(path) for path in sorted((plates / "defect").iterdir())]
    assert sum(verdict.verdict == "no-go" for verdict in verdicts) > len(verdicts) / 2


def test_features_are_computed_once(plates: Path, tmp_path: Path, empty_cache: Path, monkeypatch):
    first = train(request(plates, tmp_path, "test_resnet"))
    remembered = list((cache_folder() / "features").glob("*.safetensors"))
    assert len(remembered) == 3  # for the head, of training and of validation photos; for what is unlike them, of both
    (tmp_path / "other").mkdir()
    # Photos, weights and split are the same: another threshold needs no pass over the photos.
    monkeypatch.setattr(transfer, "extract", None)
    again = train(request(plates, tmp_path / "other", "test_resnet", decision={"best_f1": True}))
    for name in ("model.safetensors", "predictions.parquet"):
        assert (again.path / name).read_bytes() == (first.path / name).read_bytes()


@pytest.mark.slow
def test_features_that_a_disk_fault_cut_are_computed_again(plates: Path, tmp_path: Path, empty_cache: Path):
    first = train(request(plates, tmp_path, "test_resnet"))
    for path in (cache_folder() / "features").glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:500])
    (tmp_path / "other").mkdir()
    again = train(request(plates, tmp_path / "other", "test_resnet"))
    assert (again.path / "model.safetensors").read_bytes() == (first.path / "model.safetensors").read_bytes()


def test_of_fewer_photos_than_features_the_distance_is_the_same():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(12, 30)) @ rng.normal(size=(30, 30))
    spread = spread_of(values, np.arange(12))
    scaled = (values - values.mean(0)) / spread.std / np.sqrt(12)
    variances, axes = np.linalg.eigh(scaled.T @ scaled)
    k = len(spread.variances)
    assert 1 < k < 12
    assert np.allclose(spread.variances, variances[::-1][:k])
    assert np.allclose(np.abs(spread.axes @ axes[:, ::-1][:, :k]), np.eye(k), atol=1e-9)
    assert spread.rest == pytest.approx(variances[:-k].sum() / LEFT_WEIGHS)


@pytest.mark.parametrize(
    ("options", "weights", "message"),
    [
        (("backbone=test_vit",), "test_vit", "takes 160x160 pixels and no others, found 64x64; give --size 160x160"),
        (("backbone=test_resnet",), "test_vit", "not of test_resnet: 'conv1.0.weight' is missing; they begin with"),
        (("backbone=test_resnet",), None, "stands on pretrained weights, and random ones would only pass for them"),
        (("backbone=test_resnett",), "test_resnet", "no backbone 'test_resnett'; did you mean test_resnet"),
        (("backbones=test_resnet",), "test_resnet", "unknown key 'backbones'"),
    ],
)
def test_what_does_not_fit_is_one_line(options: tuple, weights: str | None, message: str, plates: Path, tmp_path: Path):
    given = ["--weights", write_weights(tmp_path / "w.safetensors", weights)] if weights else []
    given += [word for option in options for word in ("--with", option)]
    done = in_process("train", plates, "--arch", "timm", *given, "--reduce", 1, "-o", tmp_path / "run")
    assert message in one_error_line(done)
    assert not (tmp_path / "run").exists()
