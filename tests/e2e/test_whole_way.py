"""From nothing to a timed gauge by commands, and every JSON document with the names that scripts rely on."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import gonogo, gonogo_json, in_process, write_kinds

RATE = {"value", "low", "high", "n", "unit"}
EVAL = {
    *("n", "escape_rate", "overkill_rate", "accuracy", "balanced_accuracy", "auc", "f1"),
    *("threshold", "guarantee", "confusion"),
}
FILE = {"runtime", "precision", "path", "size_bytes", "max_abs_diff", "verdicts_equal", "refused"}
BENCH = {
    *("model", "runtime", "precision", "threads", "batch", "from", "p50_ms", "p95_ms", "p99_ms"),
    *("images_per_second", "params", "macs", "size_bytes", "peak_memory_bytes", "roofline_share"),
}
PARTS, VIEWS = 40, 2


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole-way")


@pytest.fixture(scope="module")
def synth(work: Path) -> dict[str, Any]:
    arguments = ("--parts", PARTS, "--views", VIEWS, "--size", 200, "--difficulty", 0, "--seed", 1)
    return gonogo_json("synth", "photos", *arguments, cwd=work)


@pytest.fixture(scope="module")
def trained(work: Path, synth: dict[str, Any]) -> dict[str, Any]:
    # So few photos teach little; one in two seeds gives a network that tells some of them apart.
    for seed in range(6):
        done = gonogo(
            *("train", "photos", "--out", "run", "--epochs", 8, "--batch-size", 8, "--seed", seed, "--force", "--json"),
            cwd=work,
        )
        assert done.returncode in (0, 1), done.stderr
        document = json.loads(done.stdout)
        assert (document["refused"] is None) == (done.returncode == 0)
        if done.returncode == 0:
            return document
    pytest.fail("no seed of six learnt anything")


@pytest.fixture(scope="module")
def exported(work: Path, trained: dict[str, Any]) -> dict[str, Any]:
    return gonogo_json("export", "run", "--out", "gauge", cwd=work)


def check_rates(document: dict[str, Any], unit: str) -> None:
    for name in ("escape_rate", "overkill_rate", "accuracy", "balanced_accuracy", "auc"):
        rate = document[name]
        assert set(rate) == RATE, name
        assert rate["low"] <= rate["value"] <= rate["high"]
        assert rate["unit"] == unit
        assert isinstance(rate["n"], int)


def test_synth(work: Path, synth: dict[str, Any]):
    assert (synth["parts"], synth["photos"]) == (PARTS, PARTS * VIEWS)
    assert sum(synth["labels"].values()) == PARTS * VIEWS
    assert len(list((work / synth["folder"] / "photos").rglob("*.jpg"))) == PARTS * VIEWS


def test_train(work: Path, trained: dict[str, Any]):
    assert {"run", "arch", "params", "macs", "images_per_second", "val", "refused"} <= set(trained)
    assert trained["arch"] == "taper"
    assert (trained["params_trainable"], trained["params_statistics"]) == (5910, 104)
    assert trained["params"] == 6014
    assert trained["macs"] > 1_000_000
    assert trained["images_per_second"] > 10
    assert set(trained["val"]) >= EVAL
    check_rates(trained["val"], "parts")
    assert 0 < trained["val"]["threshold"] < 1
    assert (work / trained["run"] / "metrics.json").is_file()


def test_eval(work: Path, trained: dict[str, Any]):
    done = in_process("eval", "run", "--json", cwd=work)
    document = json.loads(done.stdout)
    assert done.returncode == (0 if document["refused"] is None else 1)
    assert set(document) >= EVAL | {"verdicts"}
    check_rates(document, "parts")
    assert document["accuracy"]["n"] == 8
    assert document["leaked_photos"] == 0
    with (work / document["verdicts"]).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {"path", "label", "prob", "verdict"} <= set(rows[0])
    assert len(rows) == document["n"] == sum(sum(row.values()) for row in document["confusion"].values())
    escapes = [row for row in rows if row["label"] == "defect" and row["verdict"] == "go"]
    defects = [row for row in rows if row["label"] == "defect"]
    assert document["escape_rate"]["value"] == pytest.approx(len(escapes) / len(defects))
    for row in rows:
        assert (float(row["prob"]) >= document["threshold"]) == (row["verdict"] == "no-go")
    assert (work / document["mistakes"]).is_file()


def test_export(work: Path, exported: dict[str, Any]):
    assert exported["gauge"] == "gauge"
    (file,) = exported["files"]
    assert set(file) >= FILE
    assert (file["runtime"], file["precision"], file["refused"]) == ("onnxruntime", "fp32", None)
    assert file["verdicts_equal"] is True
    assert 0 <= file["max_abs_diff"] <= 1e-4
    assert file["size_bytes"] == (work / file["path"]).stat().st_size < 40_000


def test_verify(work: Path, exported: dict[str, Any]):
    document = gonogo_json("verify", "gauge", cwd=work)
    assert set(document) == {"gauge", "files"}
    assert set(document["files"][0]) >= FILE
    assert document["files"][0]["max_abs_diff"] <= 1e-4
    assert document["files"][0]["verdicts_equal"] is True


def test_the_gauge_and_the_run_give_the_same_verdict_on_every_photo(work: Path, exported: dict[str, Any]):
    answers = []
    for subject, out in (("run", "by-run"), ("gauge", "by-gauge")):
        done = in_process("eval", subject, "photos", "--split", "all", "--out", out, "--json", cwd=work)
        assert done.returncode in (0, 1)
        with (work / json.loads(done.stdout)["verdicts"]).open(newline="") as stream:
            answers.append({row["path"]: row for row in csv.DictReader(stream)})
    assert len(answers[0]) == PARTS * VIEWS
    for path, row in answers[0].items():
        assert row["verdict"] == answers[1][path]["verdict"]
        assert float(row["prob"]) == pytest.approx(float(answers[1][path]["prob"]), abs=1e-4)


def test_predict(work: Path, exported: dict[str, Any]):
    rows = gonogo_json("predict", "gauge", "photos/photos", cwd=work)
    assert len(rows) == PARTS * VIEWS
    for row in rows:
        assert set(row) == {"path", "label", "prob", "verdict", "region", "novelty"}
        expected = "review" if row["novelty"] > 1 else "go" if row["label"] == "ok" else "no-go"
        assert row["verdict"] == expected
        assert row["region"] is None or (row["verdict"] == "no-go" and len(row["region"]) == 4)
        assert (work / row["path"]).is_file()
    by_file = gonogo_json("predict", "gauge/model.onnx", "photos/photos", cwd=work)
    assert by_file == rows


def test_bench(work: Path, exported: dict[str, Any]):
    document = gonogo_json("bench", "gauge", "--repeats", 20, "--out", "bench.html", cwd=work)
    assert set(document) == {"device", "rows", "leaky", "page"}
    rows = [(row["batch"], row["from"]) for row in document["rows"]]
    assert rows == [(1, "pixels"), (1, "jpeg"), (32, "pixels"), (32, "jpeg")]
    for row in document["rows"]:
        assert set(row) >= BENCH
        assert (row["threads"], row["model"], row["params"]) == (1, "taper", 6014)
        assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
    page = (work / "bench.html").read_text(encoding="utf-8")
    assert page.count('<circle class="mark') == 4 + 2  # a mark for each row, and two in the legend
    assert f"{document['rows'][0]['p50_ms']:.3f}" in page


def test_models():
    rows = {
        " ".join([row["name"], *map(str, row["options"].values())]): row
        for row in gonogo_json("models", run=in_process)
    }
    assert {"taper", "taper-wide", "taper-study", "stump 7", "timm efficientnet_b0"} <= set(rows)
    for row in rows.values():
        assert set(row) >= {"name", "params_trainable", "params_statistics", "macs", "input", "source", "licence"}
    assert (rows["taper-study"]["params_trainable"], rows["taper-study"]["params_statistics"]) == (5801, 64)
    assert (rows["stump 7"]["params_trainable"], rows["stump 7"]["params_frozen"]) == (386, 75_968)
    assert rows["timm vit_base_patch16_224"]["input"] == [3, 224, 224]


def test_a_gauge_works_wherever_it_is_copied_and_without_the_run(work: Path, exported: dict[str, Any], tmp_path: Path):
    shutil.copytree(work / "gauge", tmp_path / "device" / "g")
    photo = next((work / "photos" / "photos").rglob("*.jpg"))
    rows = gonogo_json("predict", "g", photo, cwd=tmp_path / "device")
    assert rows[0]["verdict"] in ("go", "no-go")
    assert gonogo("verify", "g", cwd=tmp_path / "device").returncode == 0


@pytest.mark.slow
def test_kinds_are_sorted_exported_and_evaluated_on_some_of_the_kinds(tmp_path: Path):
    kinds = write_kinds(tmp_path / "photos", 12)
    arguments = ("--epochs", 15, "--batch-size", 8, "--device", "cpu")
    trained = gonogo_json("train", kinds, "--out", tmp_path / "run", *arguments, run=in_process)
    assert trained["val"]["escape_rate"] is trained["val"]["overkill_rate"] is trained["val"]["threshold"] is None
    assert set(trained["val"]["f1"]) == {"hole", "plain sheet", "speckle"}
    gonogo_json("export", tmp_path / "run", "--out", tmp_path / "gauge", run=in_process)
    rows = gonogo_json("predict", tmp_path / "gauge", kinds, run=in_process)
    assert {(row["verdict"], row["region"]) for row in rows} == {(None, None)}
    shutil.rmtree(kinds / "speckle")
    some = gonogo_json("eval", tmp_path / "gauge", kinds, "--out", tmp_path / "eval", run=in_process)
    assert some["n"] == 24
    assert some["accuracy"]["value"] > 0.8
    assert sum(some["confusion"]["speckle"].values()) == 0


def test_photos_of_an_unknown_class_are_refused(work: Path, exported: dict[str, Any], tmp_path: Path):
    shutil.copytree(work / "photos" / "photos", tmp_path / "photos")
    (tmp_path / "photos" / "ok").rename(tmp_path / "photos" / "fine")
    done = in_process("eval", work / "gauge", tmp_path / "photos")
    assert done.returncode == 2
    assert "class 'fine' that" in done.stderr
    assert "knows defect, ok" in done.stderr
