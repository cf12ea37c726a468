"""A gauge answers pixels, photos and folders alike, from its folder or from its ONNX file alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from gonogo import Gauge
from gonogo.data.images import decode_photo
from gonogo.errors import DataError, GaugeError
from gonogo.gauge.facts import digest
from gonogo.types import Verdict
from tests.helpers import noise


@pytest.fixture(scope="module")
def gauge(gauge_folder: Path) -> Gauge:
    return Gauge.load(gauge_folder)


def test_plain_photos_get_the_right_verdict(gauge: Gauge, plates: Path):
    for label, verdict in (("ok", "go"), ("defect", "no-go")):
        answers = [gauge.inspect(path) for path in sorted((plates / label).iterdir())]
        assert [answer.verdict for answer in answers] == [verdict] * len(answers)
        assert {answer.label for answer in answers} == {label}


def test_the_region_of_a_no_go_lies_on_the_hole(gauge: Gauge, plates: Path):
    hits = 0
    for path in sorted((plates / "defect").iterdir()):
        pixels = decode_photo(path, channels=1)[:, :, 0].astype(float)
        blocks = np.lib.stride_tricks.sliding_window_view(pixels, (12, 12)).mean(axis=(2, 3))
        y, x = np.unravel_index(blocks.argmin(), blocks.shape)
        left, top, width, height = gauge.inspect(path).region  # type: ignore[misc]
        assert 0 <= left <= left + width <= 64
        assert 0 <= top <= top + height <= 64
        hits += left < x + 12 and x < left + width and top < y + 12 and y < top + height
    assert hits >= 25, "of 30"


def test_a_go_has_no_region(gauge: Gauge, plates: Path):
    answer = gauge.inspect(plates / "ok" / "00.png")
    assert answer.region is None
    assert answer.heatmap is not None
    assert answer.heatmap.dtype == np.float32


def test_files_arrays_and_batches_are_answered_alike(gauge: Gauge, plates: Path):
    paths = sorted((plates / "defect").iterdir())[:5]
    pixels = np.stack([gauge.read(path) for path in paths])
    from_files = [gauge.inspect(path) for path in paths]
    from_arrays = [gauge.inspect(photo[:, :, 0]) for photo in pixels]
    together = gauge.predict(pixels)
    assert [a.to_json() for a in from_files] == [a.to_json() for a in from_arrays]
    assert [a.prob for a in together] == pytest.approx([a.prob for a in from_files], abs=1e-6)
    assert [a.verdict for a in together] == [a.verdict for a in from_files]


def test_the_onnx_file_alone_is_complete(gauge: Gauge, gauge_folder: Path, plates: Path, tmp_path: Path):
    alone = Gauge.load(shutil.copy(gauge_folder / "model.onnx", tmp_path / "renamed.onnx"))
    assert alone.facts == gauge.facts
    for path in (plates / "ok" / "00.png", plates / "defect" / "00.png"):
        assert alone.inspect(path).to_json() == gauge.inspect(path).to_json()


@pytest.mark.parametrize(
    "pixels", [noise(64, 63), noise(64, 64, 3), noise(64, 64).astype(np.float32), noise(64, 64)[None]]
)
def test_pixels_that_do_not_fit_are_refused(gauge: Gauge, pixels: np.ndarray):
    with pytest.raises(DataError, match="expected"):
        gauge.inspect(pixels)


def test_the_manifest_states_what_lies_there(gauge: Gauge, gauge_folder: Path):
    values = json.loads((gauge_folder / "gauge.json").read_text())
    assert {path.name for path in gauge_folder.iterdir()} == {"gauge.json", "model.onnx", "golden.npz", "seen.npy"}
    assert values["schema"] == 1
    assert values["files"][0]["size_bytes"] == (gauge_folder / "model.onnx").stat().st_size
    assert values["digest"] == digest({key: value for key, value in values.items() if key != "digest"})
    assert gauge.files[0].max_abs_diff <= 1e-4
    assert {"run", "data_fingerprint", "weights_sha256", "val", "params", "macs", "seed"} <= set(values["about"])


def test_a_manifest_cannot_name_files_elsewhere(gauge_folder: Path, tmp_path: Path):
    folder = shutil.copytree(gauge_folder, tmp_path / "gauge")
    shutil.copy(gauge_folder / "model.onnx", tmp_path / "model.onnx")
    values = json.loads((folder / "gauge.json").read_text())
    values.pop("digest")
    values["files"][0]["path"] = "../model.onnx"
    (folder / "gauge.json").write_text(json.dumps(values | {"digest": digest(values)}))
    with pytest.raises(GaugeError, match="not a file of this folder"):
        Gauge.load(folder)


def test_a_verdict_is_plain_json():
    verdict = Verdict("bad", 0.75, "no-go", np.zeros((2, 2), dtype=np.float32), (1, 2, 3, 4))
    assert json.loads(json.dumps(verdict.to_json())) == {
        "label": "bad",
        "prob": 0.75,
        "verdict": "no-go",
        "region": [1, 2, 3, 4],
        "novelty": None,
    }
