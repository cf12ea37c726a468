"""What a run folder holds, and what happens when someone touches it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from gonogo.config import read_toml
from gonogo.errors import ConfigError, RunError
from gonogo.train.run import Run, RunConfig

FILES = {
    "run.toml",
    "model.json",
    "model.safetensors",
    "manifest.csv",
    "history.csv",
    "metrics.json",
    "predictions.parquet",
}


@pytest.fixture
def copy(run_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(run_folder, tmp_path / "run")


def test_a_finished_run_holds_these_files_and_nothing_pickled(run_folder: Path):
    names = {path.name for path in run_folder.iterdir()}
    assert names >= FILES
    assert not any(path.suffix in (".pt", ".pth", ".pkl", ".ckpt", ".tmp") for path in run_folder.rglob("*"))
    assert len({path.stat().st_mode for path in run_folder.iterdir() if path.is_file()}) == 1


def test_the_configuration_survives_its_file(run_folder: Path):
    run = Run.open(run_folder)
    tables = run.config.to_tables()
    assert RunConfig.from_tables(tables, "x") == run.config
    assert read_toml(run_folder / "run.toml") == json.loads(json.dumps(tables))
    assert json.loads((run_folder / "model.json").read_text())["arch"] == "taper"


def test_the_split_is_written_down_and_the_photos_are_found(run_folder: Path, plates: Path):
    manifest = Run.open(run_folder).manifest()
    assert manifest.root == plates.resolve()
    assert {s.split for s in manifest.samples} == {"train", "val", "test"}
    assert all(manifest.path_of(s).is_file() and len(s.sha256) == 64 for s in manifest.samples)
    assert Run.open(run_folder).config.fingerprint == manifest.fingerprint


def test_predictions_are_those_of_the_weights_on_validation(run_folder: Path):
    table = pq.read_table(run_folder / "predictions.parquet").to_pydict()
    val = Run.open(run_folder).manifest().select("val")
    assert table["path"] == [s.path for s in val.samples]
    assert table["label"] == [s.label for s in val.samples]
    probs = np.array([table["prob_defect"], table["prob_ok"]])
    assert np.allclose(probs.sum(axis=0), 1, atol=1e-6)
    answers = np.where(probs[0] >= Run.open(run_folder).decision.threshold, "defect", "ok")
    metrics = Run.open(run_folder).metrics
    assert float(np.mean(answers == np.array(table["label"]))) == metrics["val"]["accuracy"]["value"] == 1.0


def test_the_history_has_a_row_for_each_epoch(run_folder: Path):
    with (run_folder / "history.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    best = min(rows, key=lambda row: float(row["val_loss"]))
    assert int(best["epoch"]) == Run.open(run_folder).metrics["best_epoch"]


def test_an_unfinished_run_says_how_to_go_on(copy: Path):
    (copy / "metrics.json").unlink()
    with pytest.raises(RunError, match="--resume"):
        Run.open(copy)
    with pytest.raises(RunError, match="is not a run"):
        Run.open(copy.parent)


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("run.toml", "schema = 99\n", "schema 99"),
        ("run.toml", "schema = 1\n", "lacks 'data'"),
        ("run.toml", "not toml", "is not TOML"),
        ("metrics.json", "{", "cannot be read"),
        ("model.safetensors", "text", "cannot be read"),
    ],
)
def test_a_damaged_file_is_named(copy: Path, file: str, text: str, words: str):
    (copy / file).write_text(text)
    with pytest.raises((RunError, ConfigError)) as caught:
        run = Run.open(copy)
        _ = run.metrics, run.load_network()
    assert words in str(caught.value)
    assert file in str(caught.value)


def test_weights_of_another_network_are_refused(copy: Path):
    text = (copy / "run.toml").read_text()
    changed = text.replace("    12,", "    14,", 1)
    assert changed != text
    (copy / "run.toml").write_text(changed)
    with pytest.raises(RunError, match="is not of the network"):
        Run.open(copy).load_network()
