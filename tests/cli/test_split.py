"""``gonogo split`` as a user types it, and what the other commands make of its table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers import gonogo_json, in_process, one_error_line, tree, write_plates

QUICK = ("--epochs", 1, "--batch-size", 8, "--device", "cpu")


def test_a_table_written_anywhere_is_trained_on_and_evaluated(plates: Path, tmp_path: Path):
    before = tree(plates)
    document = gonogo_json("split", plates, "-o", "split.csv", cwd=tmp_path, run=in_process)
    assert document["manifest"] == "split.csv"
    assert document["counts"]["test"] == document["parts"]["test"] == {"defect": 6, "ok": 6}
    assert (document["unbalanced"], document["folds"], document["left_out"]) == ([], None, 0)
    trained = in_process("train", "split.csv", "-o", "run", *QUICK, cwd=tmp_path)
    assert trained.returncode in (0, 1), trained.stderr
    assert in_process("eval", "run", cwd=tmp_path).returncode in (0, 1)
    own = gonogo_json("train", plates, "-o", tmp_path / "other", "--dry-run", run=in_process)
    assert own["data"]["fingerprint"] == (tmp_path / "run" / "run.toml").read_text().split('fingerprint = "')[1][:64]
    assert tree(plates) == before


def test_what_is_printed(plates: Path, tmp_path: Path):
    done = in_process("split", plates, "--folds", 3, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "60 photos of 60 different parts or pictures" in done.stdout
    assert "fold 0 (test)" in done.stdout
    assert "10 (10)" in done.stdout
    assert "next: gonogo train split.csv -o run" in done.stdout
    assert f"photos: {plates}; remembered for this table, elsewhere give --photos FOLDER" in done.stdout


def test_a_dry_run_writes_nothing(plates: Path, tmp_path: Path):
    document = gonogo_json("split", plates, "-o", tmp_path / "below" / "s.csv", "--dry-run", run=in_process)
    assert document["would_write"] == str(tmp_path / "below" / "s.csv")
    assert document["counts"]["train"] == {"defect": 19, "ok": 19}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("gone",), "no such file or folder: gone"),
        (("PHOTOS", "--val", "2"), "found shares val 2.0 and test 0.2, expected numbers between 0 and 1"),
        (("PHOTOS", "--folds", "2"), "found --folds 2, expected 3 or more"),
        (("PHOTOS", "--folds", "99"), "expected at least one for each of 99 folds"),
        (("PHOTOS", "--folds", "4", "--test", ".3"), "leave --val and --test out"),
        (("PHOTOS", "--good", "okk"), "did you mean 'ok'?"),
        (("PHOTOS", "--mixed", "larges"), "did you mean 'largest'?"),
        (("PHOTOS", "--keep-test"), "names no test set to keep"),
        (("PHOTOS", "-o", "split.txt"), "ends in .csv"),
        (("PHOTOS", "-o", "."), "ends in .csv"),
        (("PHOTOS", "-o", "/proc/split.csv"), "cannot write"),
        (("PHOTOS", "--photos", "elsewhere"), "is no table; leave it out"),
        (("PHOTOS", "--groups", "gone.csv"), "cannot read gone.csv"),
        (("PHOTOS", "--group-by", "(x)"), "does not fit 60 of 60 photos"),
        (("PHOTOS", "--fold", "3"), "--folds"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_nothing(words: tuple[str, ...], hint: str, plates: Path, tmp_path: Path):
    named = [str(plates) if word == "PHOTOS" else word for word in words]
    assert hint in one_error_line(in_process("split", *named, cwd=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_evaluating_other_photos_keeps_the_rules_that_it_was_trained_with(tmp_path: Path):
    photos = write_plates(tmp_path / "photos", 12)
    words = ("train", photos, "-o", tmp_path / "run", "--group-by", "2", *QUICK)
    assert in_process(*words).returncode in (0, 1)
    other = write_plates(tmp_path / "other", 8, seed=9)
    for options, parts in (((), 4), (("--group-by", "4"), 2)):
        done = in_process("eval", tmp_path / "run", other, "-o", tmp_path / f"eval{parts}", *options, "--json")
        rate = json.loads(done.stdout)["accuracy"]
        assert (rate["n"], rate["unit"]) == (parts, "parts")
    for path in (other / "ok").iterdir():
        path.rename(path.with_name(f"plate {chr(97 + int(path.stem))}.png"))
    done = in_process("eval", tmp_path / "run", other, "-o", tmp_path / "eval", "--json")
    assert "--group-by 2 does not fit these names: photos are counted" in done.stderr
    assert json.loads(done.stdout)["accuracy"]["unit"] == "photos"
