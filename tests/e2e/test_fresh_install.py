"""Slow: the base install in an environment of its own, and the study's castings learnt from scratch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import REPOSITORY

pytestmark = pytest.mark.slow
MOST_BYTES = 250_000_000


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=280, check=False)


@pytest.fixture(scope="module")
def base_install(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the project without extras, at the pinned versions, and return its folder of programs."""
    folder = tmp_path_factory.mktemp("base") / "venv"
    assert run(sys.executable, "-m", "venv", folder).returncode == 0
    pip = (folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    done = run(*pip, "-c", REPOSITORY / "constraints.txt", REPOSITORY)
    assert done.returncode == 0, done.stderr
    return folder / "bin"


def test_the_base_install_is_small_and_holds_no_training_package(base_install: Path):
    (packages,) = base_install.parent.glob("lib/python*/site-packages")
    assert sum(path.stat().st_size for path in packages.rglob("*") if path.is_file()) < MOST_BYTES
    assert (packages / "gonogo" / "report" / "templates" / "audit.html").is_file()
    names = {path.name for path in packages.iterdir()}
    assert {"gonogo", "onnxruntime", "numpy", "PIL"} <= names
    assert names.isdisjoint({"torch", "scipy", "sklearn", "onnx", "pyarrow", "safetensors", "lightning_fabric"})


def test_the_base_install_runs_a_gauge(base_install: Path, gauge_folder: Path, plates: Path, tmp_path: Path):
    for command in (("verify", gauge_folder), ("bench", gauge_folder, "--repeats", 5), ("--version",)):
        done = run(base_install / "gonogo", *command)
        assert (done.returncode, done.stderr) == (0, "")
    done = run(base_install / "gonogo", "predict", gauge_folder, plates / "defect", "--json")
    assert [row["verdict"] for row in json.loads(done.stdout)] == ["no-go"] * 30


def test_the_base_install_says_how_to_get_the_rest(base_install: Path, plates: Path, tmp_path: Path):
    done = run(base_install / "gonogo", "train", plates, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert done.stderr.strip().endswith("pip install 'gonogo[train]'")
    assert len(done.stderr.splitlines()) == 1
