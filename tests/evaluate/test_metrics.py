"""Figures, counted by hand on a few photos."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from gonogo.data.task import Task
from gonogo.errors import DataError
from gonogo.evaluate.curves import roc_curve
from gonogo.evaluate.decision import Decision
from gonogo.evaluate.metrics import balanced_accuracy, confusion_matrix, evaluate, matthews, roc_auc, why_refused
from gonogo.evaluate.policies import MaxEscape, choose_decision

GO = Decision(Task(("bad", "ok"), "ok"), 0.5, "test")
SORT = Decision(Task(("a", "b", "c"), None), None, "test")
BAD, OK = 0, 1


def probs(*defect: float) -> np.ndarray:
    values = np.array(defect, dtype=np.float32)
    return np.stack([values, 1 - values], axis=1)


def test_escape_and_overkill_are_shares_of_their_own_class():
    labels = np.array([BAD, BAD, BAD, BAD, OK, OK, OK, OK, OK])
    found = evaluate(GO, labels, probs(0.9, 0.8, 0.7, 0.1, 0.9, 0.1, 0.2, 0.3, 0.4))
    assert (found.escape_rate.value, found.escape_rate.n) == (0.25, 4)
    assert (found.overkill_rate.value, found.overkill_rate.n) == (0.2, 5)
    assert found.accuracy.value == pytest.approx(7 / 9)
    assert found.balanced_accuracy.value == pytest.approx((0.75 + 0.8) / 2)
    assert found.confusion == {"bad": {"bad": 3, "ok": 1}, "ok": {"bad": 1, "ok": 4}}
    assert (found.classes["bad"].precision, found.classes["bad"].recall) == (0.75, 0.75)
    assert found.classes["ok"].f1 == pytest.approx(0.8)
    assert found.n == 9


def test_parts_give_the_unit_of_every_rate():
    labels = np.array([BAD, BAD, OK, OK, OK, OK])
    found = evaluate(GO, labels, probs(0.9, 0.2, 0.1, 0.1, 0.1, 0.1), ["p", "p", "q", "q", "r", "r"])
    assert (found.escape_rate.value, found.escape_rate.n, found.escape_rate.unit) == (0.5, 1, "parts")
    assert (found.accuracy.n, found.auc.n, found.overkill_rate.n) == (3, 3, 2)


def test_sorting_has_no_escapes():
    labels = np.array([0, 1, 2, 2])
    pred_probs = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]] * 0.8 + 0.05
    found = evaluate(SORT, labels, pred_probs)
    assert found.escape_rate is None
    assert found.overkill_rate is None
    assert found.accuracy.value == 0.75
    assert found.balanced_accuracy.value == pytest.approx(2.5 / 3)
    # one kind against the rest: 0.8333, 1, 0.75
    assert found.auc.value == pytest.approx((5 / 6 + 1 + 0.75) / 3)


def test_a_class_without_photos_or_answers_does_not_divide_by_zero():
    found = evaluate(SORT, np.array([0, 0]), np.eye(3, dtype=np.float32)[[1, 1]])
    assert found.classes["c"].f1 == found.classes["a"].precision == 0.0
    only_good = evaluate(GO, np.array([OK, OK]), probs(0.1, 0.9))
    assert only_good.escape_rate.value is None
    assert only_good.auc.value is None
    assert only_good.overkill_rate.value == 0.5


def test_the_json_object_has_the_promised_names():
    plain = json.loads(json.dumps(evaluate(GO, np.array([BAD, OK]), probs(0.9, 0.1)).to_json()))
    assert {"n", "escape_rate", "overkill_rate", "accuracy", "balanced_accuracy", "auc", "f1"} <= set(plain)
    assert {"threshold", "guarantee", "confusion"} <= set(plain)
    assert plain["f1"] == {"bad": 1.0, "ok": 1.0}
    assert set(plain["accuracy"]) == {"value", "low", "high", "n", "unit"}
    assert plain["threshold"] == 0.5


def test_confusion_counts_true_by_answered():
    matrix = confusion_matrix(np.array([0, 0, 1, 2]), np.array([0, 2, 1, 1]), 3)
    assert matrix.tolist() == [[1, 0, 1], [0, 1, 0], [0, 1, 0]]


def test_balanced_accuracy_skips_classes_that_do_not_occur():
    assert balanced_accuracy(np.array([0, 0, 2]), np.array([0, 1, 2])) == 0.75


def test_ties_count_half_in_the_auc():
    positive = np.array([True, True, False, False])
    assert roc_auc(positive, np.array([0.5, 0.5, 0.5, 0.5])) == 0.5
    assert roc_auc(positive, np.array([0.9, 0.5, 0.5, 0.1])) == 0.875
    assert roc_auc(np.array([True]), np.array([0.5])) is None


def test_a_network_that_answers_alike_is_refused():
    assert "'bad' for all 3 photos" in str(why_refused(GO, probs(0.9, 0.9, 0.8)))
    assert why_refused(GO, probs(0.9, 0.1)) is None
    assert why_refused(GO, probs(0.9)) is None


def test_what_is_held_back_is_the_complement_of_what_escapes():
    labels = np.array([BAD, BAD, BAD, BAD, OK, OK, OK, OK, OK])
    found = evaluate(GO, labels, probs(0.9, 0.8, 0.7, 0.1, 0.9, 0.1, 0.2, 0.3, 0.4))
    assert found.recall.value == 1 - found.escape_rate.value == 0.75
    assert (found.recall.low, found.recall.high) == pytest.approx(
        (1 - found.escape_rate.high, 1 - found.escape_rate.low)
    )
    assert (found.precision.value, found.precision.n) == (0.75, 4)
    assert found.f1_defect.value == found.classes["bad"].f1 == 0.75
    assert found.review_rate is None


def test_a_photo_in_review_is_neither_an_escape_nor_an_overkill():
    band = Decision(GO.task, 0.3, "test", no_go_from=0.7)
    labels = np.array([BAD, BAD, BAD, OK, OK, OK, OK])
    found = evaluate(band, labels, probs(0.9, 0.5, 0.1, 0.9, 0.5, 0.6, 0.1))
    assert found.escape_rate.value == pytest.approx(1 / 3)
    assert found.overkill_rate.value == pytest.approx(1 / 4)
    assert found.review_rate.value == pytest.approx(3 / 7)
    assert found.recall.value == pytest.approx(2 / 3)
    assert found.to_json()["no_go_from"] == 0.7


def test_several_kinds_of_defect_are_one_for_the_line():
    decision = Decision(Task(("crack", "ok", "scratch"), "ok"), 0.5, "test")
    # a crack called a scratch is caught all the same
    rows = np.array([[0.1, 0.1, 0.8], [0.8, 0.1, 0.1], [0.1, 0.9, 0.0], [0.0, 0.9, 0.1]], dtype=np.float32)
    found = evaluate(decision, np.array([0, 0, 1, 2]), rows)
    assert found.recall.value == pytest.approx(2 / 3)
    assert found.precision.value == 1
    assert found.f1_defect.value == pytest.approx(0.8)
    assert found.accuracy.value == 0.5
    assert found.mcc.value == pytest.approx(matthews(np.array([1, 1, 0, 1]), np.array([1, 1, 0, 0])))


def test_a_perfect_result_on_few_parts_is_not_called_certain():
    labels = np.repeat([BAD, OK], [29 * 4, 6 * 4])
    groups = [f"part {n // 4}" for n in range(len(labels))]
    found = evaluate(GO, labels, probs(*np.where(labels == BAD, 0.9, 0.1)), groups)
    assert found.auc.value == found.mcc.value == found.balanced_accuracy.value == 1
    assert found.auc.low == pytest.approx(0.025 ** (1 / 6))
    # each class at the lower end of its exact interval
    lows = [0.025 ** (1 / 29), 0.025 ** (1 / 6)]
    assert found.balanced_accuracy.low == pytest.approx(np.mean(lows))
    for rate in (found.average_precision, found.f1_defect, found.mcc):
        assert 0.2 < rate.low < 0.95
        assert rate.high == 1


def test_a_near_perfect_result_on_few_parts_proves_no_more_than_a_perfect_one():
    labels = np.repeat([BAD, OK], [29, 6])
    defect = np.where(labels == BAD, 0.9, 0.1)
    defect[0] = 0.05
    found = evaluate(GO, labels, probs(*defect))
    assert found.auc.value < 1
    assert found.auc.low <= 0.025 ** (1 / 6)


def test_parts_enough_leave_the_interval_to_the_bootstrap():
    rng = np.random.default_rng(0)
    labels = np.repeat([BAD, OK], 200)
    found = evaluate(GO, labels, probs(*np.clip(rng.normal(0.6 - 0.2 * labels, 0.15), 0, 1)))
    assert 0.02 < found.auc.high - found.auc.low < 0.12
    assert 0.03 < found.mcc.high - found.mcc.low < 0.2


def test_one_part_of_a_kind_proves_next_to_nothing():
    found = evaluate(GO, np.array([BAD, *[OK] * 30]), probs(0.9, *[0.1] * 30))
    assert found.auc.low == pytest.approx(0.025)


def test_the_interval_of_a_curve_is_that_of_the_evaluation():
    rng = np.random.default_rng(1)
    labels = rng.integers(2, size=120)
    pred_probs = probs(*np.clip(rng.normal(0.6 - 0.2 * labels, 0.2), 0, 1))
    rate = roc_curve(labels == BAD, GO.defect_probs(pred_probs)).auc
    assert rate.value == pytest.approx(evaluate(GO, labels, pred_probs).auc.value)


def test_probabilities_that_are_no_numbers_are_not_measured():
    with pytest.raises(DataError, match="no number for 1 of 2 photos"):
        evaluate(GO, np.array([BAD, OK]), probs(0.9, float("nan")))


def test_a_gauge_that_decides_nothing_is_refused():
    everything = Decision(GO.task, 0.0, "test", no_go_from=1.0)
    assert "sends all 3 photos to review" in str(why_refused(everything, probs(0.9, 0.2, 0.1)))
    assert why_refused(Decision(GO.task, 0.15, "test", no_go_from=1.0), probs(0.9, 0.2, 0.1)) is None
    three = Decision(Task(("crack", "ok", "scratch"), "ok"), 0.1, "test")
    rows = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]], dtype=np.float32)
    assert "answers some defect for all 2 photos" in str(why_refused(three, rows))


def test_the_json_object_carries_the_promises():
    pred_probs, labels = probs(*np.linspace(0.95, 0.05, 80)), np.repeat([BAD, OK], 40)
    decision = choose_decision(GO.task, labels, pred_probs, None, MaxEscape(0.01, max_overkill=0.1))
    plain = json.loads(json.dumps(evaluate(decision, labels, pred_probs).to_json()))
    assert {"rate", "confidence", "method", "unit", "n"} <= set(plain["guarantee"])
    assert plain["guarantee"]["shortfall"].startswith("0 misses in 40 photos proves 7.2 %, not 1 %: 299 are needed")
    assert plain["overkill_guarantee"]["met"]
    assert plain["label_guarantee"] is None
    assert {"mcc", "average_precision", "precision", "recall", "f1_defect", "review_rate"} <= set(plain)
    assert "decision" not in plain


def test_the_draws_are_as_many_as_the_photos_allow():
    rng = np.random.default_rng(2)
    labels = rng.integers(2, size=20_000)
    pred_probs = probs(*np.clip(rng.normal(0.6 - 0.2 * labels, 0.2), 0, 1))
    started = time.perf_counter()
    evaluate(GO, labels, pred_probs)
    assert time.perf_counter() - started < 20  # a second or two on a quiet machine
