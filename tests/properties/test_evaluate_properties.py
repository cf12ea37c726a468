"""Thresholds, areas and intervals against brute force and against the libraries that define them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_score, recall_score, roc_auc_score

from gonogo.data.task import Task
from gonogo.evaluate.decision import Decision, choose_threshold
from gonogo.evaluate.intervals import clopper_pearson
from gonogo.evaluate.metrics import balanced_accuracy, evaluate, roc_auc

TASK = Task(("bad", "ok"), "ok")
# Levels far enough apart for float32, with many ties.
scores = st.lists(st.tuples(st.booleans(), st.integers(1, 60)), min_size=2, max_size=40)


def pred_probs(levels: list[int]) -> np.ndarray:
    defect = np.array(levels, dtype=np.float32) / np.float32(61)
    return np.stack([defect, 1 - defect], axis=1)


@settings(max_examples=300, deadline=None)
@given(scores)
def test_the_threshold_is_the_best_there_is_and_splits_no_tie(rows: list[tuple[bool, int]]):
    defective = np.array([bad for bad, _ in rows])
    assume(defective.any() and not defective.all())
    labels = np.where(defective, 0, 1)
    probs = pred_probs([level for _, level in rows])
    decision = choose_threshold(TASK, labels, probs)
    assert decision.threshold is not None
    found = balanced_accuracy(labels, decision.labels(probs))
    levels = decision.defect_probs(probs)
    every = [balanced_accuracy(labels, np.where(levels >= cut, 0, 1)) for cut in (*np.unique(levels), np.float32(2))]
    assert found == pytest.approx(max(every), abs=1e-12)
    # Nobody's score is at the threshold or next to it, so that a rounding error flips no verdict.
    assert np.abs(levels - decision.threshold).min() > 1e-4


@settings(max_examples=300, deadline=None)
@given(scores)
def test_the_area_is_scikit_learn_s(rows: list[tuple[bool, int]]):
    positive = np.array([bad for bad, _ in rows])
    values = np.array([level for _, level in rows], dtype=np.float32)
    if positive.all() or not positive.any():
        assert roc_auc(positive, values) is None
    else:
        assert roc_auc(positive, values) == pytest.approx(roc_auc_score(positive, values), abs=1e-12)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=3, max_size=30))
def test_class_figures_are_scikit_learn_s(rows: list[tuple[int, int]]):
    labels, answers = (np.array(column) for column in zip(*rows, strict=True))
    assume(len(set(labels.tolist())) == 3)
    probs = np.eye(3, dtype=np.float32)[answers] * 0.7 + 0.1
    found = evaluate(Decision(Task(("a", "b", "c"), None), None, ""), labels, probs)
    for name, function in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        expected = function(labels, answers, average=None, labels=[0, 1, 2], zero_division=0)
        assert [getattr(row, name) for row in found.classes.values()] == pytest.approx(list(expected))
    assert found.balanced_accuracy.value == pytest.approx(balanced_accuracy_score(labels, answers))
    assert found.accuracy.value == pytest.approx(float((labels == answers).mean()))


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 2000), st.floats(0, 1), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999]))
def test_clopper_pearson_is_scipy_s(n: int, share: float, confidence: float):
    successes = round(share * n)
    expected = binomtest(successes, n).proportion_ci(confidence, method="exact")
    low, high = clopper_pearson(successes, n, confidence)
    assert low == pytest.approx(expected.low, abs=1e-9)
    assert high == pytest.approx(expected.high, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 200), st.integers(1, 500), st.floats(0, 1))
def test_a_fraction_of_successes_lies_between_its_neighbours(n: int, photos: int, share: float):
    # A share of photos carried over to fewer or more parts.
    successes = round(share * photos) / photos * n
    low, high = clopper_pearson(successes, n)
    assert low <= successes / n <= high
    assert clopper_pearson(np.floor(successes), n)[0] <= low + 1e-12
    assert high <= clopper_pearson(np.ceil(successes), n)[1] + 1e-12


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=1, max_size=10), st.floats(0.01, 0.99))
def test_a_verdict_follows_from_the_defect_probability_alone(rows: list[list[float]], threshold: float):
    probs = np.array(rows, dtype=np.float32)
    probs /= probs.sum(axis=1, keepdims=True)
    decision = Decision(Task(("crack", "ok", "scratch"), "ok"), threshold, "")
    verdicts = decision.verdicts(probs)
    assert verdicts == ["no-go" if p >= np.float32(threshold) else "go" for p in decision.defect_probs(probs)]
    for label, verdict, row in zip(decision.labels(probs), verdicts, probs, strict=True):
        assert (label == 1) == (verdict == "go")
        assert label == 1 or row[label] == max(row[0], row[2])
