"""``gonogo taper-depth`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers import gonogo_json, in_process, one_error_line, tree

QUICK = ("--epochs", 1, "--batch-size", 8, "--device", "cpu", "--no-find-copies", "--group-by", 2, "--folds", 2)


def test_the_curve_is_printed_and_written(plates: Path, tmp_path: Path):
    words = ("taper-depth", plates, "--depths=-1,2", "--repeats", 1, *QUICK, "-o", "out")
    done = in_process(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "16-20-25-32" in done.stdout
    assert "16-10-6-4" in done.stdout
    assert "4/4  depth 2, fold 2 of 2" in done.stderr
    assert "page: out/taper-depth.html" in done.stdout
    before = tree(tmp_path / "out")
    assert {"taper-depth.html", "taper-depth.csv", "taper-depth.json", "answers.parquet"} <= set(before)
    document = gonogo_json(*words, "--resume", cwd=tmp_path, run=in_process)
    assert document == json.loads(before["taper-depth.json"])
    assert document["verdict"].split(".")[0] in done.stdout.replace("\n", " ")
    assert [row["depth"] for row in document["rows"]] == [-1, 2]
    assert "exists and is not empty" in one_error_line(in_process(*words, cwd=tmp_path))
    assert in_process(*words, "--force", cwd=tmp_path).returncode == 0


def test_a_dry_run_says_what_would_be_trained_and_writes_nothing(plates: Path, tmp_path: Path):
    words = ("taper-depth", plates, *QUICK, "--widest", 8, "-o", tmp_path / "out", "--dry-run")
    assert "20 trainings at most, measured by auc" in in_process(*words).stdout
    document = gonogo_json(*words, run=in_process)
    assert document["trainings"] == 20
    assert document["candidates"][4]["with"]["widths"] == "8,3,1,1"
    assert tree(tmp_path) == {}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--depths", "0,one"), "found --depths 0,one, expected numbers with commas between them"),
        (("--depths", "2"), "expected two or more"),
        (("--arch", "stump"), "has no width for each stage to taper"),
        (("--arch", "tapr"), "did you mean 'taper'?"),
        (("--with", "widths=8,8,8,8"), "give --widest instead"),
        (("--with", "kernel=3"), "did you mean 'kernels'?"),
        (("--by", "cost"), "unknown --by 'cost'"),
        (("--minutes", "0"), "found --minutes 0, expected more than 0"),
        (("--repeats", "0"), "found --repeats 0"),
        (("--resume",), "holds no comparison to resume"),
    ],
)
def test_wrong_use_is_one_line(options: tuple[str, ...], words: str, plates: Path, tmp_path: Path):
    done = in_process("taper-depth", plates, "--no-find-copies", *options, "-o", tmp_path / "out")
    assert words in one_error_line(done)
    assert tree(tmp_path) == {}
