"""A gauge's C file, compiled here: what is refused, what is kept, and that its answers are those of the network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from gonogo.bench.timer import bench
from gonogo.errors import DataError, GaugeError
from gonogo.export.gauge import export_gauge
from gonogo.gauge.gauge import Gauge
from gonogo.gauge.golden import verify
from gonogo.runtimes import RUNTIMES, native
from gonogo.runtimes.native import NativeSession, compile_library
from gonogo.train.run import Run
from tests.helpers import gonogo, noise
from tests.helpers_c import network_as_c


@pytest.fixture(scope="module")
def c_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return network_as_c(tmp_path_factory.mktemp("c"))[2]


@pytest.fixture(scope="module")
def c_gauge(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("both") / "gauge"
    export_gauge(Run.open(run_folder), folder, ["onnx", "c"])
    return folder


def test_a_gauge_with_a_c_file_verifies_and_names_its_header(c_gauge: Path):
    gauge = Gauge.load(c_gauge)
    assert [(file.path, file.runtime) for file in gauge.files] == [("model.onnx", "onnxruntime"), ("gauge.c", "native")]
    assert list(gauge.files[1].companions) == ["gauge.h"]
    assert "companions" not in json.loads((c_gauge / "gauge.json").read_text())["files"][0]
    assert all(parity.holds and parity.max_abs_diff <= 1e-5 for _, parity in verify(gauge))
    sizes = {row["runtime"]: row["size_bytes"] for row in bench(gauge, repeats=5)}
    files = {file.runtime: file.size_bytes for file in gauge.files}
    assert sizes["onnxruntime"] == files["onnxruntime"]
    # A C file's text is longer than what is compiled from it, which holds each weight in four bytes.
    assert 4 * gauge.facts.about["params"] < sizes["native"] < files["native"]


@pytest.mark.parametrize("name", ["gauge.c", "gauge.h"])
def test_an_altered_file_is_never_compiled(name: str, c_gauge: Path, tmp_path: Path, empty_cache: Path):
    copy = shutil.copytree(c_gauge, tmp_path / "gauge")
    with (copy / name).open("a") as stream:
        stream.write("\n/* changed */\n")
    with pytest.raises(GaugeError, match=rf"{name} is cut or altered"):
        Gauge.load(copy)
    assert not (empty_cache / "native").exists()


def test_it_is_compiled_once(c_file: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch):
    first = compile_library(c_file)
    assert first.parent == empty_cache / "native"
    monkeypatch.setattr(native, "_run", lambda *_: pytest.fail("compiled again"))
    assert compile_library(c_file) == first
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_without_a_compiler_it_says_what_to_install(c_file: Path, monkeypatch: pytest.MonkeyPatch, empty_cache: Path):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(native.shutil, "which", lambda _: None)
    with pytest.raises(GaugeError, match=r"found none of gcc, clang and cc; install one") as caught:
        NativeSession(c_file)
    assert "\n" not in str(caught.value)
    monkeypatch.setenv("CC", "no-such-compiler -m64")
    with pytest.raises(GaugeError, match="CC names 'no-such-compiler', which is no program here"):
        NativeSession(c_file)


def test_a_file_that_does_not_compile_is_refused_in_one_line(c_file: Path, tmp_path: Path, empty_cache: Path):
    shutil.copy(c_file.with_suffix(".h"), tmp_path / "gauge.h")
    (tmp_path / "gauge.c").write_text("int gonogo_infer(;\n")
    with pytest.raises(GaugeError, match=r"gauge\.c was not compiled: .* says '.*error.*'; export") as caught:
        NativeSession(tmp_path / "gauge.c")
    assert "\n" not in str(caught.value)
    assert list((empty_cache / "native").iterdir()) == []


def test_a_program_that_is_no_gauge_is_refused(c_file: Path, tmp_path: Path, empty_cache: Path):
    shutil.copy(c_file.with_suffix(".h"), tmp_path / "gauge.h")
    (tmp_path / "gauge.c").write_text("int other(void) { return 0; }\n")
    with pytest.raises(GaugeError, match=r"gauge\.c is not a gauge's C file"):
        NativeSession(tmp_path / "gauge.c")
    (tmp_path / "gauge.h").unlink()
    with pytest.raises(GaugeError, match=r"gauge\.h cannot be read"):
        NativeSession(tmp_path / "gauge.c")


@pytest.mark.parametrize("shape", [(1, 9, 9, 1), (1, 48, 60, 3), (48, 60, 1)])
def test_pixels_of_another_shape_are_refused(shape: tuple[int, ...], c_file: Path):
    with pytest.raises(DataError, match="do not fit the gauge's C file"):
        NativeSession(c_file)(np.zeros(shape, np.uint8))


def test_pixels_that_do_not_lie_in_one_piece_are_read_as_they_are(c_file: Path):
    session = NativeSession(c_file)
    wide = noise(48, 120)[None]
    assert np.array_equal(session(wide[:, :, ::2])[0], session(np.ascontiguousarray(wide[:, :, ::2]))[0])


def test_the_version_is_that_of_the_compiler():
    assert RUNTIMES.get("native").version().count(".") >= 1


@pytest.mark.slow
def test_the_command_line_exports_and_asks_a_c_file(run_folder: Path, plates: Path, tmp_path: Path):
    made = gonogo("export", run_folder, "-o", "gauge", "--format", "c", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert {path.name for path in (tmp_path / "gauge").iterdir()} >= {"gauge.c", "gauge.h", "gauge.json"}
    photo = next((plates / "defect").iterdir())
    asked = gonogo("predict", "gauge", photo, "--json", cwd=tmp_path)
    assert json.loads(asked.stdout)[0]["verdict"] in ("go", "no-go", "review")
