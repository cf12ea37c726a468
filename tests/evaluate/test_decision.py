"""Thresholds and the verdicts that follow from them."""

from __future__ import annotations

import numpy as np
import pytest

from gonogo.data.task import Task
from gonogo.errors import DataError, GaugeError
from gonogo.evaluate.decision import Decision, choose_threshold

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
