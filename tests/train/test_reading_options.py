"""What is said about the labels reaches the reader, stays in the run and is compared when it goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gonogo.data.formats import FORMATS, read_dataset
from tests.helpers import gonogo_json, in_process, one_error_line, write_plates

QUICK = ("--epochs", 1, "--set", "batch_size=8")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COCO set of plates, one of whose photos has a box of a second class."""
    folder = tmp_path_factory.mktemp("mixed")
    FORMATS.get("coco").write(read_dataset(write_plates(folder / "plates", 12)), folder / "data")
    sheet = folder / "data" / "annotations" / "instances.json"
    tables = json.loads(sheet.read_text())
    tables["categories"].append({"id": 9, "name": "speck"})
    tables["annotations"].append(tables["annotations"][0] | {"category_id": 9, "area": 1})
    sheet.write_text(json.dumps(tables))
    return folder / "data"


def test_a_rule_reaches_the_reader_and_stays_in_the_run(mixed: Path, tmp_path: Path):
    line = one_error_line(in_process("train", mixed, "-o", tmp_path / "run"))
    assert "1 photo has boxes of several classes" in line
    assert not (tmp_path / "run").exists()
    words = ("train", mixed, "-o", tmp_path / "run", "--mixed", "largest", "--format", "coco", *QUICK)
    done = in_process(*words)
    assert done.returncode in (0, 1), done.stderr
    assert "note: 1 photo has boxes of several classes" in done.stderr
    assert 'mixed = "largest"\n' in (tmp_path / "run" / "run.toml").read_text()
    assert 'format = "coco"\n' in (tmp_path / "run" / "run.toml").read_text()
    changed = [word if word != "largest" else "first" for word in words]
    done = in_process(*changed, "--resume")
    assert done.returncode == 2
    assert "data.mixed = largest, now it is first" in done.stderr.splitlines()[-1]
    done = in_process("eval", tmp_path / "run", mixed, "--mixed", "skip", "-o", tmp_path / "eval")
    assert done.returncode in (0, 1), done.stderr
    assert "; left out" in done.stderr
    # What was said when it was trained holds until something else is said.
    done = in_process("eval", tmp_path / "run", mixed, "-o", tmp_path / "again")
    assert done.returncode in (0, 1), done.stderr
    assert "1 photo has boxes of several classes" in done.stderr
    refused = in_process("eval", tmp_path / "run", mixed, "--mixed", "refuse", "-o", tmp_path / "third")
    assert "several classes" in one_error_line(refused)


def test_the_task_is_asked_for(mixed: Path, tmp_path: Path):
    words = ("train", mixed, "-o", tmp_path / "run", "--task", "binary", "--dry-run")
    assert gonogo_json(*words, run=in_process)["task"] == {"classes": ["defect", "good"], "good": "good"}


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        (("--task", "binry"), "did you mean 'binary'"),
        (("--mixed", "larges"), "did you mean 'largest'"),
        (("--format", "coko"), "did you mean 'coco'"),
    ],
)
def test_a_word_that_is_none_is_suggested(mixed: Path, tmp_path: Path, option: tuple[str, str], hint: str):
    assert hint in one_error_line(in_process("train", mixed, "-o", tmp_path / "run", *option))
