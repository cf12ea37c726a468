"""The C++ example: an ONNX file alone is answered as Python does, here and on ARM64."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from gonogo.data.geometry import Geometry
from gonogo.data.images import decode_photo
from gonogo.data.scan import cache_folder
from gonogo.data.task import Task
from gonogo.evaluate.decision import Decision
from gonogo.export.onnx import write
from gonogo.export.parity import answer
from gonogo.gauge.gauge import Gauge
from gonogo.models.deployed import Deployed
from tests.export.test_c_programs import write_pgm
from tests.helpers import REPOSITORY, noise, skip
from tests.helpers_arm import CORE, QEMU, ROOT, need_python
from tests.helpers_c import network_as_c, photos_of, run_compiler

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EXAMPLE = REPOSITORY / "examples" / "cpp" / "inspect.cpp"
WARNINGS = ("-std=c++17", "-pedantic", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror")
CODES = {"go": 0, "no-go": 1, "review": 3, "sorted": 0}
# Read before any test has a cache of its own.
INSTALLED = cache_folder() / "onnxruntime"
Ask = Callable[..., subprocess.CompletedProcess[str]]


def compile_example(compiler: str, machine: str, folder: Path) -> Path:
    if not (INSTALLED / "made-of").is_file():
        skip(f"no ONNX Runtime for C++ in {INSTALLED}; run: make cpp")
    program, libraries = folder / f"inspect-{machine}", INSTALLED / "lib" / machine
    linked = ("-L", libraries, "-lonnxruntime", f"-Wl,-rpath,{libraries}")
    done = run_compiler([compiler, *WARNINGS, "-isystem", INSTALLED / "include", EXAMPLE, *linked, "-o", program])
    assert (done.returncode, done.stderr) == (0, "")
    return program


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    program = compile_example("g++", platform.machine(), tmp_path_factory.mktemp("cpp"))
    return lambda *words: subprocess.run([program, *words], capture_output=True, text=True, check=False)


def check(done: subprocess.CompletedProcess[str], gauge: Gauge, photo: Path) -> str:
    """Check what the example says of a photo against Python; return the verdict."""
    expected = gauge.inspect(photo)
    verdict, label, prob, _, cell, _, cells = done.stdout.split()
    assert (verdict, label) == (expected.verdict or "sorted", expected.label)
    assert abs(float(prob) - expected.prob) <= 1e-5
    assert expected.heatmap is not None
    rows, columns = expected.heatmap.shape
    assert cells == f"{columns}x{rows}"
    column, row = map(int, cell.split(","))
    assert expected.heatmap[row, column] >= expected.heatmap.max() - 1e-5
    assert (done.returncode, done.stderr) == (CODES[verdict], "")
    return verdict


def photos(plates: Path, folder: Path) -> list[Path]:
    names = sorted((plates / "defect").iterdir())[:4] + sorted((plates / "ok").iterdir())[:4]
    return [write_pgm(folder / f"{place}.pgm", decode_photo(name, channels=1)) for place, name in enumerate(names)]


def test_a_trained_gauge_is_answered_as_in_python(ask: Ask, gauge_folder: Path, plates: Path, tmp_path: Path):
    gauge = Gauge.load(gauge_folder)
    told = {check(ask(gauge_folder / "model.onnx", photo), gauge, photo) for photo in photos(plates, tmp_path)}
    assert {"go", "no-go"} <= told


def test_a_trained_gauge_is_answered_on_arm64_as_here(gauge_folder: Path, plates: Path, tmp_path: Path):
    need_python()
    program = compile_example("aarch64-linux-gnu-g++", "aarch64", tmp_path)
    emulator = [QEMU, "-cpu", CORE, "-L", ROOT, program, gauge_folder / "model.onnx"]
    gauge = Gauge.load(gauge_folder)
    for photo in photos(plates, tmp_path):
        check(subprocess.run([*emulator, photo], capture_output=True, text=True, check=False), gauge, photo)


def untrained(folder: Path, geometry: Geometry, decide: Callable[[float], Decision], *, novelty: bool) -> Gauge:
    """Write an ONNX file alone; `decide` is told what the network answers for noise."""
    made, facts, _ = network_as_c(folder, "taper", geometry, novelty=novelty)
    middle = float(answer(made, photos_of(geometry, 1)).pred_probs[0, 0])
    facts = replace(facts, decision=decide(middle))
    deployed = Deployed(made.network, geometry, facts.decision.task, made.novelty).eval()
    write(deployed, facts, photos_of(geometry, 2), folder / "model.onnx")
    return Gauge.load(folder / "model.onnx")


def test_colour_of_any_size_and_review(ask: Ask, tmp_path: Path):
    geometry = Geometry(None, None, 3, (2, 3, 76, 55), 2, "rgb", (127.5,) * 3, (64.0,) * 3)
    task = Task(("defect", "ok"), "ok")
    told = set()
    for place, (low, high) in enumerate([(-0.2, -0.1), (-0.1, 0.1), (0.1, 0.2)]):
        folder = tmp_path / str(place)
        folder.mkdir()
        gauge = untrained(
            folder,
            geometry,
            lambda middle, low=low, high=high: Decision(task, middle + low, "test", no_go_from=middle + high),
            novelty=False,
        )
        for number, (height, width) in enumerate([(60, 80), (100, 90)]):
            photo = write_pgm(folder / "photo.ppm", noise(height, width, 3, number))
            told.add(check(ask(folder / "model.onnx", photo), gauge, photo))
    assert told == {"go", "no-go", "review"}


@pytest.mark.parametrize("novelty", [False, True])
def test_sorting_and_what_was_never_seen(novelty: bool, ask: Ask, tmp_path: Path):
    gauge = untrained(
        tmp_path,
        Geometry(48, 60),
        lambda middle: Decision(Task(("hole", "scratch"), None), None, "test"),
        novelty=novelty,
    )
    photo = write_pgm(tmp_path / "photo.pgm", noise(48, 60, seed=1))
    assert check(ask(tmp_path / "model.onnx", photo), gauge, photo) == ("review" if novelty else "sorted")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "another kind"),
        (b"P5\n9 9\n255\n" + b"x" * 81, "another size; expected 64 x 64"),
        (b"P5\n64 64\n255\nxx", "cut short"),
        (b"P6\n64 64\n255\n" + b"x" * 12288, "another kind of file; expected PGM"),
        (b"P5\n64 64\n65535\n" + b"x" * 8192, "another kind"),
        (b"P5\n-1 99999999999999999999\n255\n", "another kind"),
        (b"P5\n99999 99999\n255\n", "another size"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(
    content: bytes, why: str, ask: Ask, gauge_folder: Path, tmp_path: Path
):
    (tmp_path / "photo.pgm").write_bytes(content)
    refused(ask(gauge_folder / "model.onnx", tmp_path / "photo.pgm"), why)


def refused(done: subprocess.CompletedProcess[str], why: str) -> None:
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_models_that_are_no_gauge_are_refused_in_one_line(ask: Ask, gauge_folder: Path, plates: Path, tmp_path: Path):
    photo = photos(plates, tmp_path)[0]
    refused(ask(tmp_path / "none.onnx", photo), "none.onnx")
    refused(ask(photo, photo), "0.pgm")
    model = onnx.load(gauge_folder / "model.onnx")
    facts = model.metadata_props[0].value
    for text, why in ((facts.replace('"schema": 1', '"schema": 9'), "schema 9, expected 1"), (facts[:50], "parse")):
        model.metadata_props[0].value = text
        onnx.save(model, tmp_path / "other.onnx")
        refused(ask(tmp_path / "other.onnx", photo), why)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    refused(ask(tmp_path / "bare.onnx", photo), "no gonogo metadata")
