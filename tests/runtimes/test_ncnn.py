"""ncnn opens gauges and refuses everything else."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from gonogo.errors import DataError, GaugeError
from gonogo.export.gauge import export_gauge
from gonogo.gauge.gauge import Gauge
from gonogo.gauge.golden import verify
from gonogo.runtimes import RUNTIMES
from gonogo.train.run import Run
from tests.helpers import need, noise, one_error_line, python


@pytest.fixture(scope="module")
def gauge(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("ncnn")
    folder = tmp_path_factory.mktemp("ncnn") / "gauge"
    export_gauge(Run.open(run_folder), folder, ["ncnn", "onnx"])
    return folder


def test_both_runtimes_answer_alike_and_the_gauge_holds(gauge: Path):
    opened = Gauge.load(gauge)
    assert [(file.path, list(file.companions), file.runtime) for file in opened.files] == [
        ("model.param", ["model.bin"], "ncnn"),
        ("model.onnx", [], "onnxruntime"),
    ]
    assert all(parity.holds for _, parity in verify(opened))
    assert opened.open(opened.files[0]).metadata["gonogo_input"] == "PIXEL_GRAY"
    pixels = np.stack([noise(64, 64, seed=seed) for seed in range(6)])
    first, second = (opened.open(file)(pixels) for file in opened.files)
    assert np.abs(first.pred_probs - second.pred_probs).max() < 1e-5
    assert first.heatmap is not None
    assert np.allclose(first.heatmap, second.heatmap, atol=1e-4, rtol=1e-4)
    assert np.allclose(first.novelty, second.novelty, atol=1e-4, rtol=1e-3)


def test_a_graph_that_is_none_or_lacks_its_weights_is_refused_in_one_line(gauge: Path, tmp_path: Path):
    path = tmp_path / "m.param"
    for data, said in ((b"", "does not begin with 7767517"), (b"\xff\xfe", "can open"), (b"7767517\n", "no gonogo")):
        path.write_bytes(data)
        with pytest.raises(GaugeError, match=said) as caught:
            RUNTIMES.get("ncnn").open(path, 1)
        assert "\n" not in str(caught.value)
    shutil.copyfile(gauge / "model.param", path)
    with pytest.raises(GaugeError, match=r"m\.bin is missing"):
        RUNTIMES.get("ncnn").open(path, 1)
    (tmp_path / "m.bin").write_bytes((gauge / "model.bin").read_bytes()[:99])
    with pytest.raises(GaugeError, match="not a model that ncnn can open"):
        RUNTIMES.get("ncnn").open(path, 1)


def test_pixels_of_another_shape_are_refused(gauge: Path):
    with pytest.raises(DataError, match=r"shape \(1, 9, 9, 1\).*takes \(N, 64, 64, 1\) uint8"):
        RUNTIMES.get("ncnn").open(gauge / "model.param", 1)(noise(9, 9)[None])


ABSENT = """
import sys
sys.modules[sys.argv.pop(1)] = None
from gonogo.cli import main
main()
"""


@pytest.mark.parametrize(
    ("package", "arguments"),
    [("ncnn", ("verify", "GAUGE")), ("pnnx", ("export", "RUN", "--format", "ncnn", "--out", "OUT"))],
)
def test_what_is_not_installed_is_one_line_with_its_command(
    package: str, arguments: tuple[str, ...], gauge: Path, run_folder: Path, tmp_path: Path
):
    places = {"GAUGE": gauge, "RUN": run_folder, "OUT": tmp_path / "out"}
    line = one_error_line(python(ABSENT, package, *(places.get(word, word) for word in arguments)))
    assert line.endswith(f"needs the package '{package}', which is not installed; run: pip install 'gonogo[ncnn]'")
    assert list(tmp_path.iterdir()) == []
