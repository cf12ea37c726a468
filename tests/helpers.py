"""What several tests need: photos, broken photos, and the command line as a user starts it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gonogo.data.geometry import Geometry
from gonogo.data.manifest import Manifest, Sample
from gonogo.data.task import Task
from gonogo.evaluate.decision import Decision
from gonogo.gauge.facts import Facts
from gonogo.gauge.region import HeatGrid
from gonogo.train.recipe import Recipe

# A recipe that leaves every photo as it is.
UNCHANGED = Recipe(
    hflip=False,
    vflip=False,
    rotate_degrees=0,
    scale_percent=0,
    shift_percent=0,
    brightness_levels=0,
    contrast_percent=0,
)
REPOSITORY = Path(__file__).resolve().parent.parent
SOURCE = REPOSITORY / "src" / "gonogo"


# What some exporters, runtimes and quantizers need beside the development packages.
HEAVY = {
    "litert": "litert_torch",
    "litert-int8": "ai_edge_quantizer",
    "tflite-micro": "tflite_micro",
    "executorch": "executorch",
    "ncnn": "ncnn",
}


def skip(reason: str) -> None:
    """Skip what cannot be tested here; in continuous integration, fail."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def need(name: str) -> None:
    """Skip where what an exporter, runtime or quantizer needs is not installed."""
    package = HEAVY.get(name)
    if package is not None and find_spec(package) is None:
        skip(f"'{package}' is not installed; run: make runtimes")


def command() -> list[str]:
    """Return how the command line is started."""
    if find_spec("gonogo.__main__"):
        return [sys.executable, "-m", "gonogo"]
    return [str(Path(sys.executable).parent / "gonogo")]


_INTERRUPTIBLE = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)


def interruptible(words: list[str]) -> list[str]:
    """Return a command that takes Ctrl-C, also where whoever started the tests does not.

    Shells start what runs in the background with interrupts ignored, and children inherit that. A `preexec_fn` would
    mend it too, but forks this process, against which threads of other libraries warn.
    """
    return [sys.executable, "-c", _INTERRUPTIBLE, *words]


def gonogo(*arguments: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user does, in a process of its own."""
    return subprocess.run(
        [*command(), *map(str, arguments)],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def in_process(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command inside this process, which saves importing torch each time; the answer looks as from `gonogo`."""
    from gonogo.cli import main

    out, err, code = io.StringIO(), io.StringIO(), 0
    words = ["gonogo", *map(str, arguments)]
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", words)
        patch.chdir(cwd or Path.cwd())
        try:
            main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def gonogo_json(*arguments: object, cwd: Path | None = None, run: Any = gonogo) -> Any:
    """Run a command with ``--json`` that must succeed; stdout must be one JSON document and nothing else."""
    done = run(*arguments, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def python(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def one_error_line(done: subprocess.CompletedProcess[str]) -> str:
    """Check exit code 2, nothing on stdout and a single ``error: ...`` line on stderr; return the line."""
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def noise(height: int, width: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Return (H, W, C) uint8 noise."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def picture(pixels: np.ndarray) -> Image.Image:
    """Return (H, W, C) pixels as a Pillow image."""
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    """Return an image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def write_photos(
    folder: Path, counts: dict[str, int], size: tuple[int, int] = (24, 20), channels: int = 1, first_seed: int = 0
) -> Path:
    """Write noise photos, so many of each class, as PNG; all of them differ."""
    seed = first_seed
    for label, count in counts.items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            seed += 1
            picture(noise(*size, channels, seed)).save(folder / label / f"{number:03d}.png")
    return folder


def write_plates(folder: Path, count: int, size: int = 64, seed: int = 0, suffix: str = "png") -> Path:
    """Write photos of plates that a small network learns in seconds: a defect is a dark square hole."""
    rng = np.random.default_rng(seed)
    for label in ("ok", "defect"):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            plate = rng.normal(150, 12, (size, size))
            if label == "defect":
                y, x = rng.integers(4, size - 20, 2)
                plate[y : y + 12, x : x + 12] -= 90
            Image.fromarray(plate.clip(0, 255).astype(np.uint8)).save(folder / label / f"{number:02d}.{suffix}")
    return folder


def write_kinds(folder: Path, count: int) -> Path:
    """Write three kinds of plain photos, none of which reads as good."""
    write_plates(folder, count)
    (folder / "ok").rename(folder / "plain sheet")
    (folder / "defect").rename(folder / "hole")
    (folder / "speckle").mkdir()
    for number in range(count):
        picture(noise(64, 64, seed=number)).save(folder / "speckle" / f"{number:02d}.png")
    return folder


def write_alike(folder: Path, count: int) -> Path:
    """Write 33x33 photos that differ in their first pixel alone: cropped to 32x32+1+1, nothing tells them apart."""
    pixels = noise(33, 33)
    for first, label in enumerate(("ok", "bad")):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            pixels[0, 0] = 2 * number + first
            picture(pixels).save(folder / label / f"{number:02d}.png")
    return folder


def link_castings(casting: Manifest, folder: Path, each: int) -> Path:
    """Make a data set of so many training castings of each class: a table, and a link to their photos."""
    rng = np.random.default_rng(0)
    chosen: set[int] = set()
    for label in casting.classes:
        places = [i for i, s in enumerate(casting.samples) if s.label == label and s.split == "train"]
        chosen |= set(rng.choice(places, each, replace=False).tolist())
    table = casting.keep(i in chosen for i in range(len(casting)))
    lines = ["path,label", *(f"{s.path},{s.label}" for s in table.samples)]
    # A table lies beside its photos; here they are only linked to.
    folder.mkdir()
    (folder / "train").symlink_to(casting.root / "train", target_is_directory=True)
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


def write_truncated(path: Path) -> Path:
    """Write a JPEG that ends in the middle."""
    whole = encoded(picture(noise(64, 64)), "JPEG", quality=90)
    path.write_bytes(whole[: len(whole) // 2])
    return path


def write_deep(path: Path, size: int, peak: int, seed: int = 0) -> Path:
    """Write a 16-bit grey PNG whose largest value is `peak`."""
    values = np.random.default_rng(seed).integers(0, peak, (size, size), dtype=np.uint16)
    values[0, 0] = peak
    Image.fromarray(values).save(path)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def make_manifest(rows: list[tuple[str, str, str, str]], root: Path = Path()) -> Manifest:
    """Return a manifest of (label, split, group, sha256) rows; the paths are their numbers."""
    samples = tuple(
        Sample(f"{number}.png", label, split, group, digest)
        for number, (label, split, group, digest) in enumerate(rows)
    )
    return Manifest(root, samples, tuple(sorted({sample.label for sample in samples})))


def grey_geometry(height: int = 64, width: int = 64, **changes: Any) -> Geometry:
    """Return the geometry of a grey camera."""
    return Geometry(height, width, **changes)


def stretched(geometry: Geometry, columns: int) -> HeatGrid:
    """Return the grid of a map whose cells, so many in a row, fill the network's input exactly."""
    stride = geometry.input_size[1] / columns
    return HeatGrid(geometry, stride, (stride - 1) / 2)


def make_facts(geometry: Geometry, classes: tuple[str, ...] = ("defect", "ok"), good: str | None = "ok") -> Facts:
    """Return facts with a threshold of one half."""
    decision = Decision(Task(classes, good), None if good is None else 0.5, "test")
    return Facts(decision, geometry, 1.0, 0.0, {"arch": "test", "params": 0, "macs": 0, "seed": 0, "gonogo": "test"})
