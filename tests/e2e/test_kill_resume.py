"""A training that is killed with SIGKILL and resumed ends with the very bits of one that was left in peace."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import command, gonogo, in_process, one_error_line, tree

EPOCHS = 4
SETTINGS = ("--epochs", EPOCHS, "--batch-size", 8, "--seed", 5)

# Trains in a process that kills itself at a moment named on its command line: before the n-th file is put in its
# place, or after a batch of an epoch. SIGKILL leaves it no chance to clean up.
VICTIM = """
import os, signal, sys
from pathlib import Path
from gonogo.train.train import TrainRequest, train

data, out, epochs, moment, *place = sys.argv[1:]
fatal = [int(number) for number in place]


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def hook(event, arguments):
    if event == "os.rename":
        names.append(Path(os.fsdecode(arguments[1])).name)
        if moment == "rename" and len(names) == fatal[0]:
            die()


def report(step):
    if moment == "batch" and [step.epoch, step.photos] == fatal and step.row is None:
        die()


names = []
sys.addaudithook(hook)
recipe = {"epochs": int(epochs), "batch_size": 8, "seed": 5}
train(TrainRequest(Path(data), Path(out), recipe=recipe, resume=(Path(out) / "run.toml").is_file()), report=report)
print(*names)
"""


def train_and_die(data: Path, out: Path, *moment: object) -> subprocess.CompletedProcess[str]:
    """Train until the moment given; ("never",) trains to the end."""
    return subprocess.run(
        [sys.executable, "-c", VICTIM, *map(str, (data, out, EPOCHS, *moment))],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def start_again(data: Path, out: Path) -> None:
    """Do what a user would: resume where there is a run, otherwise type the same command again."""
    from gonogo.train.train import TrainRequest, train

    recipe = {"epochs": EPOCHS, "batch_size": 8, "seed": 5}
    train(TrainRequest(data, out, recipe=recipe, resume=(out / "run.toml").is_file()))


@pytest.fixture(scope="module")
def undisturbed(plates: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A run that nothing disturbed, and the names of the files in the order in which they were put in place."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GONOGO_CACHE", str(out.parent / "cache"))
        done = train_and_die(plates, out, "never")
    assert done.returncode == 0, done.stderr
    return out, done.stdout.split()


def _without_clock(run: Path) -> dict[str, object]:
    """Return a run's files, the timings left out."""
    files: dict[str, object] = dict(tree(run))
    metrics = json.loads((run / "metrics.json").read_text())
    metrics.pop("images_per_second")
    with (run / "history.csv").open(newline="") as stream:
        rows = [{k: v for k, v in row.items() if k != "images_per_second"} for row in csv.DictReader(stream)]
    return files | {"metrics.json": metrics, "history.csv": rows}


def assert_same_run(found: Path, expected: Path) -> None:
    assert sorted(tree(found)) == sorted(tree(expected))
    assert (found / "model.safetensors").read_bytes() == (expected / "model.safetensors").read_bytes()
    assert _without_clock(found) == _without_clock(expected)


def test_the_files_appear_in_an_order_that_can_be_resumed(undisturbed: tuple[Path, list[str]]):
    names = undisturbed[1]
    assert names.count("checkpoint.safetensors") == EPOCHS
    assert names[-1] == "metrics.json"
    assert names.index("run.toml") < names.index("checkpoint.safetensors") < names.index("model.safetensors")


def _place(name: str, names: list[str]) -> int:
    """Return which rename puts a file in its place; a digit after the name counts its later versions."""
    name, _, later = name.partition(" ")
    places = [place for place, found in enumerate(names, start=1) if found == name]
    return places[int(later or 1) - 1]


RENAMES = ["checkpoint.safetensors 3"]
SLOW_RENAMES = [
    "run.toml",
    "manifest.csv",
    "model.json",
    "checkpoint.safetensors",
    "checkpoint.safetensors 2",
    "history.csv",
]
SLOW_RENAMES += ["model.safetensors", "predictions.parquet", "metrics.json"]
BATCHES = [(3, 24)]
SLOW_BATCHES = [(1, 8), (1, 16), (2, 8), (2, 32), (3, 8), (4, 8), (4, 32)]


def _slow(values: list) -> list:
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


@pytest.mark.parametrize("name", [*RENAMES, *_slow(SLOW_RENAMES)])
def test_killed_while_a_file_is_written(
    name: str, undisturbed: tuple[Path, list[str]], plates: Path, tmp_path: Path, empty_cache: Path
):
    expected, names = undisturbed
    out = tmp_path / "run"
    killed = train_and_die(plates, out, "rename", _place(name, names))
    assert killed.returncode == -signal.SIGKILL
    assert not (out / "metrics.json").exists()
    start_again(plates, out)
    assert_same_run(out, expected)


@pytest.mark.parametrize("moment", [*BATCHES, *_slow(SLOW_BATCHES)])
def test_killed_within_an_epoch(
    moment: tuple[int, int], undisturbed: tuple[Path, list[str]], plates: Path, tmp_path: Path
):
    out = tmp_path / "run"
    killed = train_and_die(plates, out, "batch", *moment)
    assert killed.returncode == -signal.SIGKILL
    assert (out / "checkpoint.safetensors").exists() == (moment[0] > 1)
    start_again(plates, out)
    assert_same_run(out, undisturbed[0])


@pytest.mark.slow
def test_killed_again_and_again(undisturbed: tuple[Path, list[str]], plates: Path, tmp_path: Path):
    out = tmp_path / "run"
    for moment in ((2, 16), (4, 8)):
        assert train_and_die(plates, out, "batch", *moment).returncode == -signal.SIGKILL
    start_again(plates, out)
    assert_same_run(out, undisturbed[0])


@pytest.mark.slow
def test_killed_from_outside_and_resumed_by_the_command(
    undisturbed: tuple[Path, list[str]], plates: Path, tmp_path: Path
):
    arguments = ["train", plates, "--out", "run", *SETTINGS, "--device", "cpu"]
    words = [*command(), *map(str, arguments)]
    victim = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert victim.stderr is not None
    for line in victim.stderr:
        if line.startswith("epoch"):
            os.kill(victim.pid, signal.SIGKILL)
            break
    assert victim.wait() == -signal.SIGKILL
    victim.stderr.close()
    assert "--resume" in one_error_line(in_process("export", "run", cwd=tmp_path))
    assert "--resume" in one_error_line(in_process(*arguments, cwd=tmp_path))
    changed = in_process(*arguments, "--lr", "0.02", "--resume", cwd=tmp_path)
    assert "now it is 0.02" in one_error_line(changed)
    resumed = gonogo(*arguments, "--resume", "--json", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert_same_run(tmp_path / "run", undisturbed[0])
    again = in_process(*arguments, "--resume", "--json", cwd=tmp_path)
    assert json.loads(again.stdout) == json.loads(resumed.stdout)
