"""The depth of tapering: the family by hand, what a curve says, and the whole way on plain photos."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from gonogo.compress.taper_depth import CSV_NAME, JSON_NAME, TaperDepthRequest, find_taper_depth
from gonogo.compress.taper_limit import Limit, answer, find_limit, shallower
from gonogo.compress.tapers import Taper, family, widths_at
from gonogo.errors import UsageError
from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import count_parameters, make_spec
from gonogo.models.cost import count_macs
from gonogo.train.prepare import DataOptions
from tests.helpers import tree
from tests.helpers_tapers import curve

PAIRS = DataOptions(group_by="2", find_copies=False)


def test_widths_by_hand():
    assert widths_at(16, 5, 4) == (16, 8, 4, 2, 1)
    assert widths_at(16, 4, 0) == (16, 16, 16, 16)
    # 16 * 2^(-1/3) = 12.70, 16 * 2^(-2/3) = 10.08
    assert widths_at(16, 4, 1) == (16, 13, 10, 8)
    assert widths_at(4, 3, -2) == (4, 8, 16)
    assert widths_at(8, 3, 8) == (8, 1, 1)  # half a channel is one; 1/32 of one too


def test_every_architecture_with_widths_has_a_family_whose_cost_falls():
    names = [
        name for name in ARCHITECTURES if isinstance(getattr(ARCHITECTURES.get(name).defaults, "widths", 0), tuple)
    ]
    assert {"taper", "taper-wide", "taper-fine", "taper-study"} <= set(names)
    for name in names:
        tapers = family(name, {})
        networks = [make_spec(name, 2, 1, {"widths": t.widths}).build() for t in tapers]
        costs = [(sum(count_parameters(n)), count_macs(n, 1, (100, 100))) for n in networks]
        assert [taper.depth for taper in tapers] == [0, 1, 2, 3, 4]
        assert all(a > b for one, other in pairwise(costs) for a, b in zip(one, other, strict=True))
        assert {network.map_grid() for network in networks} == {networks[0].map_grid()}


def test_the_family_takes_what_is_given():
    tapers = family("taper", {"kernels": "5,3,3,3"}, widest=4, depths=(3, 1, 1))
    assert tapers == (Taper(1, (4, 3, 3, 2)), Taper(3, (4, 2, 1, 1)))
    assert (tapers[1].name, tapers[1].shape) == ("depth 3", "4-2-1-1")
    # Of networks that rounding makes the same one, the least tapered stands for all.
    assert [taper.depth for taper in family("taper", {}, widest=2, depths=(0, 1, 9, 10))] == [0, 1, 9]


@pytest.mark.parametrize(
    ("arch", "options", "widest", "depths", "words"),
    [
        ("resnet56", {}, None, (0, 1), "has no width for each stage to taper; give one of taper, taper-"),
        ("taper", {"widths": "8,8,8,8"}, None, (0, 1), "leave --with widths out, and give --widest instead"),
        ("taper", {}, 1, (0, 1), "found --widest 1, expected 2 to 1024"),
        ("taper", {}, None, (1, 1), "found --depths 1,1, expected two or more"),
        ("taper", {}, None, (0, 11), "each -4 to 10"),
        ("taper", {}, None, (0, float("nan")), "each -4 to 10"),
        ("tapr", {}, None, (0, 1), "did you mean 'taper'?"),
    ],
)
def test_what_has_no_family_is_refused(arch: str, options: dict, widest: int | None, depths: tuple, words: str):
    with pytest.raises(UsageError) as error:
        family(arch, options, widest, depths)
    assert words in str(error.value)


def test_the_limit_is_the_last_one_before_the_first_clear_fall():
    rows = curve([0.97, 0.98, 0.975, 0.93, 0.96], 0.02)
    limit = find_limit(rows, "auc")
    assert limit == Limit("falls", rows[1], rows[2], rows[3])
    assert answer(limit, "auc") == (
        "This data's network may taper to depth 2 (16-2 channels, 998 parameters, 1.00 M multiply-adds): ROC AUC 0.975 "
        "(0.955 to 0.995), not shown to be worse than the best, depth 1 with 0.980; it lacks 0.025 of it at most. At "
        "depth 3 (16-2) it clearly falls, 0.050 (0.030 to 0.070) below the best."
    )
    assert shallower(rows, limit, "auc") == ()


def test_a_fall_right_behind_the_best_and_a_network_that_tapers_too_little():
    rows = curve([0.90, 0.98, 0.90], 0.02)
    limit = find_limit(rows, "auc")
    assert (limit.deepest, limit.falls) == (rows[1], rows[2])
    assert "0.980 (0.960 to 1.000), the best of all. At depth 2" in answer(limit, "auc")
    assert shallower(rows, limit, "auc") == ("Tapering less is clearly worse as well: depth 0 (0.900).",)


def test_where_nothing_falls_the_data_cannot_tell():
    rows = curve([0.98, 0.97, 0.95], 0.05)
    limit = find_limit(rows, "auc")
    assert limit == Limit("open", rows[0], rows[2], None)
    assert answer(limit, "auc").startswith("These data cannot tell how far their network may taper: even depth 2")
    assert "it lacks 0.080 of it at most" in answer(limit, "auc")
    deepest = find_limit(curve([0.95, 0.97, 0.98], 0.05), "auc")
    assert answer(deepest, "auc").startswith("No end of tapering is found: depth 2")


@pytest.mark.parametrize(("by", "classes", "found"), [("auc", 6, "blind"), ("balanced_accuracy", 6, "falls")])
def test_nothing_is_said_of_networks_no_better_than_chance(by: str, classes: int, found: str):
    assert find_limit(curve([0.5, 0.51, 0.3], 0.1), by, classes).found == found
    assert find_limit(curve([0.2, 0.15], 0.1), by, classes).found == "blind"


@pytest.fixture(scope="module")
def found(plates: Path, tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("tapered") / "out"
    recipe = {"epochs": 3, "batch_size": 8}
    return find_taper_depth(
        TaperDepthRequest(plates, out, depths=(0, 2), folds=2, repeats=1, recipe=recipe, options=PAIRS)
    )


def test_the_curve_is_written_with_what_it_rests_on(found):
    out = found.request.out
    rows = list(csv.DictReader((out / CSV_NAME).read_text().splitlines()))
    assert [(row["depth"], row["widths"]) for row in rows] == [("0", "16-16-16-16"), ("2", "16-10-6-4")]
    assert [int(row["params"]) for row in rows] == [8_018, 3_142]
    document = json.loads((out / JSON_NAME).read_text())
    assert document == found.to_json()
    assert document["rows"][1]["widths"] == [16, 10, 6, 4]
    assert float(rows[1]["auc"]) == document["rows"][1]["auc"]["value"]
    assert document["parts"] == {"good": 15, "defective": 15}
    assert (document["folds"], document["rounds"]) == (2, 1)
    assert document["may_taper_to"] is None or document["found"] == "falls"
    # The best is one of them, and the other's difference is that of the two figures.
    best, other = sorted(document["rows"], key=lambda row: -row["auc"]["value"])
    assert best["from_best"] is None
    assert other["from_best"]["value"] == pytest.approx(other["auc"]["value"] - best["auc"]["value"])


def test_rounds_are_added_while_there_is_time_and_answers_are_taken_up_again(found):
    jobs = []
    more = replace(found.request, repeats=2, minutes=30.0, resume=True)
    again = find_taper_depth(more, ended=jobs.append)
    assert len(again.compared.plan.folds) == 2
    assert [job.seconds > 0 for job in jobs] == [False] * 4 + [True] * 4
    assert np.array_equal(again.compared.answers["depth 0"][0], found.compared.answers["depth 0"][0])
    none = find_taper_depth(replace(more, minutes=1e-6))
    assert len(none.compared.plan.folds) == 1


def test_a_first_look_is_small_and_says_so(plates: Path, tmp_path: Path):
    request = TaperDepthRequest(plates, tmp_path / "out", quick=True, options=PAIRS)
    plan = request.comparison(request.rounds)
    assert [candidate.name for candidate in plan.candidates] == ["depth 0", "depth 2", "depth 4"]
    assert (plan.folds, plan.repeats, plan.candidates[0].recipe["epochs"]) == (2, 1, 10)
    given = TaperDepthRequest(plates, tmp_path / "out", quick=True, folds=3, depths=(0, 1), recipe={"epochs": 4})
    plan = given.comparison(given.rounds)
    assert (plan.folds, len(plan.candidates), plan.candidates[0].recipe["epochs"]) == (3, 2, 4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"repeats": 0}, "found --repeats 0"),
        ({"repeats": 0, "minutes": 1.0}, "found --repeats 0"),
        ({"folds": 1}, "found --folds 1"),
        ({"minutes": 0.0}, "found --minutes 0"),
        ({"by": "cost"}, "found --by cost, expected auc or balanced-accuracy"),
        ({"arch": "taper-study"}, "schedule=one-cycle"),
        ({"depths": ()}, "expected two or more"),
    ],
)
def test_what_cannot_be_found_out_is_refused(changes: dict, words: str, plates: Path, tmp_path: Path):
    with pytest.raises(UsageError, match=words):
        find_taper_depth(TaperDepthRequest(plates, tmp_path / "out", **{"options": PAIRS, **changes}))
    assert tree(tmp_path) == {}
