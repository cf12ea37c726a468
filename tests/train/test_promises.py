"""From the budget on the command line to the promise in the gauge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gonogo.errors import UsageError
from gonogo.evaluate.guarantee import proven_rate
from gonogo.gauge.gauge import Gauge
from gonogo.train.run import Run
from gonogo.train.train import TrainRequest, train
from tests.helpers import gonogo_json, in_process, one_error_line, write_kinds

QUICK = ("--epochs", "4", "--batch-size", "8", "--no-find-copies")


@pytest.fixture(scope="module")
def promised(plates: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with an escape budget that its few validation photos can prove."""
    folder = tmp_path_factory.mktemp("promised") / "run"
    done = in_process("train", plates, "-o", folder, "--max-escape", "50%", "--val", "0.4", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "guaranteed: a new defective photo is called go with probability" in done.stdout
    return folder


def test_the_run_keeps_the_budget_and_an_epoch_fixed_beforehand(promised: Path):
    run = Run.open(promised)
    assert run.config.decision == {"max_escape": "50%"}
    assert (run.config.recipe.keep, run.config.recipe.patience) == ("last", 0)
    assert run.metrics["best_epoch"] == run.metrics["epochs"] == 4
    guarantee = run.metrics["val"]["guarantee"]
    assert (guarantee["asked"], guarantee["confidence"], guarantee["unit"]) == (0.5, 0.95, "photos")
    assert guarantee["proven"] == pytest.approx(float(proven_rate(guarantee["n"], guarantee["misses"], 0.95)))
    assert run.metrics["unmet"] == []


def test_the_gauge_carries_the_promise(promised: Path, tmp_path: Path):
    gonogo_json("export", promised, "-o", tmp_path / "gauge", run=in_process)
    gauge = Gauge.load(tmp_path / "gauge")
    assert gauge.facts.decision.guarantee == Run.open(promised).decision.guarantee
    stored = json.loads((tmp_path / "gauge" / "gauge.json").read_text())
    assert stored["about"]["guarantee"]["asked"] == 0.5
    assert gonogo_json("verify", tmp_path / "gauge", run=in_process)["files"][0]["verdicts_equal"] is True
    evaluated = gonogo_json("eval", promised, run=in_process)
    assert evaluated["guarantee"]["n"] == Run.open(promised).metrics["val"]["guarantee"]["n"]


def test_a_budget_that_the_parts_cannot_prove_ends_with_1_and_says_how_many_would_do(plates: Path, tmp_path: Path):
    done = in_process("train", plates, "-o", tmp_path / "run", "--max-escape", "1%", *QUICK)
    assert done.returncode == 1
    assert "299 are needed" in done.stderr
    assert Run.open(tmp_path / "run").metrics["unmet"]  # the run is there nevertheless


def test_costs_move_the_threshold(plates: Path, tmp_path: Path):
    thresholds = []
    for name, costs in (("dear", ("1000", "1")), ("cheap", ("1", "1000"))):
        request = TrainRequest(
            plates,
            tmp_path / name,
            recipe={"epochs": 1, "batch_size": 8, "lr": 1e-6},  # it learns nothing, so the classes overlap
            decision={"cost_escape": costs[0], "cost_overkill": costs[1]},
        )
        thresholds.append(train(request).metrics["val"]["threshold"])
    assert thresholds[0] < thresholds[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--max-escape", "1%", "--best-f1"], "give one of them"),
        (["--max-escape", "150%"], "above 0 and below 1"),
        (["--max-escape", "1%", "--confidence", "1"], "--confidence"),
        (["--cost-escape", "-5", "--cost-overkill", "1"], "a cost of 0 or more"),
        (["--cost-escape", "5"], "says nothing without"),
        (["--max-overkill", "1%"], "says nothing without --max-escape"),
        (["--max-escape", "5%", "--set", "keep=best"], "fixed beforehand"),
        (["--imbalance", "oversampling"], "did you mean 'oversample'"),
    ],
)
def test_impossible_budgets_are_refused_before_anything_is_read(
    arguments: list[str], says: str, plates: Path, tmp_path: Path
):
    done = in_process("train", plates, "-o", tmp_path / "run", *arguments)
    assert says in one_error_line(done)
    assert not (tmp_path / "run").exists()


def test_sorting_has_no_escapes(tmp_path: Path):
    kinds = write_kinds(tmp_path / "kinds", 6)
    request = TrainRequest(kinds, tmp_path / "run", decision={"max_escape": "5%"})
    with pytest.raises(UsageError, match="no good class"):
        train(request)


@pytest.mark.parametrize("imbalance", ["undersample", "oversample", "class-weights", "focal", "logit-adjustment"])
def test_every_remedy_trains(imbalance: str, plates: Path, tmp_path: Path):
    recipe = {"epochs": 1, "batch_size": 8, "imbalance": imbalance}
    assert train(TrainRequest(plates, tmp_path / "run", recipe=recipe)).config.recipe.imbalance == imbalance
