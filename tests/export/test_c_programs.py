"""C files in programs of their own: the example, and sanitizers over real photos."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from gonogo.data.geometry import Geometry
from gonogo.data.images import decode_photo
from gonogo.export.parity import answer
from gonogo.gauge.gauge import Gauge
from gonogo.gauge.golden import compare, one_at_a_time
from gonogo.runtimes.native import NativeSession
from tests.helpers import REPOSITORY
from tests.helpers_c import COMPILERS, STRICT, network_as_c, photos_of, run_compiler

EXAMPLE = REPOSITORY / "examples" / "c" / "inspect.c"
# Reads photos one after the other and prints what is answered, so that nothing is left out as unused.
DRIVER = """
#include "gauge.h"
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    const size_t size = GONOGO_WIDTH * GONOGO_HEIGHT * GONOGO_CHANNELS;
    gonogo_verdict *told = malloc(sizeof *told);
    uint8_t *pixels = malloc(size); /* of the very size, so that a byte too far is seen */
    if (told == NULL || pixels == NULL)
        return 2;
    while (fread(pixels, 1, size, stdin) == size) {
        if (gonogo_infer(pixels, told) != GONOGO_OK)
            return 3;
        printf("%.9g %.9g %d %d\\n", (double)told->prob, (double)told->heatmap[0], told->label, told->verdict);
    }
    free(pixels);
    free(told);
    return 0;
}
"""


def write_pgm(path: Path, pixels: np.ndarray) -> Path:
    height, width, channels = pixels.shape
    path.write_bytes(b"P%d\n# a photo\n%d %d\n255\n" % (5 if channels == 1 else 6, width, height) + pixels.tobytes())
    return path


@pytest.fixture(scope="module")
def example(gauge_folder: Path, run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Gauge]:
    from gonogo.export.gauge import export_gauge
    from gonogo.train.run import Run

    folder = tmp_path_factory.mktemp("example")
    gauge = export_gauge(Run.open(run_folder), folder / "gauge", ["c"]).gauge
    program = folder / "inspect"
    done = run_compiler(
        ["gcc", *STRICT, "-O1", "-I", gauge.path, EXAMPLE, gauge.path / "gauge.c", "-lm", "-o", program]
    )
    assert (done.returncode, done.stderr) == (0, "")
    return program, gauge


def test_the_example_answers_as_python_does(example: tuple[Path, Gauge], plates: Path, tmp_path: Path):
    program, gauge = example
    photos = sorted((plates / "defect").iterdir())[:2] + sorted((plates / "ok").iterdir())[:2]
    codes = {"go": 0, "no-go": 1, "review": 3}
    for photo in photos:
        pixels = decode_photo(photo, channels=1)
        expected = gauge.inspect(photo)
        for path in (write_pgm(tmp_path / "photo.pgm", pixels), tmp_path / "photo.raw"):
            (tmp_path / "photo.raw").write_bytes(pixels.tobytes())
            done = subprocess.run([program, path], capture_output=True, text=True, check=False)
            verdict, label, prob, *_ = done.stdout.split()
            assert (verdict, label) == (expected.verdict, expected.label)
            assert abs(float(prob) - expected.prob) <= 1e-5
            assert done.returncode == codes[verdict]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "another kind"),
        (b"P5\n9 9\n255\n" + b"x" * 81, "another size"),
        (b"P5\n64 64\n255\nxx", "cut short"),
        (b"P6\n64 64\n255\n" + b"x" * 12288, "another kind"),
        (b"P5\n64 64\n65535\n" + b"x" * 8192, "another kind"),
    ],
)
def test_the_example_refuses_what_it_cannot_read(content: bytes, why: str, example: tuple[Path, Gauge], tmp_path: Path):
    (tmp_path / "photo.pgm").write_bytes(content)
    done = subprocess.run([example[0], tmp_path / "photo.pgm"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1


def sanitized(compiler: str, folder: Path, path: Path, photos: np.ndarray, *flags: str) -> list[list[float]]:
    """Return what a program built with sanitizers prints for photos; any word of theirs fails the test."""
    (folder / "driver.c").write_text(DRIVER)
    program = folder / f"sanitized-{compiler}"
    checks = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", *flags)
    done = run_compiler([compiler, "-std=c99", *checks, folder / "driver.c", path, "-lm", "-o", program])
    assert (done.returncode, done.stderr) == (0, "")
    run = subprocess.run([program], input=photos.tobytes(), capture_output=True, check=False)
    assert (run.returncode, run.stderr) == (0, b"")
    return [[float(word) for word in line.split()] for line in run.stdout.decode().splitlines()]


@pytest.mark.slow
def test_sanitizers_find_nothing_in_a_quick_look(tmp_path: Path):
    geometry = Geometry(61, 83, 3, (2, 3, 76, 55), 2, size=(24, 30))
    deployed, _, path = network_as_c(tmp_path, "taper", geometry, novelty=True)
    photos = photos_of(geometry, 6)
    told = sanitized("gcc", tmp_path, path, photos)
    assert np.allclose([row[0] for row in told], answer(deployed, photos).pred_probs[:, 0], atol=1e-5)


@pytest.mark.parametrize(
    ("arch", "options", "reduce"),
    [
        ("taper", {}, 3),
        pytest.param("taper-study", {}, 5, marks=pytest.mark.slow),
        pytest.param("stump", {"cut": 2}, 4, marks=pytest.mark.slow),
    ],
)
def test_real_photos_are_answered_as_pytorch_answers_them(
    arch: str, options: dict[str, object], reduce: int, real_data: Path, tmp_path: Path
):
    names = sorted((real_data / "casting").rglob("*.jpeg"))[::150]
    photos = np.stack([decode_photo(name, channels=1) for name in names])
    geometry = Geometry(*photos.shape[1:3], 1, None, reduce)
    deployed, facts, path = network_as_c(tmp_path, arch, geometry, novelty=True, **options)
    parity = compare(facts.decision, answer(deployed, photos), one_at_a_time(NativeSession(path), photos))
    assert parity.images == len(names) >= 25
    assert parity.verdicts_equal
    assert max(parity.max_abs_diff, parity.max_abs_diff_heatmap, parity.max_abs_diff_novelty) <= 1e-5


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("plain", [(), ("-DGONOGO_PLAIN_C",), ("-mavx2", "-mfma")], ids=["sse", "plain", "avx2"])
@pytest.mark.parametrize(("arch", "reduce"), [("taper", 3), ("taper-study", 3), ("stump", 4), ("sheet-140k-dw", 6)])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_sanitizers_find_nothing_on_a_thousand_photos(
    compiler: str, arch: str, reduce: int, plain: tuple[str, ...], real_data: Path, tmp_path: Path
):
    names = sorted((real_data / "casting").rglob("*.jpeg"))[:1000]
    assert len(names) == 1000
    photos = np.stack([decode_photo(name, channels=1) for name in names])
    geometry = Geometry(*photos.shape[1:3], 1, None, reduce)
    options = {"cut": 4} if arch == "stump" else {}
    deployed, facts, path = network_as_c(tmp_path, arch, geometry, novelty=True, **options)
    told = sanitized(compiler, tmp_path, path, photos, *plain)
    assert len(told) == 1000
    found = NativeSession(path)(photos)
    expected = answer(deployed, photos)
    assert np.abs(found.pred_probs - expected.pred_probs).max() <= 1e-5
    assert np.abs(found.heatmap - expected.heatmap).max() <= 1e-5 * max(1, np.abs(expected.heatmap).max())
    assert np.allclose([row[0] for row in told], facts.decision.probs(expected.pred_probs), atol=1e-5)
    decided = facts.decision.verdicts(expected.pred_probs, expected.novelty)
    assert [("go", "no-go", "review")[int(row[3])] for row in told] == decided
