"""With the base install alone a gauge runs; what makes gauges says which command installs the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers import python, write_plates

# Every package that the base install does not bring is made unimportable before gonogo is loaded.
BASE_ONLY = """
import sys
from importlib.abc import MetaPathFinder

MISSING = {"torch", "scipy", "sklearn", "safetensors", "pyarrow", "onnx", "onnxscript", "lightning_fabric", "tomli_w"}
MISSING |= {"cv2", "faiss", "threadpoolctl"}


class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


sys.meta_path.insert(0, Absent())
sys.argv[0] = "gonogo"
from gonogo.cli import main

main()
"""


def base(*arguments: object):
    return python(BASE_ONLY, *arguments)


def test_verify_works(gauge_folder: Path):
    done = base("verify", gauge_folder, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"][0]["verdicts_equal"] is True


def test_predict_works_and_draws(gauge_folder: Path, plates: Path, tmp_path: Path):
    done = base("predict", gauge_folder, plates / "defect", plates / "ok", "--save", tmp_path / "p.png", "--json")
    assert done.returncode == 0, done.stderr
    verdicts = [row["verdict"] for row in json.loads(done.stdout)]
    assert verdicts == ["no-go"] * 30 + ["go"] * 30
    assert (tmp_path / "p.png").is_file()


def test_bench_works(gauge_folder: Path):
    done = base("bench", gauge_folder, "--repeats", 3, "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["rows"]) == 4  # two batches, from pixels and from JPEG


@pytest.mark.parametrize(
    "name", ["split", "train", "synth", "eval run", "eval gauge", "export", "quantize", "models", "demo"]
)
def test_what_makes_gauges_prints_the_command_that_installs_it(
    name: str,
    plates: Path,
    run_folder: Path,
    gauge_folder: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
):
    out = ("--out", tmp_path / "out")
    arguments = {
        # Photos that were searched before need no search.
        "split": ("split", write_plates(tmp_path_factory.mktemp("new"), 3, seed=8), "--out", tmp_path / "split.csv"),
        "train": ("train", plates, *out),
        "synth": ("synth", tmp_path / "out"),
        "eval run": ("eval", run_folder, *out),
        "eval gauge": ("eval", gauge_folder, plates, *out),
        "export": ("export", run_folder, *out),
        "quantize": ("quantize", run_folder, *out),
        "models": ("models",),
        "demo": ("demo", *out),
    }[name]
    done = base(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert line.endswith("run: pip install 'gonogo[train]'")
    assert list(tmp_path.iterdir()) == []


def test_the_library_works_too(gauge_folder: Path, plates: Path):
    code = BASE_ONLY.replace("from gonogo.cli import main\n\nmain()", "import gonogo") + (
        "print(gonogo.Gauge.load(sys.argv[1]).inspect(sys.argv[2]).verdict)\n"
    )
    done = python(code, gauge_folder, plates / "defect" / "00.png")
    assert done.stdout.strip() == "no-go", done.stderr
