"""An export that does not answer like the network is refused, and nothing is left behind."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from gonogo.errors import ExportError, UsageError
from gonogo.export import EXPORTERS
from gonogo.export.gauge import export_gauge, spread
from gonogo.export.parity import check_parity, load_photos
from gonogo.models.deployed import Deployed
from gonogo.train.run import Run


@pytest.fixture(scope="module")
def run(run_folder: Path) -> Run:
    return Run.open(run_folder)


def deployed(run: Run) -> Deployed:
    return Deployed(run.load_network(), run.config.geometry, run.config.task).eval()


@pytest.fixture(scope="module")
def pixels(run: Run) -> np.ndarray:
    val = run.manifest().select("val")
    return load_photos(val, list(val.samples), run.config.geometry)


def test_the_file_answers_as_the_network_on_every_photo(run: Run, gauge_folder: Path, pixels: np.ndarray):
    parity = check_parity(gauge_folder / "model.onnx", "onnxruntime", run.decision, deployed(run), pixels)
    assert parity.images == len(pixels) > 8
    assert parity.verdicts_equal
    assert parity.max_abs_diff <= 1e-4


def test_a_file_of_other_weights_is_refused(run: Run, gauge_folder: Path, pixels: np.ndarray):
    other = copy.deepcopy(deployed(run))
    with torch.no_grad():
        other.network.head.classifier.bias[0] += 0.01
    with pytest.raises(ExportError, match=r"does not answer as the network did.*at most 0\.0001 allowed"):
        check_parity(gauge_folder / "model.onnx", "onnxruntime", run.decision, other, pixels)


def test_a_refused_export_leaves_no_gauge(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # The network is changed between writing and comparing, as a broken exporter would.
    exporter = EXPORTERS.get("onnx")
    whole = exporter.write

    def write(network: Deployed, *rest: object) -> None:
        whole(network, *rest)  # type: ignore[arg-type]
        with torch.no_grad():
            network.network.head.classifier.bias[0] += 1

    monkeypatch.setattr(EXPORTERS, "get", lambda name: exporter.__class__("model.onnx", "onnxruntime", "fp32", write))
    with pytest.raises(ExportError, match="it was not written"):
        export_gauge(run, tmp_path / "gauge")
    assert list(tmp_path.iterdir()) == []


def test_formats_are_named(run: Run, tmp_path: Path):
    with pytest.raises(UsageError, match="did you mean 'onnx'"):
        export_gauge(run, tmp_path / "gauge", ["onnxx"])
    with pytest.raises(UsageError, match="no format was named"):
        export_gauge(run, tmp_path / "gauge", [])
    assert list(tmp_path.iterdir()) == []


def test_parity_photos_are_spread_over_the_classes(run: Run):
    manifest = run.manifest()
    chosen = spread(manifest, 10)
    assert [s.label for s in chosen] == ["defect"] * 5 + ["ok"] * 5
    assert len({s.path for s in chosen}) == 10
    assert len(spread(manifest, 10_000)) == len(manifest)
