"""``gonogo compare`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers import gonogo_json, in_process, one_error_line, tree, write_photos

QUICK = ("--epochs", 1, "--batch-size", 8, "--device", "cpu", "--no-find-copies", "--group-by", 2, "--folds", 2)


def test_a_ranking_is_printed_and_written(plates: Path, tmp_path: Path):
    words = ("compare", plates, "--imbalance", "none,focal", *QUICK, "-o", "out")
    done = in_process(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "60 photos, each held out, with 95 % intervals" in done.stdout
    assert "ROC AUC" in done.stdout
    assert "against none" in done.stdout
    assert "This rests on 15 good and 15 defective parts; " in done.stdout
    assert "written: out" in done.stdout
    assert "4/4" in done.stderr
    before = tree(tmp_path / "out")
    again = in_process(*words, "--resume", "--json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "taken from the folder" in again.stderr
    document = json.loads(again.stdout)
    assert document["folder"] == "out"
    assert document == json.loads((tmp_path / "out" / "compare.json").read_text())
    assert tree(tmp_path / "out") == before
    assert f"{tmp_path.name}" not in done.stderr
    assert "exists and is not empty" in one_error_line(in_process(*words, cwd=tmp_path))


def test_a_dry_run_says_what_would_be_trained_and_writes_nothing(plates: Path, tmp_path: Path):
    words = ("compare", plates, "--imbalance", "all", *QUICK, "--repeats", 3, "-o", tmp_path / "out", "--dry-run")
    done = in_process(*words)
    assert "by auc: 36 trainings" in done.stdout
    document = gonogo_json(*words, run=in_process)
    assert [own["recipe"]["imbalance"] for own in document["candidates"]][:2] == ["none", "undersample"]
    assert (document["folds"], document["repeats"]) == (2, 3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--imbalance", "focl"), "did you mean 'focal'?"),
        (("--imbalance", "all", "--folds", "1"), "found --folds 1, expected 2 to 100"),
        (("--imbalance", "all", "--folds", "40"), "has 30 distinct parts to share out"),
        (("--imbalance", "all", "--cost-escape", "-5", "--cost-overkill", "1"), "--cost-escape is -5"),
        (("--imbalance", "all", "--by", "accuracy"), "did you mean 'balanced-accuracy'?"),
        (("--imbalance", "all", "--max-escape", "1.5"), "--max-escape is 1.5"),
        ((), "expected two or more to compare"),
        (("--imbalance", "all", "--set", "epoch=3"), "did you mean 'epochs'?"),
        (("--imbalance", "all", "--device", "cudda"), "did you mean 'cuda'?"),
        (("--imbalance", "all", "--colour", "gray"), "did you mean 'grey'?"),
        (("--arch", "taper,taper-study", "--set", "schedule=constant"), "say what all of them see"),
        (("--arch", "taper,stump"), "give MobileNetV2"),
    ],
)
def test_wrong_use_is_one_line(options: tuple[str, ...], words: str, plates: Path, tmp_path: Path):
    command = ("compare", plates, "--no-find-copies", *options, "-o", tmp_path / "out")
    assert words in one_error_line(in_process(*command, cwd=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_one_s_own_is_never_replaced(plates: Path, tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    words = ("compare", plates, "--imbalance", "all", "--no-find-copies", "-o", tmp_path / "out")
    for force in ((), ("--force",), ("--resume",)):
        assert str(tmp_path / "out") in one_error_line(in_process(*words, *force))
    assert tree(tmp_path) == {"out/thesis.txt": b"years of work"}


def test_one_class_alone_is_refused(tmp_path: Path):
    write_photos(tmp_path / "photos", {"ok": 6})
    line = one_error_line(in_process("compare", tmp_path / "photos", "--imbalance", "all", cwd=tmp_path))
    assert "only one class, 'ok'" in line
    assert "expected photos of at least two" in line
