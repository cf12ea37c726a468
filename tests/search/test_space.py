"""What a search may propose, what it may cost, and which of what was tried is taken."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import optuna
import pytest

from gonogo.data.task import Task
from gonogo.errors import UsageError
from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import make_spec
from gonogo.search.budgets import Budgets, Unmet
from gonogo.search.clock import Clock
from gonogo.search.measure import Cost, Shown, shown
from gonogo.search.pareto import front, take
from gonogo.search.space import Proposal, Space, reductions_for, taper_widths
from gonogo.search.tried import Tried
from gonogo.train.candidates import Candidate
from gonogo.train.choose import Scores
from gonogo.train.recipe import resolve_recipe


def test_widths_rise_once_and_taper_evenly_to_the_last():
    assert taper_widths(12, 1.35, 8, 4) == (12, 16, 12, 8)
    assert taper_widths(24, 1.65, 16, 4) == (24, 40, 28, 16)
    assert taper_widths(8, 1.0, 24, 3) == (8, 24, 24)  # never narrower than the last
    assert taper_widths(32, 2.0, 8, 5) == (32, 64, 44, 28, 8)


@pytest.mark.parametrize(
    ("side", "chosen", "expected"),
    [(300, None, (2, 3, 4, 6)), (200, None, (1, 2, 3, 4)), (128, None, (1, 2)), (40, None, (1,)), (300, 3, (3,))],
)
def test_reductions_go_from_the_finest_to_the_coarsest_that_a_network_can_use(side, chosen, expected):
    assert reductions_for(side, chosen) == expected


@pytest.mark.parametrize("weights", [None, "hub"])
def test_every_proposal_is_a_network_and_a_recipe_that_exist(weights):
    space = Space((1, 2, 3), weights)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trials = [optuna.trial.FixedTrial(params) for params in space.anchors()] + [study.ask() for _ in range(30)]
    proposals = [space.propose(trial) for trial in trials]
    assert {proposal.reduce for proposal in proposals} == {1, 2, 3}
    assert {proposal.candidate.arch for proposal in proposals} == ({"taper"} if weights is None else {"taper", "stump"})
    for candidate in (proposal.candidate for proposal in proposals):
        make_spec(candidate.arch, 2, 1, dict(candidate.arch_options)).build()
        resolve_recipe(ARCHITECTURES.get(candidate.arch).recipe, candidate.recipe)


def test_the_first_networks_are_those_that_did_best_elsewhere():
    space = Space((2, 3, 4, 6), "hub")
    first = [space.propose(optuna.trial.FixedTrial(params)) for params in space.anchors()]
    assert [p.candidate.arch_options.get("cut") for p in first[:4]] == [7, 12, 4, None]
    small = space.propose(optuna.trial.FixedTrial(space.small_taper))
    assert small == first[3]
    assert small.candidate.arch_options["widths"] == (12, 16, 12, 8)
    assert Space((2, 3)).small_taper == Space((2, 3)).anchors()[0]


@pytest.mark.parametrize(
    ("budgets", "said"),
    [
        ({"max_escape": 0.0}, "--max-escape is 0"),
        ({"max_escape": 0.5, "max_overkill": 0.5}, "what a coin keeps"),
        ({"max_latency_ms": 0.0}, "--max-latency-ms is 0, expected milliseconds such as 0.2"),
        ({"max_size_kb": float("nan")}, "--max-size-kb is nan, expected kilobytes such as 40"),
        ({"confidence": 1.0}, "--confidence is 1"),
    ],
)
def test_budgets_that_nothing_can_keep_are_refused(budgets, said):
    with pytest.raises(UsageError, match=said):
        Budgets(**budgets)


def test_a_budget_is_exceeded_by_the_worse_of_time_and_size():
    budgets = Budgets(max_latency_ms=0.2, max_size_kb=40)
    assert budgets.excess(0.1, 20_000) == 0
    assert budgets.excess(0.3, 20_000) == pytest.approx(0.5)
    assert budgets.excess(0.3, 80_000) == pytest.approx(1.0)
    assert Budgets().excess(1e9, 10**12) == 0
    assert Unmet("--max-size-kb", 40, 80, "ask for more").in_words == "--max-size-kb is not kept: ask for more"


def test_a_clock_goes_on_where_it_was(tmp_path: Path):
    (tmp_path / "clock.json").write_text(json.dumps({"seconds": 40.0}))
    clock = Clock(tmp_path / "clock.json", 60.0)
    assert 40 <= clock.elapsed < 41
    assert 19 < clock.left <= 20
    clock.keep()
    assert 40 <= json.loads((tmp_path / "clock.json").read_text())["seconds"] < 41
    assert Clock(tmp_path / "clock.json", 10.0).left == 0


def test_the_front_holds_what_nothing_else_is_better_than():
    rows = [(1, 5), (2, 4), (2, 5), (5, 1), (5, 1)]
    assert front(rows, lambda row: row) == [(1, 5), (2, 4), (5, 1), (5, 1)]


def _tried(number: int, macs: int, of_part: list[float], overkill: float = 0.0) -> Tried:
    labels = np.array([0, 0, 0, 1, 1, 1])
    found = Shown(Scores(np.array(of_part), labels, "auc"), overkill, 1.0)
    cost = Cost(macs / 1e6, macs, macs, macs)
    return Tried(number, Proposal(Candidate(str(number), "taper", {}), 1), cost, None, found)


def test_the_smallest_is_taken_that_the_parts_cannot_tell_from_the_best():
    best = _tried(0, 900, [1.0] * 6)
    near = _tried(1, 300, [1.0, 1.0, 0.7, 1.0, 1.0, 1.0])
    worse = _tried(2, 100, [0.8, 0.7, 0.8, 0.7, 0.8, 0.7])
    assert take([best, near, worse]).number == 1
    assert take([best, worse]).number == 0
    # As good in order, but where the threshold lies it loses more good parts than the budget allows.
    costly = _tried(1, 300, [1.0, 1.0, 0.7, 1.0, 1.0, 1.0], overkill=0.05)
    assert take([best, costly]).number == 0
    assert take([best, costly], max_overkill=0.06).number == 1


def test_good_parts_are_lost_above_the_defective_part_that_must_not_escape():
    task = Task(("defect", "ok"), "ok")
    defect_probs = np.array([0.9, 0.8, 0.3, 0.2, 0.4, 0.1, 0.6, 0.7], dtype=np.float32)
    pred_probs = np.stack([defect_probs, 1 - defect_probs], 1)
    labels = np.array([0, 0, 0, 1, 1, 1, 0, 1])
    groups = ("a", "b", "c", "d", "e", "e", "f", "g")
    fold = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    # Fold 0: the lowest defective part is c at .3, so that e (.4 in one of its photos) is lost and d (.2) is not.
    # Fold 1: f at .6 must not pass, so that g at .7 is lost. Two of three good parts.
    found = shown(task, labels, groups, fold, pred_probs, 0.01, 2.0)
    assert found.overkill == pytest.approx(2 / 3)
    # Fold 0's pairs: c stands above d, and above one of e's two photos; a and b above all. Fold 1's pair is wrong.
    assert found.scores.mean == pytest.approx(((1 + 1 + 0.75 + 0) / 4 + (1 + 5 / 6 + 0) / 3) / 2)
    # A threshold that may let a third of the defective parts of a fold pass lies at b, and loses none in fold 0.
    assert shown(task, labels, groups, fold, pred_probs, 0.34, 2.0).overkill == pytest.approx(1 / 3)


def test_sorting_is_scored_by_what_is_sorted_right():
    task = Task(("a", "b", "c"), None)
    pred_probs = np.array([[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.4, 0.3, 0.3]], dtype=np.float32)
    found = shown(task, np.array([0, 1, 2]), ("x", "y", "z"), np.array([0, 0, 0]), pred_probs, 0.0, 1.0)
    assert (found.scores.name, found.overkill) == ("accuracy", pytest.approx(1 / 3))
    assert found.in_words == "66.7% of the parts sorted right"
