"""ARM64: a gauge of real castings answers there, in C and under ONNX Runtime, as it does here."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from gonogo.data.formats import read_dataset
from gonogo.data.images import decode_photo
from gonogo.export.gauge import export_gauge
from gonogo.gauge.gauge import Gauge
from gonogo.train.run import Run
from gonogo.train.train import TrainRequest, train
from tests.helpers import link_castings
from tests.helpers_arm import CORE, GCC, emulated, gonogo_on_arm64, need_programs, need_python
from tests.helpers_c import run_compiler

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PLAIN = "-DGONOGO_PLAIN_C"
# As the C file's own head says to compile it for a device, where a product and a sum may become one instruction.
TUNED = ("-mcpu=cortex-a53", "-ffp-contract=fast", "-fno-trapping-math")
# Writes the whole answer for every photo, as the struct lies in memory: both machines are little-endian.
DRIVER = """
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    const size_t size = GONOGO_WIDTH * GONOGO_HEIGHT * GONOGO_CHANNELS;
    gonogo_verdict *told = malloc(sizeof *told);
    uint8_t *pixels = malloc(size);
    if (told == NULL || pixels == NULL)
        return 2;
    while (fread(pixels, 1, size, stdin) == size)
        if (gonogo_infer(pixels, told) != GONOGO_OK || fwrite(told, sizeof *told, 1, stdout) != 1)
            return 3;
    return 0;
}
"""


@pytest.fixture(scope="module")
def castings_run(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    need_programs()
    folder = tmp_path_factory.mktemp("arm64")
    photos = link_castings(read_dataset(real_data / "casting"), folder / "photos", 150)
    return Run.open(train(TrainRequest(photos, folder / "run", recipe={"epochs": 6, "batch_size": 8})).path)


@pytest.fixture(scope="module")
def gauge(castings_run: Run) -> Gauge:
    return export_gauge(castings_run, castings_run.path.parent / "gauge", ["onnx", "c"]).gauge


@pytest.fixture(scope="module")
def names(real_data: Path) -> list[Path]:
    """Every fourth photo of the published test set."""
    names = sorted((real_data / "casting" / "test").rglob("*.jpeg"))[::4]
    assert len(names) == 105
    return names


def answers_of(compiler: str, source: Path, flags: tuple[str, ...], folder: Path, photos: np.ndarray) -> np.ndarray:
    """Return (N, words) the answers as they lie in memory; the last two words are label and verdict."""
    (folder / "driver.c").write_text(f'#include "{source.stem}.h"\n{DRIVER}')
    program = folder / f"{compiler}-{source.stem}"
    sources = ("-I", source.parent, folder / "driver.c", source)
    done = run_compiler([compiler, "-std=c99", "-O3", *flags, "-static", *sources, "-lm", "-o", program])
    assert (done.returncode, done.stderr) == (0, "")
    pixels = photos.tobytes()
    told = emulated(program, pixels) if compiler == GCC else subprocess.check_output([program], input=pixels)
    return np.frombuffer(told, np.uint32).reshape(len(photos), -1)


def codes(verdicts: list[str | None]) -> list[int]:
    return [("go", "no-go", "review").index(str(verdict)) for verdict in verdicts]


@pytest.mark.parametrize("flags", [(), (PLAIN,), TUNED], ids=["vectors", "plain", "tuned"])
def test_the_c_file_answers_on_arm64_as_here(flags: tuple[str, ...], gauge: Gauge, names: list[Path], tmp_path: Path):
    photos = np.stack([decode_photo(name, channels=1) for name in names])
    found = answers_of(GCC, gauge.path / "gauge.c", flags, tmp_path, photos)
    expected = gauge.open(gauge.files[1])(photos)
    assert expected.heatmap is not None
    assert expected.novelty is not None
    floats = found[:, :-2].view(np.float32)
    assert np.abs(floats[:, :2] - expected.pred_probs).max() <= 1e-5
    assert np.abs(floats[:, 2:-2] - expected.heatmap.reshape(len(photos), -1)).max() <= 1e-5
    assert np.abs(floats[:, -2] - expected.novelty).max() <= 1e-4
    decided = gauge.facts.decision.verdicts(expected.pred_probs, expected.novelty)
    assert {"go", "no-go"} <= set(decided)
    assert found[:, -1].tolist() == codes(decided)


def test_eight_bits_in_c_are_the_same_bits_on_arm64(castings_run: Run, names: list[Path], tmp_path: Path):
    gauge = export_gauge(castings_run, tmp_path / "gauge", ["c-int8"]).gauge
    photos = np.stack([decode_photo(name, channels=1) for name in names])
    source = gauge.file_path(gauge.files[0])
    vectors, plain, tuned = (answers_of(GCC, source, flags, tmp_path, photos) for flags in ((), (PLAIN,), TUNED))
    here = gauge.open()(photos)
    decided = gauge.facts.decision.verdicts(here.pred_probs, here.novelty)
    assert {"go", "no-go"} <= set(decided)
    # What follows the whole numbers (a mean, the head) is in floats, which this machine's own instructions may fuse.
    for found in (vectors, plain, tuned):
        assert np.abs(found[:, :2].view(np.float32) - here.pred_probs).max() <= 1e-5
        assert found[:, -1].tolist() == codes(decided)
    assert np.array_equal(vectors, plain)
    assert np.array_equal(vectors, answers_of("gcc", source, (), tmp_path, photos))


@pytest.mark.parametrize("core", [CORE, "max"])
def test_onnx_runtime_gives_the_same_verdicts_on_arm64(core: str, gauge: Gauge, names: list[Path]):
    need_python()
    done = gonogo_on_arm64("predict", gauge.path / "model.onnx", *names, "--json", core=core)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    expected = [gauge.inspect(name) for name in names]
    assert [row["path"] for row in found] == [str(name) for name in names]
    assert [(row["verdict"], row["label"]) for row in found] == [(told.verdict, told.label) for told in expected]
    assert {"go", "no-go"} <= {row["verdict"] for row in found}
    assert max(abs(row["prob"] - told.prob) for row, told in zip(found, expected, strict=True)) <= 1e-5


def test_the_whole_gauge_is_verified_on_arm64(gauge: Gauge):
    need_python()
    done = gonogo_on_arm64("verify", gauge.path, "--json", CC=GCC)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["files"]
    assert [row["runtime"] for row in rows] == ["onnxruntime", "native"]
    assert all(row["verdicts_equal"] and row["max_abs_diff"] <= 1e-5 for row in rows)
