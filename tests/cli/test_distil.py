"""``gonogo distil`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers import gonogo_json, in_process, one_error_line, tree

QUICK = ("--epochs", 2, "--batch-size", 8, "--device", "cpu", "--no-find-copies")


def test_a_student_is_taught_and_measured(run_folder: Path, plates: Path, tmp_path: Path):
    table = run_folder / "manifest.csv"
    words = ("distil", run_folder, "taper", table, "--photos", plates, "--with", "widths=8,8,8,4", *QUICK)
    done = in_process(*words, "-o", "small", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "taught the answers of a teacher (6,014, 0.48 M)" in done.stdout
    assert "run: small   next: gonogo eval small   gonogo export small" in done.stdout
    assert "on validation the teacher's accuracy is" in done.stdout
    document = gonogo_json(*words, "-o", "small", "--resume", cwd=tmp_path, run=in_process)
    metrics = json.loads((tmp_path / "small" / "metrics.json").read_text())
    assert document["what"] == "logits"
    assert document["params"] == metrics["params"] < 6_014
    assert document["agreement"] == metrics["distilled"]["agreement"]
    assert {"run", "arch", "params", "macs", "images_per_second", "val", "refused"} <= set(document)
    assert in_process("eval", "small", "--split", "val", cwd=tmp_path).returncode == 0
    assert "exists; give another name, --resume" in one_error_line(in_process(*words, "-o", "small", cwd=tmp_path))


def test_a_dry_run_writes_nothing(run_folder: Path, plates: Path, tmp_path: Path):
    table = run_folder / "manifest.csv"
    words = ("distil", run_folder, "taper", table, "--photos", plates, *QUICK, "--what", "both", "--dry-run")
    document = gonogo_json(*words, "-o", tmp_path / "small", run=in_process)
    assert document["made_from"]["what"] == "both"
    assert document["made_from"]["temperature"] == 4.0
    assert document["recipe"]["epochs"] == 2
    assert tree(tmp_path) == {}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("RUN", "tapr"), "student 'tapr' is neither a run folder nor an architecture; did you mean 'taper'?"),
        (("stmp", "taper"), "teacher 'stmp' is neither a run folder nor an architecture; did you mean 'stump'?"),
        (("stump", "taper"), "stands on pretrained weights, and random ones would only pass for them"),
        (("resnet56", "taper"), "without weights knows nothing to teach; give --weights FILE"),
        (("taper", "taper"), "without weights knows nothing to teach"),
        (("timm:efficientnet_b0", "taper"), "stands on pretrained weights"),
        (("PLATES", "taper"), "is not a run (no run.toml in it)"),
        (("RUN", "PLATES"), "is not a run (no run.toml in it)"),
        (("RUN", "taper", "--weights", "some.pth"), "is a run, with its own network, weights and geometry"),
        (("RUN", "taper", "--what", "logit"), "unknown --what 'logit'; did you mean 'logits'?"),
        (("RUN", "taper", "--teacher-colour", "gray"), "did you mean 'grey'?"),
        (("RUN", "taper", "--temperature", "0"), "expected above 0 to 1000"),
        (("RUN", "taper", "--with", "width=8"), "did you mean 'widths'?"),
        (("RUN", "taper", "--seed", "5"), "held out here"),
        (("RUN", "RUN", "--size", "40"), "leave out what says something of these"),
    ],
)
def test_wrong_use_is_one_line(words: tuple[str, ...], says: str, run_folder: Path, plates: Path, tmp_path: Path):
    named = [{"RUN": str(run_folder), "PLATES": str(plates)}.get(word, word) for word in words]
    done = in_process("distil", *named[:2], plates, *named[2:], "--no-find-copies", "-o", tmp_path / "out")
    assert says in one_error_line(done)
    assert tree(tmp_path) == {}
