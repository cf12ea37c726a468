"""LiteRT opens gauges and refuses everything else; a TFLite file alone is enough."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from gonogo.errors import DataError, GaugeError
from gonogo.export.gauge import export_gauge
from gonogo.gauge.facts import METADATA_KEY, Facts
from gonogo.gauge.gauge import Gauge
from gonogo.gauge.golden import verify
from gonogo.runtimes import RUNTIMES
from gonogo.train.run import Run
from tests.helpers import in_process, need, noise, one_error_line, python


@pytest.fixture(scope="module")
def gauge(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("litert")
    folder = tmp_path_factory.mktemp("litert") / "gauge"
    export_gauge(Run.open(run_folder), folder, ["litert", "onnx"])
    return folder


def test_both_runtimes_answer_alike_and_the_gauge_holds(gauge: Path):
    opened = Gauge.load(gauge)
    assert [(file.path, file.runtime) for file in opened.files] == [
        ("model.tflite", "litert"),
        ("model.onnx", "onnxruntime"),
    ]
    assert all(parity.holds for _, parity in verify(opened))
    pixels = np.stack([noise(64, 64, seed=seed) for seed in range(6)])
    first, second = (opened.open(file)(pixels) for file in opened.files)
    assert np.abs(first.pred_probs - second.pred_probs).max() < 1e-5
    assert first.heatmap is not None
    assert np.allclose(first.heatmap, second.heatmap, atol=1e-4, rtol=1e-4)
    assert np.allclose(first.novelty, second.novelty, atol=1e-4, rtol=1e-4)


def test_where_operators_run_is_told(gauge: Path):
    found = RUNTIMES.get("litert").placement(gauge / "model.tflite")  # type: ignore[misc]
    assert (found.delegate, found.parts, found.own) == ("XNNPACK", 1, ())
    assert found.in_words == "XNNPACK runs all of it"


def test_the_file_alone_is_a_gauge(gauge: Path, tmp_path: Path):
    alone = Path(shutil.copyfile(gauge / "model.tflite", tmp_path / "model.tflite"))
    opened, whole = Gauge.load(alone), Gauge.load(gauge)
    assert opened.facts == whole.facts
    assert (opened.files[0].runtime, opened.files[0].precision) == ("litert", "fp32")
    photo = noise(64, 64, seed=3)
    one, other = opened.inspect(photo), whole.inspect(photo)
    assert (one.label, one.verdict, one.prob) == (other.label, other.verdict, other.prob)


def test_facts_lie_where_tflite_keeps_metadata_and_names_are_short(gauge: Path):
    from ai_edge_litert import schema_py_generated as schema

    content = (gauge / "model.tflite").read_bytes()
    model = schema.Model.GetRootAs(content)
    names = [model.Metadata(place).Name().decode() for place in range(model.MetadataLength())]
    assert sorted(names) == [METADATA_KEY, "min_runtime_version"]
    carried = RUNTIMES.get("litert").open(gauge / "model.tflite", 1).metadata[METADATA_KEY]
    assert Facts.from_json(json.loads(carried), "file") == Gauge.load(gauge).facts
    graph = model.Subgraphs(0)
    values = [graph.Tensors(place).Name().decode() for place in range(graph.TensorsLength())]
    assert {"pixels", "pred_probs", "heatmap", "novelty"} <= set(values)
    assert sum(name.startswith("body/") and "conv" in name for name in values) == 4
    assert b"gonogo.models" not in content


@pytest.mark.parametrize("data", [b"", b"text", b"0000TFL3", b"\x1c\x00\x00\x00TFL3" + b"\xff" * 99])
def test_what_is_no_model_is_refused_in_one_line(data: bytes, tmp_path: Path):
    need("litert")
    (tmp_path / "m.tflite").write_bytes(data)
    with pytest.raises(GaugeError, match=r"m\.tflite is not a model that LiteRT can open") as caught:
        RUNTIMES.get("litert").open(tmp_path / "m.tflite", 1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_is_refused_before_it_is_run(share: float, gauge: Path, tmp_path: Path):
    content = (gauge / "model.tflite").read_bytes()
    (tmp_path / "m.tflite").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(GaugeError, match=r"m\.tflite"):
        Gauge.load(tmp_path / "m.tflite")


def test_pixels_of_another_shape_or_type_are_refused(gauge: Path):
    session = RUNTIMES.get("litert").open(gauge / "model.tflite", 1)
    with pytest.raises(DataError, match=r"shape \(1, 9, 9, 1\).*takes \(N, 64, 64, 1\) uint8"):
        session(noise(9, 9)[None])
    with pytest.raises(DataError, match="float32 pixels"):
        session(noise(64, 64)[None].astype(np.float32))


def test_an_answer_is_not_overwritten_by_the_next(gauge: Path):
    session = RUNTIMES.get("litert").open(gauge / "model.tflite", 1)
    first = session(noise(64, 64, seed=1)[None])
    kept = first.pred_probs.copy()
    session(noise(64, 64, seed=2)[None])
    assert np.array_equal(first.pred_probs, kept)


def test_litert_does_not_speak_between_the_lines(gauge: Path):
    done = python("from gonogo.cli import main; main()", "verify", gauge, "--json")
    assert done.returncode == 0
    assert "INFO" not in done.stderr
    assert "delegate" not in done.stderr
    assert [file["verdicts_equal"] for file in json.loads(done.stdout)["files"]] == [True, True]


ABSENT = """
import sys
sys.modules[sys.argv.pop(1)] = None
from gonogo.cli import main
main()
"""


@pytest.mark.parametrize(
    ("package", "extra", "arguments"),
    [
        ("ai_edge_litert", "litert", ("verify", "GAUGE")),
        pytest.param(
            *("litert_torch", "litert-export", ("export", "RUN", "--format", "litert", "--out", "OUT")),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *("ai_edge_quantizer", "litert-export", ("quantize", "RUN", "--format", "litert-int8", "--out", "OUT")),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_is_not_installed_is_one_line_with_its_command(
    package: str, extra: str, arguments: tuple[str, ...], gauge: Path, run_folder: Path, tmp_path: Path
):
    places = {"GAUGE": gauge, "RUN": run_folder, "OUT": tmp_path / "out"}
    line = one_error_line(python(ABSENT, package, *(places.get(word, word) for word in arguments)))
    assert f"needs the package '{package.replace('_', '-')}'" in line
    assert line.endswith(f"run: pip install 'gonogo[{extra}]'")
    assert list(tmp_path.iterdir()) == []


def test_a_cut_file_of_a_gauge_is_named(gauge: Path, tmp_path: Path):
    copied = shutil.copytree(gauge, tmp_path / "gauge")
    (copied / "model.tflite").write_bytes((gauge / "model.tflite").read_bytes()[:-9])
    assert "model.tflite is cut or altered" in one_error_line(in_process("verify", copied))
