"""Thresholds and the verdicts that follow from them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gonogo.data.task import Task
from gonogo.errors import DataError, GaugeError
from gonogo.evaluate.decision import Decision, choose_threshold
from gonogo.evaluate.guarantee import from_order_statistic, from_split_conformal

TWO = Task(("bad", "ok"), "ok")
THREE = Task(("crack", "ok", "scratch"), "ok")


def two(*defect: float) -> np.ndarray:
    values = np.array(defect, dtype=np.float32)
    return np.stack([values, 1 - values], axis=1)


def test_from_the_threshold_on_it_is_a_defect():
    decision = Decision(TWO, 0.25, "test")
    assert decision.verdicts(two(0.2, 0.25, 0.9)) == ["go", "no-go", "no-go"]
    assert decision.labels(two(0.2, 0.25, 0.9)).tolist() == [1, 0, 0]
    assert decision.probs(two(0.25)).tolist() == [0.25]


def test_of_several_defects_the_likeliest_is_named_even_where_good_is_likelier():
    decision = Decision(THREE, 0.3, "test")
    pred_probs = np.array([[0.1, 0.6, 0.3], [0.2, 0.6, 0.2], [0.05, 0.75, 0.2]], dtype=np.float32)
    assert decision.labels(pred_probs).tolist() == [2, 0, 1]
    assert decision.defect_probs(pred_probs).tolist() == pytest.approx([0.4, 0.4, 0.25])


def test_sorting_answers_the_likeliest_class_and_no_verdict():
    decision = Decision(Task(("a", "b"), None), None, "likeliest class")
    pred_probs = np.array([[0.6, 0.4], [0.1, 0.9]], dtype=np.float32)
    assert decision.labels(pred_probs).tolist() == [0, 1]
    assert decision.verdicts(pred_probs) == [None, None]
    assert decision.probs(pred_probs).tolist() == pytest.approx([0.6, 0.9])
    with pytest.raises(ValueError, match="sorting has no good class"):
        decision.defect_probs(pred_probs)


def test_the_threshold_lies_in_the_middle_of_the_gap_in_log_odds():
    # odds 1/9 and 9: the middle is 1
    assert choose_threshold(TWO, np.array([1, 1, 0]), two(0.05, 0.1, 0.9)).threshold == pytest.approx(0.5)
    # odds 1/999 and 1/9
    middle = 1 / (1 + np.sqrt(999 * 9))
    assert choose_threshold(TWO, np.array([1, 0, 0]), two(0.001, 0.1, 0.9)).threshold == pytest.approx(middle, rel=1e-3)


def test_saturated_probabilities_still_give_a_threshold_between_them():
    decision = choose_threshold(TWO, np.array([1, 1, 0]), two(0.0, 0.0, 1.0))
    assert decision.threshold == pytest.approx(0.5)


def test_a_network_that_has_it_the_wrong_way_round_still_gets_a_number():
    decision = choose_threshold(TWO, np.array([0, 0, 1, 1]), two(0.1, 0.2, 0.8, 0.9))
    assert 0 < decision.threshold < 1


@pytest.mark.parametrize(("labels", "missing"), [([0, 0], "good"), ([1, 1], "defective")])
def test_a_threshold_needs_both_kinds(labels: list[int], missing: str):
    with pytest.raises(DataError, match=f"no {missing} photo in validation"):
        choose_threshold(TWO, np.array(labels), two(0.1, 0.9))


def test_a_decision_survives_json():
    for decision in (Decision(THREE, 0.3, "x"), Decision(Task(("a", "b"), None), None, "y")):
        assert Decision.from_json(decision.to_json()) == decision


@pytest.mark.parametrize(
    "change",
    [{"threshold": None}, {"good": None}, {"good": "fine"}, {"classes": None}, {"method": ...}],
)
def test_contradictions_are_refused(change: dict[str, object]):
    values = Decision(TWO, 0.5, "x").to_json() | change
    values = {key: value for key, value in values.items() if value is not ...}
    with pytest.raises(GaugeError, match="decision"):
        Decision.from_json(values)


BAND = Decision(TWO, 0.25, "test", no_go_from=0.75)


def test_between_two_thresholds_a_photo_goes_to_review():
    probs = two(0.2, 0.25, 0.5, 0.75, 0.9)
    assert BAND.verdicts(probs) == ["go", "review", "review", "no-go", "no-go"]
    # What is under review carries the defect it is suspected of.
    assert BAND.labels(probs).tolist() == [1, 0, 0, 0, 0]
    assert BAND.has_review
    assert not Decision(TWO, 0.25, "test").has_review


@pytest.mark.parametrize("decision", [BAND, Decision(TWO, 0.25, "test")])
def test_a_probability_that_is_no_number_never_passes(decision: Decision):
    assert decision.verdicts(two(float("nan"), 0.1)) == ["no-go", "go"]
    assert decision.labels(two(float("nan"), 0.1)).tolist()[1] == 1
    assert decision.labels(two(float("nan"), 0.1)).tolist()[0] == 0


PROMISE = from_order_statistic("escape", 57, "parts", 0.01, 0.95)[1]
FULL = Decision(
    THREE,
    0.3,
    "x",
    no_go_from=0.8,
    guarantee=PROMISE,
    overkill_guarantee=from_order_statistic("overkill", 400, "parts", 0.01, 0.95)[1],
)
SETS = Decision(
    Task(("a", "b"), None),
    None,
    "likeliest class",
    label_cut=0.2,
    label_guarantee=from_split_conformal("label set", 99, "photos", 0.05)[1],
)


@pytest.mark.parametrize("decision", [BAND, FULL, SETS])
def test_thresholds_and_promises_survive_json(decision: Decision):
    assert Decision.from_json(json.loads(json.dumps(decision.to_json()))) == decision


def test_a_gauge_from_before_there_were_guarantees_still_opens():
    old = {"classes": ["bad", "ok"], "good": "ok", "threshold": 0.25, "method": "best balanced accuracy"}
    decision = Decision.from_json(old)
    assert (decision.guarantee, decision.no_go_from, decision.label_cut) == (None, None, None)
    # A model file carries the same facts and is compared with them, so nothing may be added on the way.
    assert decision.to_json() == old
    assert Decision.from_json(old | {"guarantee": None}) == decision


def test_what_falls_short_is_said_by_the_decision():
    assert FULL.shortfalls == (PROMISE.shortfall,)
    assert BAND.shortfalls == SETS.shortfalls == ()


@pytest.mark.parametrize(
    "change",
    [
        *[{"threshold": float("nan")}, {"threshold": -0.1}, {"threshold": 1.1}, {"threshold": "0.5"}],
        *[{"threshold": True}, {"no_go_from": 0.5}, {"no_go_from": 0.2}, {"no_go_from": 2}, {"label_cut": -1}],
        *[{"guarantee": {}}, {"guarantee": "95 %"}, {"verdict": "go"}],
    ],
)
def test_impossible_thresholds_and_unknown_keys_are_refused(change: dict[str, object]):
    with pytest.raises(GaugeError, match="decision"):
        Decision.from_json(Decision(TWO, 0.5, "x").to_json() | change)
    with pytest.raises(GaugeError, match="decision"):
        Decision.from_json(SETS.to_json() | {"no_go_from": 0.5})
