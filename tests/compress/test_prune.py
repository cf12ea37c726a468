"""Pruning a run from end to end: what is written, refused, resumed, and that the original stays as it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from gonogo.compress import gate
from gonogo.compress.prune import verdict
from gonogo.compress.prune.patient import Patient
from gonogo.compress.prune.prune import PruneRequest, prune
from gonogo.compress.prune.schedule import Limits
from gonogo.compress.prune.target import Target, read_target
from gonogo.compress.prune.widths import choose_multiple, fast_multiple
from gonogo.compress.timing import Timed
from gonogo.errors import BarNotMetError, GonogoError, RunError, UsageError
from gonogo.evaluate.paired import paired_drop
from gonogo.export.gauge import export_gauge
from gonogo.models.cost import count_macs
from gonogo.train.run import Run
from gonogo.train.teacher import Teaching
from gonogo.train.train import TrainRequest, train
from tests.helpers import in_process, one_error_line, tree

LEARN = {"epochs": 2, "batch_size": 8, "lr": 0.005}
HALF = Target("macs", 0.5)


@pytest.fixture(autouse=True)
def _any_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a small network is faster is measured, and of no matter to most tests here."""
    monkeypatch.setattr(gate, "LEAST_SPEEDUP", 0.01)


def request_of(run: Path, out: Path, **changes: object) -> PruneRequest:
    given: dict = {"target": HALF, "multiple": 2, "max_drop": 50.0, "recipe": LEARN} | changes
    return PruneRequest(run, out, **given)


@pytest.fixture(scope="module")
def pruned(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The plates' run at half its multiply-adds. Read it, never write to it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "LEAST_SPEEDUP", 0.01)
        return prune(request_of(run_folder, tmp_path_factory.mktemp("pruned") / "run")).run


def test_a_pruned_run_is_a_run_of_a_smaller_network(run_folder: Path, pruned: Run):
    whole, smaller = Run.open(run_folder).load_network(), pruned.load_network()
    size, found = pruned.config.geometry.input_size, pruned.metrics["pruning"]
    assert count_macs(smaller, 1, size) == found["macs_after"] <= 0.5 * found["macs_before"]
    assert found["macs_before"] == count_macs(whole, 1, size)
    assert found["params_after"] == pruned.metrics["params"] < found["params_before"]
    assert found["size_bytes_after"] < found["size_bytes_before"]
    assert {layer.out_channels % 2 for layer in smaller.body.modules() if isinstance(layer, torch.nn.Conv2d)} == {0}
    assert pruned.metrics["epochs"] == 2
    assert pruned.config.made_from["criterion"] == "l2"
    assert found["drop"]["n"] == len(pruned.manifest().select("val"))


@pytest.mark.slow
def test_the_original_stays_as_it_is(run_folder: Path, tmp_path: Path):
    copied = tmp_path / "original"
    shutil.copytree(run_folder, copied)
    before = tree(copied)
    prune(request_of(copied, tmp_path / "run"))
    assert tree(copied) == before
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted(before)


def test_a_pruned_run_is_loaded_bit_by_bit_and_exported(pruned: Run, tmp_path: Path):
    photos = torch.rand(2, 1, *pruned.config.geometry.input_size)
    first, again = (Run.open(pruned.path).load_network() for _ in range(2))
    with torch.no_grad():
        assert torch.equal(first(photos), again(photos))
    exported = export_gauge(pruned, tmp_path / "gauge")
    assert exported.parities[0].holds
    assert exported.gauge.facts.about["params"] == pruned.metrics["params"]


def test_layers_fitted_again_answer_more_like_the_original_before_anything_learns(run_folder: Path, tmp_path: Path):
    _, before = Run.open(run_folder).read_predictions()
    missed = {}
    for refit in (False, True):
        teaching = Teaching(maps=10.0 if refit else 0.0)
        request = request_of(run_folder, tmp_path / f"{refit}", refit=refit, teaching=teaching, recipe={"epochs": 0})
        found = prune(request).run
        assert found.config.made_from["refit"] is refit
        assert found.config.recipe.clip_norm == (5.0 if refit else 0.0)
        missed[refit] = float(np.abs(found.read_predictions()[1] - before).mean())
    assert missed[True] < 0.7 * missed[False]


@pytest.mark.slow
def test_a_pruned_run_can_be_pruned_again(pruned: Run, tmp_path: Path):
    again = prune(request_of(pruned.path, tmp_path / "again", target=Target("params", 0.7))).run
    assert len(again.history) == 2
    assert again.metrics["params"] <= 0.7 * pruned.metrics["params"]
    assert again.load_network() is not None


def test_a_history_that_was_changed_is_refused(pruned: Run, tmp_path: Path):
    copied = tmp_path / "run"
    shutil.copytree(pruned.path, copied)
    path = copied / "model.json"
    model = json.loads(path.read_text())
    layer = next(iter(model["history"][0]["channels"]))
    model["history"][0]["channels"][layer]["out"][0] += 1
    path.write_text(json.dumps(model))
    with pytest.raises(RunError, match="step 1 of the history was changed after it was written"):
        Run.open(copied).load_network()
    assert "step 1 of the history" in one_error_line(in_process("export", copied, "-o", tmp_path / "gauge"))


@pytest.mark.slow
def test_a_pruning_that_was_interrupted_goes_on_as_if_it_had_not_been(run_folder: Path, tmp_path: Path):
    changes = {"steps": 2, "recipe": {**LEARN, "epochs": 3}, "refit": True}
    whole = prune(request_of(run_folder, tmp_path / "whole", **changes)).run

    def stop_at(epochs: int):
        seen = []

        def report(step) -> None:
            seen.extend([step] if step.row is not None else [])
            if len(seen) == epochs:
                raise KeyboardInterrupt

        return report

    for epochs in (2, 2):  # in the first step, then in the second
        resume = (tmp_path / "cut").exists()
        with pytest.raises(KeyboardInterrupt):
            prune(request_of(run_folder, tmp_path / "cut", **changes, resume=resume), report=stop_at(epochs))
    cut = prune(request_of(run_folder, tmp_path / "cut", **changes, resume=True)).run
    name = "model.safetensors"
    assert (cut.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert cut.history == whole.history
    assert len(cut.history) == 2


@pytest.mark.slow
def test_blocks_and_streams_of_a_residual_network_go(plates: Path, tmp_path: Path):
    recipe = {"epochs": 1, "batch_size": 16}
    run = train(TrainRequest(plates, tmp_path / "run", arch="resnet20", recipe=recipe, reject_unknown=False))
    request = request_of(run.path, tmp_path / "pruned", blocks=2, streams=True, multiple=8, recipe=recipe)
    found = prune(request).run
    (step,) = found.history
    assert len(step.blocks) == 2
    assert sum(isinstance(found.load_network().get_submodule(name), torch.nn.Identity) for name in step.blocks) == 2
    assert found.metrics["pruning"]["macs_after"] <= 0.5 * found.metrics["pruning"]["macs_before"]


@pytest.mark.slow
def test_a_target_in_time_is_searched_by_measuring(run_folder: Path, tmp_path: Path):
    tried = []
    timer = Patient.times

    def counted(self, **networks):
        tried.append(networks)
        return timer(self, **networks)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Patient, "times", counted)
        found = prune(request_of(run_folder, tmp_path / "run", target=Target("latency_ms", 1000.0)))
    # Everything is quick enough: the search ends near the whole network, after a few exports.
    assert found.figures["macs_after"] > 0.9 * found.figures["macs_before"]
    assert 3 <= len(tried) <= 12


@pytest.mark.parametrize(
    "target", [Target("macs", 0.001), pytest.param(Target("latency_ms", 1e-6), marks=pytest.mark.slow)]
)
def test_a_target_out_of_reach_is_said_and_nothing_written(run_folder: Path, tmp_path: Path, target: Target):
    with pytest.raises(BarNotMetError, match=r"the target is out of reach: asked for .* found .* with at least 10%"):
        prune(request_of(run_folder, tmp_path / "run", target=target))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_what_is_not_faster_is_refused_with_its_figures(run_folder: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(gate, "LEAST_SPEEDUP", 1000.0)
    said = r"pruned under onnxruntime takes [\d.]+ ms where the original takes [\d.]+: [\d.]+x .*"
    with pytest.raises(BarNotMetError, match=said):
        prune(request_of(run_folder, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_what_lost_too_much_is_kept_but_refused(run_folder: Path, tmp_path: Path):
    arguments = ("prune", run_folder, "-o", tmp_path / "run", "--round", "2", "--max-drop", "-200", "--epochs", "1")
    done = in_process(*arguments, "--batch-size", "8")
    assert done.returncode == 1
    assert "points of auc" in done.stderr and "--max-drop allows -200" in done.stderr
    assert Run.open(tmp_path / "run").metrics["refused"] is not None


@pytest.mark.slow
def test_the_command_says_what_it_did_in_json(run_folder: Path, tmp_path: Path):
    arguments = (
        "prune",
        run_folder,
        "-o",
        tmp_path / "run",
        "--round",
        "2",
        "--max-drop",
        "50",
        "--set",
        "batch_size=8",
    )
    planned = json.loads(in_process(*arguments, "--dry-run", "--json").stdout)
    assert planned["would_write"] == str(tmp_path / "run")
    assert not (tmp_path / "run").exists()
    done = in_process(*arguments, "--epochs", "1", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["macs_after"], said["params_after"]) == (planned["macs_after"], planned["params_after"])
    for name in ("run", "arch", "params", "macs", "images_per_second", "val", "refused", "criterion", "drop"):
        assert name in said
    for name in ("macs", "params", "accuracy", "p50_ms", "size_bytes"):
        assert said[f"{name}_before"] > 0 and said[f"{name}_after"] > 0


def test_all_criteria_are_ranked_against_chance(run_folder: Path):
    done = in_process("prune", run_folder, "--criterion", "all", "--target", "macs=0.4", "--round", "2", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert [row["accuracy"] for row in rows] == sorted((row["accuracy"] for row in rows), reverse=True)
    assert len(rows) == 14
    says = {row["says"] for row in rows}
    assert says <= {"chance", "better than chance", "worse than chance", "not told from chance"}
    for row in rows:
        if row["gain"] is not None:
            assert row["low"] <= row["gain"] <= row["high"]
            assert (row["low"] > 0) == (row["says"] == "better than chance")


def test_sensitivity_draws_every_layer(run_folder: Path, tmp_path: Path):
    page = tmp_path / "page.html"
    done = in_process("prune", run_folder, "--sensitivity", page, "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert [row["layer"] for row in rows] == ["body.0.0", "body.1.0", "body.2.0", "body.3.0"]
    for row in rows:
        assert all(0 <= kept <= 1 for kept in row["agreement"])
    text = page.read_text(encoding="utf-8")
    assert all(row["layer"] in text for row in rows)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--target", "macs=1.5"], "found --target 'macs=1.5', expected macs=0.5"),
        (["--target", "flops=0.5"], "found --target 'flops=0.5'"),
        (["--criterion", "l3"], "unknown criterion 'l3'; did you mean"),
        (["--round", "0"], "found --round 0, expected auto"),
        (["--steps", "0"], "expected --steps 1 or more"),
        (["--blocks", "1"], "--blocks 1, and 'taper' can do without 0 blocks"),
        (["--set", "epoch=3"], "unknown"),
        (["--scope", "all"], "unknown --scope 'all'"),
    ],
)
def test_wrong_words_get_one_line(run_folder: Path, tmp_path: Path, arguments: list[str], says: str):
    done = in_process("prune", run_folder, "-o", tmp_path / "run", *arguments)
    assert says in one_error_line(done)
    assert done.returncode == 2
    assert not (tmp_path / "run").exists()


def test_the_original_is_no_place_to_write_to(run_folder: Path):
    done = in_process("prune", run_folder, "-o", run_folder, "--force")
    assert "is the original" in one_error_line(done)


def test_photos_that_are_gone_are_missed_by_name(run_folder: Path, tmp_path: Path):
    with pytest.raises(UsageError, match=r"lacks 60 of the 60 photos that .* was trained on, such as"):
        prune(PruneRequest(run_folder, tmp_path / "run", HALF, data=tmp_path))


def test_a_run_that_knows_good_parts_alone_is_refused(run_folder: Path, tmp_path: Path):
    copied = tmp_path / "run"
    shutil.copytree(run_folder, copied)
    metrics = json.loads((copied / "metrics.json").read_text())
    (copied / "metrics.json").write_text(json.dumps(metrics | {"good_alone": {}}))
    with pytest.raises(GonogoError, match="knows good parts alone"):
        prune(request_of(copied, tmp_path / "out"))


@pytest.mark.parametrize(
    ("width", "lost", "kept"), [(16, 8, 8), (16, 9, 8), (16, 7, 12), (16, 16, 4), (6, 1, 6), (3, 3, 3), (30, 29, 4)]
)
def test_widths_are_rounded_up_and_never_beyond_the_layer(width: int, lost: int, kept: int):
    assert Limits(multiple=4, floor=0.1).kept(width, lost) == kept


def test_the_fast_multiple_follows_from_the_times():
    units = {width: -(-width // 8) for width in range(17, 49)}  # a machine that computes eight channels at once
    assert choose_multiple({width: float(steps) for width, steps in units.items()}) == 8
    assert choose_multiple({width: float(width**2) for width in range(17, 49)}) == 1
    assert fast_multiple() in (1, 2, 4, 8, 16)


def test_a_target_of_several_steps_takes_the_same_share_each_time():
    target = read_target("macs=0.25")
    assert [target.at(step, 2).value for step in (1, 2)] == pytest.approx([0.5, 0.25])
    assert read_target("latency-ms=2").at(1, 3).value == 2


def test_faster_is_a_matter_of_both_times(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gate, "LEAST_SPEEDUP", 1.05)
    turns = 1 + 0.001 * np.arange(100) % 7
    times = {"original": Timed(turns, 10), "pruned": Timed(turns / 2, 10)}
    assert verdict.not_faster(times) is None
    assert "2x slower" in (verdict.not_faster(dict(zip(times, reversed(times.values()), strict=True))) or "")
    assert verdict.not_faster({"original": times["original"], "pruned": Timed(turns / 1.04, 10)}) is not None


def test_a_drop_is_paired_over_photos():
    from gonogo.data.task import Task

    task = Task(("a", "b"), None)
    labels = np.array([0] * 50 + [1] * 50)
    right = np.eye(2, dtype=np.float32)[labels]
    wrong = right.copy()
    wrong[:5] = wrong[:5, ::-1]
    drop = paired_drop(task, labels, right, wrong, None)
    assert (drop.measure, drop.before, drop.after) == ("accuracy", 1.0, 0.95)
    assert drop.value == pytest.approx(5.0)
    assert 0 < drop.low < 5 < drop.high < 12
    assert drop.classes == {"a": 10.0, "b": 0.0}
    same = paired_drop(task, labels, wrong, wrong, None)
    assert (same.value, same.low, same.high) == (0, 0, 0)
