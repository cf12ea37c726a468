"""OpenVINO opens gauges and refuses everything else; nothing phones home."""

from __future__ import annotations

import json
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
from tests.helpers import in_process, noise, one_error_line, python


@pytest.fixture(scope="module")
def gauge(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("openvino") / "gauge"
    export_gauge(Run.open(run_folder), folder, ["openvino", "onnx"])
    return folder


def test_a_gauge_lists_the_weights_as_belonging_to_the_graph(gauge: Path):
    opened = Gauge.load(gauge)
    graph, alone = opened.files
    assert (graph.path, list(graph.companions), graph.runtime, graph.precision) == (
        "model.xml",
        ["model.bin"],
        "openvino",
        "fp32",
    )
    assert graph.size_bytes == sum((gauge / name).stat().st_size for name in ("model.xml", "model.bin"))
    assert alone.companions == {}
    assert "companions" not in json.loads((gauge / "gauge.json").read_text())["files"][1]
    assert all(parity.holds for _, parity in verify(opened))


def test_both_runtimes_answer_alike(gauge: Path):
    opened = Gauge.load(gauge)
    pixels = np.stack([noise(64, 64, seed=seed) for seed in range(6)])
    first, second = (opened.open(file)(pixels) for file in opened.files)
    assert np.abs(first.pred_probs - second.pred_probs).max() < 1e-5
    assert np.allclose(first.heatmap, second.heatmap, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["model.xml", "model.bin"])
def test_a_file_that_is_cut_or_missing_is_named(name: str, gauge: Path, tmp_path: Path):
    copied = shutil.copytree(gauge, tmp_path / "gauge")
    (copied / name).write_bytes((gauge / name).read_bytes()[:-9])
    assert f"{name} is cut or altered" in one_error_line(in_process("verify", copied))
    (copied / name).unlink()
    assert f"{name} is missing" in one_error_line(in_process("verify", copied))


def test_weights_that_are_not_beside_it_are_named(gauge: Path, tmp_path: Path):
    shutil.copyfile(gauge / "model.xml", tmp_path / "model.xml")
    with pytest.raises(GaugeError, match=r"model\.bin is missing"):
        RUNTIMES.get("openvino").open(tmp_path / "model.xml", 1)


@pytest.mark.parametrize("data", [b"", b"text", b"<net></net>"])
def test_what_is_no_model_is_refused_in_one_line(data: bytes, tmp_path: Path):
    (tmp_path / "m.xml").write_bytes(data)
    (tmp_path / "m.bin").write_bytes(b"")
    with pytest.raises(GaugeError, match=r"m\.xml") as caught:
        RUNTIMES.get("openvino").open(tmp_path / "m.xml", 1)
    assert "\n" not in str(caught.value)


def test_pixels_of_another_shape_are_refused(gauge: Path):
    session = RUNTIMES.get("openvino").open(gauge / "model.xml", 1)
    with pytest.raises(DataError, match=r"shape \(1, 9, 9, 1\)"):
        session(noise(9, 9)[None])


def test_an_answer_is_not_overwritten_by_the_next(gauge: Path):
    session = RUNTIMES.get("openvino").open(gauge / "model.xml", 1)
    first = session(noise(64, 64, seed=1)[None])
    kept = first.pred_probs.copy()
    session(noise(64, 64, seed=2)[None])
    assert np.array_equal(first.pred_probs, kept)


ABSENT = """
import sys
sys.modules[sys.argv.pop(1)] = None
from gonogo.cli import main
main()
"""


@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("openvino", ("verify", "GAUGE")),
        pytest.param("openvino", ("export", "RUN", "--format", "openvino", "--out", "OUT"), marks=pytest.mark.slow),
        pytest.param(
            "openvino", ("quantize", "RUN", "--format", "openvino-int8", "--out", "OUT"), marks=pytest.mark.slow
        ),
        ("nncf", ("quantize", "RUN", "--format", "openvino-int8", "--out", "OUT")),
    ],
)
def test_what_is_not_installed_is_one_line_with_its_command(
    package: str, arguments: tuple[str, ...], gauge: Path, run_folder: Path, tmp_path: Path
):
    places = {"GAUGE": gauge, "RUN": run_folder, "OUT": tmp_path / "out"}
    line = one_error_line(python(ABSENT, package, *(places.get(word, word) for word in arguments)))
    assert f"needs the package '{package}'" in line
    assert line.endswith("run: pip install 'gonogo[openvino]'")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_nothing_phones_home_and_nobody_gets_a_number(run_folder: Path, tmp_path: Path):
    code = """
import socket, sys
from pathlib import Path
from gonogo.compress.quantize.quantize import QuantizeRequest, quantize
from gonogo.train.run import Run

def refuse(*arguments):
    raise AssertionError(f"a connection to {arguments}")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
run, out = map(Path, sys.argv[1:])
made = quantize(QuantizeRequest(Run.open(run), out, ("openvino-int8",), max_drop=100, min_speedup=1e-6, repeats=10))
from nncf.telemetry import wrapper
print(type(wrapper.telemetry).__module__, sorted(file.path for file in made.gauge.files), "pytest" in sys.modules)
print([name for name in sys.modules if name.startswith("openvino_telemetry") and sys.modules[name] is not None])
"""
    home = tmp_path / "home"
    home.mkdir()
    done = python(code, run_folder, tmp_path / "gauge", HOME=str(home))
    assert done.stdout.splitlines() == ["unittest.mock ['model.int8.xml', 'model.xml'] False", "[]"], done.stderr
    assert list(home.iterdir()) == []
