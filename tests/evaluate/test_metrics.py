"""Figures, counted by hand on a few photos."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gonogo.data.task import Task
from gonogo.evaluate.decision import Decision
from gonogo.evaluate.metrics import balanced_accuracy, confusion_matrix, evaluate, roc_auc, why_refused

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
