"""Quantizing a run: what it sees, what it writes, and what it refuses."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from gonogo.compress.quantize import QUANTIZERS
from gonogo.compress.quantize.calibration import calibration_photos
from gonogo.compress.quantize.quantize import Quantized, QuantizeRequest, quantize
from gonogo.data.reading import AS_TRAINED
from gonogo.evaluate.options import policy_from
from gonogo.evaluate.policies import choose_decision
from gonogo.export.parity import load_photos
from gonogo.gauge.facts import METADATA_KEY
from gonogo.gauge.gauge import Gauge
from gonogo.gauge.golden import verify
from gonogo.runtimes import RUNTIMES
from gonogo.train.run import Run
from tests.helpers import in_process, one_error_line, python, tree, write_photos, write_plates

# So that what is tested does not hang on how fast this machine is.
ANY_SPEED = 1e-6


@pytest.fixture(scope="module")
def run(run_folder: Path) -> Run:
    return Run.open(run_folder)


@dataclass(frozen=True)
class Made:
    """A gauge, and the photos that each quantizer was given."""

    result: Quantized
    given: set[bytes]

    @property
    def gauge(self) -> Gauge:
        assert self.result.gauge is not None
        return self.result.gauge


@pytest.fixture(scope="module")
def quantized(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Made:
    given: set[bytes] = set()
    out, entry = tmp_path_factory.mktemp("quantized") / "gauge", QUANTIZERS.get("onnx-int8")

    def watched(source):
        given.update(photo.tobytes() for photo in source.pixels)
        return entry.prepare(source)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(QUANTIZERS, "get", lambda _: replace(entry, prepare=watched))
        request = QuantizeRequest(run, out, max_drop=10, min_speedup=ANY_SPEED, repeats=10)
        return Made(quantize(request), given)


@pytest.fixture(scope="module")
def refused(run: Run, gauge_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Quantized, Path]:
    """What a run comes to that no file is fast enough for, where a gauge is already."""
    out = shutil.copytree(gauge_folder, tmp_path_factory.mktemp("refused") / "gauge")
    return quantize(QuantizeRequest(run, out, max_drop=100, min_speedup=1000, repeats=10, force=True)), out


def photos_of(run: Run, split: str) -> set[bytes]:
    chosen = run.manifest().select(split)
    return {photo.tobytes() for photo in load_photos(chosen, list(chosen.samples), run.config.geometry)}


def test_ranges_and_layers_see_photos_of_training_alone(run: Run):
    found = calibration_photos(run, None, AS_TRAINED)
    seen = [photo.tobytes() for photo in (*found.ranges, *found.others)]
    assert len(set(seen)) == len(seen) >= 20
    assert set(seen) <= photos_of(run, "train")
    assert not set(seen) & (photos_of(run, "val") | photos_of(run, "test"))


def test_the_quantizer_is_given_photos_of_training_alone(run: Run, quantized: Made):
    assert quantized.given
    assert quantized.given <= photos_of(run, "train")


def test_the_gauge_holds_the_file_and_the_one_it_came_from_each_with_its_own_threshold(run: Run, quantized: Made):
    gauge = quantized.gauge
    assert gauge is not None
    assert [(file.path, file.precision) for file in gauge.files] == [
        ("model.int8.onnx", "int8"),
        ("model.onnx", "fp32"),
    ]
    small, whole = gauge.files
    assert gauge.facts_of(whole).decision == run.decision
    assert gauge.facts_of(small) == gauge.facts
    assert small.max_abs_diff > 1e-4 > whole.max_abs_diff
    val = run.manifest().select("val")
    session = gauge.open(small)
    pred_probs = np.concatenate(
        [session(load_photos(val, [sample], run.config.geometry)).pred_probs for sample in val.samples]
    )
    groups = val.groups if run.manifest().has_groups else None
    chosen = choose_decision(run.config.task, val.labels, pred_probs, groups, policy_from(**run.config.decision))
    assert gauge.facts.decision == chosen
    assert gauge.facts.about["val"]["threshold"] == chosen.threshold == quantized.result.val["threshold"]
    carried = json.loads(session.metadata[METADATA_KEY])
    assert carried["decision"]["threshold"] == chosen.threshold
    assert carried["about"]["precision"] == "int8"
    assert carried["about"]["quantized"]["by"] == "onnx-int8"


def test_the_gauge_proves_itself_wherever_it_is_copied(quantized: Made, tmp_path: Path):
    copied = Gauge.load(shutil.copytree(quantized.gauge.path, tmp_path / "copy"))
    rows = verify(copied)
    assert [(file.precision, parity.holds) for file, parity in rows] == [("int8", True), ("fp32", True)]
    alone = Gauge.load(tmp_path / "copy" / "model.int8.onnx")
    assert alone.facts == copied.facts
    assert alone.files[0].precision == "int8"
    plates = write_plates(tmp_path / "new", 3, seed=5)
    for folder, verdict in (("ok", "go"), ("defect", "no-go")):
        for photo in (plates / folder).iterdir():
            assert copied.inspect(photo).verdict == alone.inspect(photo).verdict == verdict


def test_an_exchanged_file_is_noticed(quantized: Made, tmp_path: Path):
    copied = shutil.copytree(quantized.gauge.path, tmp_path / "copy")
    shutil.copyfile(copied / "model.onnx", copied / "model.int8.onnx")
    assert "model.int8.onnx is cut or altered" in one_error_line(in_process("verify", copied))


def test_weights_are_a_byte_each(quantized: Made, run: Run):
    small, whole = (file.size_bytes for file in quantized.gauge.files)
    assert whole - small > 2 * run.metrics["params"] - 4000  # the facts of the quantized file say more


@pytest.mark.slow
def test_a_gauge_that_keeps_a_promise_keeps_it_with_fewer_bits(plates: Path, tmp_path: Path):
    from gonogo.train.train import TrainRequest, train

    request = TrainRequest(
        plates,
        tmp_path / "run",
        recipe={"epochs": 3, "batch_size": 8, "seed": 0},
        decision={"max_escape": "40%", "confidence": "90%"},
    )
    run = train(request)
    out = tmp_path / "gauge"
    made = quantize(QuantizeRequest(run, out, max_drop=100, min_speedup=ANY_SPEED, repeats=10))
    promise, own = run.decision.guarantee, made.gauge.facts.decision.guarantee
    assert own == promise
    assert own.met
    assert made.gauge.facts.about["guarantee"]["rate"] == own.rate
    val = run.manifest().select("val")
    defects = [sample for sample in val.samples if sample.label == "defect"]
    answers = made.gauge.open()(load_photos(val, defects, run.config.geometry)).pred_probs
    told = made.gauge.facts.decision.verdicts(answers)
    assert told.count("go") <= own.misses


# ---- refusals


def test_what_is_not_faster_is_refused_with_its_figures(refused: tuple[Quantized, Path]):
    made, _ = refused
    (row,) = made.rows
    assert made.gauge is None
    assert made.val is None
    assert not row.accepted
    assert row.speed.p50_ms > 0
    assert f"int8 under onnxruntime takes {row.speed.p50_ms:.3g} ms where fp32 takes" in made.refused
    assert made.refused.endswith("not written")


def test_a_gauge_that_is_there_survives_a_refusal(refused: tuple[Quantized, Path], gauge_folder: Path):
    _, out = refused
    assert tree(out) == tree(gauge_folder)
    assert [path.name for path in out.parent.iterdir()] == ["gauge"]


def test_photos_to_calibrate_on_that_do_not_fit_are_one_line(run_folder: Path, tmp_path: Path):
    data = write_photos(tmp_path / "other", {"ok": 4, "defect": 4}, (48, 52))
    line = one_error_line(in_process("quantize", run_folder, data, "--out", tmp_path / "gauge"))
    assert "52x48 pixels, expected 64x64" in line
    assert not (tmp_path / "gauge").exists()


def test_photos_of_validation_are_never_calibrated_on(run: Run, run_folder: Path, tmp_path: Path):
    data = write_plates(tmp_path / "more", 4, seed=9)
    sample = run.manifest().select("val").samples[0]
    shutil.copyfile(run.manifest().root / sample.path, data / "ok" / "again.png")
    line = one_error_line(in_process("quantize", run_folder, data, "--out", tmp_path / "gauge"))
    assert "1 of 9 photos" in line
    assert "validation or test photos" in line


def test_other_photos_may_give_the_ranges(run: Run, tmp_path: Path):
    data = write_plates(tmp_path / "more", 6, seed=9)
    found = calibration_photos(run, data, AS_TRAINED)
    assert (len(found.ranges), len(found.others), found.split) == (6, 6, "all")


def test_too_few_photos_to_calibrate_on_are_refused(run_folder: Path, tmp_path: Path):
    data = write_plates(tmp_path / "more", 1, seed=9)
    line = one_error_line(in_process("quantize", run_folder, data, "--out", tmp_path / "gauge"))
    assert "2 photos to calibrate on, expected 4 at least" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--format", "onnx-int9"), "did you mean 'onnx-int8'?"),
        (("--max-drop", "-1"), "--max-drop is -1, expected points from 0 to 100"),
        (("--max-drop", "nan"), "--max-drop is nan"),
        (("--repeats", 3), "--repeats"),
        (("--out", "FILE/below"), "cannot write"),
    ],
)
def test_wrong_use_is_one_line(arguments: tuple[object, ...], words: str, run_folder: Path, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    arguments = tuple(str(tmp_path / "file" / "below") if word == "FILE/below" else word for word in arguments)
    out = () if "--out" in arguments else ("--out", tmp_path / "gauge")
    assert words in one_error_line(in_process("quantize", run_folder, *out, *arguments))
    assert tree(tmp_path) == {"file": b"in the way"}


def test_a_folder_that_is_no_run_is_refused(plates: Path, tmp_path: Path):
    assert "is not a run" in one_error_line(in_process("quantize", plates, "--out", tmp_path / "gauge"))


def test_a_dry_run_writes_nothing(run_folder: Path, tmp_path: Path):
    done = in_process("quantize", run_folder, "--out", tmp_path / "gauge", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"] == ["gauge.json", "golden.npz", "model.onnx", "model.int8.onnx"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_command_prints_one_document_also_where_all_is_refused(run_folder: Path, tmp_path: Path):
    done = in_process("quantize", run_folder, "--out", tmp_path / "gauge", "--max-drop", 0, "--repeats", 10, "--json")
    document = json.loads(done.stdout)
    assert {"run", "arch", "params", "macs", "images_per_second", "val", "refused", "gauge", "rows"} <= set(document)
    reference, row = document["rows"]
    assert (reference["name"], reference["precision"], reference["accepted"]) == ("onnx", "fp32", None)
    assert reference["size_bytes"] > row["size_bytes"] > 0
    assert set(reference) <= set(row)
    assert row["runtime"] == "onnxruntime"
    assert row["p50_ms"] > 0
    assert set(row["drop"]) == {"ok", "defect"}
    assert row["accepted"] == (row["reason"] is None) == (document["gauge"] is not None) == (done.returncode == 0)
    assert done.returncode == (1 if document["refused"] else 0)


def test_the_runtime_named_is_the_one_that_opens_the_file(quantized: Made):
    (row,) = quantized.result.rows
    assert row.runtime in RUNTIMES
    assert quantized.gauge.files[0].runtime == row.runtime


FULL_DISK = """
import resource, signal, sys
from gonogo.cli import main

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # every file ends here, as on a disk without room
main()
"""


@pytest.mark.slow
def test_no_room_on_the_disk_is_one_line_and_what_was_there_stays(run_folder: Path, gauge_folder: Path, tmp_path: Path):
    out = shutil.copytree(gauge_folder, tmp_path / "gauge")
    before = tree(tmp_path), tree(run_folder)
    done = python(FULL_DISK, "quantize", run_folder, "--out", out, "--force")
    assert "File too large" in one_error_line(done)
    assert (tree(tmp_path), tree(run_folder)) == before
