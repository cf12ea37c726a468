"""Thresholds, areas and intervals against brute force and against the libraries that define them."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_score, recall_score, roc_auc_score

from gonogo.data.task import Task
from gonogo.evaluate.calibration import apply_temperature, fit_temperature, reliability
from gonogo.evaluate.curves import precision_recall_curve, roc_curve, trade_off
from gonogo.evaluate.decision import Decision, choose_threshold
from gonogo.evaluate.guarantee import needed_parts, order_for, proven_rate
from gonogo.evaluate.intervals import clopper_pearson
from gonogo.evaluate.metrics import Evaluation, average_precision, balanced_accuracy, evaluate, roc_auc
from gonogo.evaluate.policies import (
    BestBalancedAccuracy,
    BestF1,
    Costs,
    LabelSets,
    MaxEscape,
    Policy,
    choose_decision,
)
from gonogo.evaluate.thresholds import between
from gonogo.types import Rate

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


# Photos of parts: a part is good or defective, and its photos have levels of their own, with many ties.
part_rows = st.lists(
    st.tuples(st.booleans(), st.lists(st.integers(0, 61), min_size=1, max_size=4)), min_size=2, max_size=25
).filter(lambda rows: len({bad for bad, _ in rows}) == 2)
rates = st.floats(0.001, 0.9)
policies = st.one_of(
    st.builds(MaxEscape, rates, st.floats(0.5, 0.999), st.none() | rates),
    st.builds(Costs, st.floats(0.1, 100), st.floats(0.1, 100), st.none() | st.floats(0, 50)),
    st.sampled_from([BestF1(), BestBalancedAccuracy()]),
)


def photos(rows: list[tuple[bool, list[int]]]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    labels = np.array([0 if bad else 1 for bad, levels in rows for _ in levels])
    groups = [f"part {number:03d}" for number, (_, levels) in enumerate(rows) for _ in levels]
    return labels, pred_probs([level for _, levels in rows for level in levels]), groups


def every_rate(found: Evaluation) -> list[Rate]:
    values = [getattr(found, field.name) for field in fields(found)]
    values += [] if found.label_sets is None else [found.label_sets.covered]
    return [value for value in values if isinstance(value, Rate)]


@settings(max_examples=80, deadline=None)
@given(part_rows, rates, rates, st.floats(0.5, 0.999), st.floats(0.5, 0.999))
def test_a_weaker_promise_never_lowers_the_threshold(
    rows: list[tuple[bool, list[int]]], rate: float, other: float, confidence: float, surer: float
):
    labels, probs, groups = photos(rows)

    def threshold(policy: MaxEscape) -> float:
        found = choose_decision(TASK, labels, probs, groups, policy).threshold
        assert found is not None
        return found

    low, high = sorted((rate, other))
    assert threshold(MaxEscape(low, confidence)) <= threshold(MaxEscape(high, confidence))
    less, more = sorted((confidence, surer))
    assert threshold(MaxEscape(rate, more)) <= threshold(MaxEscape(rate, less))


@settings(max_examples=80, deadline=None)
@given(part_rows, rates, st.floats(0.5, 0.999))
def test_no_more_parts_pass_than_the_guarantee_allows(
    rows: list[tuple[bool, list[int]]], rate: float, confidence: float
):
    labels, probs, groups = photos(rows)
    decision = choose_decision(TASK, labels, probs, groups, MaxEscape(rate, confidence, max_overkill=rate))
    assert decision.guarantee is not None and decision.overkill_guarantee is not None
    verdicts = decision.verdicts(probs)
    missed = {g for g, v, y in zip(groups, verdicts, labels, strict=True) if v == "go" and y == 0}
    lost = {g for g, v, y in zip(groups, verdicts, labels, strict=True) if v == "no-go" and y == 1}
    assert len(missed) <= decision.guarantee.misses
    assert len(lost) <= decision.overkill_guarantee.misses
    for promise in (decision.guarantee, decision.overkill_guarantee):
        assert promise.rate >= promise.proven
        assert promise.met == (promise.n >= promise.needed)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3000), rates, st.floats(0.5, 0.999))
def test_the_order_is_the_last_that_proves_the_rate(n: int, rate: float, confidence: float):
    order = order_for(n, rate, confidence)
    assert order == 0 or proven_rate(n, order - 1, confidence) <= rate * (1 + 1e-9)
    assert proven_rate(n, order, confidence) >= rate * (1 - 1e-9)
    assert (order > 0) == (n >= needed_parts(rate, confidence))


unit32 = st.floats(0, 1, width=32)


@settings(max_examples=80, deadline=None)
@given(unit32, unit32)
def test_a_threshold_between_two_probabilities_separates_them_in_float32(a: float, b: float):
    assume(a != b)
    lower, upper = sorted((a, b))
    assert np.float32(lower) < np.float32(between(lower, upper)) <= np.float32(upper)
    assert np.float32(between(None, upper)) <= np.float32(upper)
    assert np.float32(between(lower, None)) > np.float32(lower)


@settings(max_examples=80, deadline=None)
@given(part_rows, policies)
def test_a_decision_survives_json_and_asks_the_same(rows: list[tuple[bool, list[int]]], policy: Policy):
    labels, probs, groups = photos(rows)
    decision = choose_decision(TASK, labels, probs, groups, policy)
    again = Decision.from_json(json.loads(json.dumps(decision.to_json(), allow_nan=False)))
    assert again == decision
    assert again.verdicts(probs) == decision.verdicts(probs)
    assert [v == "go" for v in decision.verdicts(probs)] == (decision.labels(probs) == 1).tolist()


@settings(max_examples=40, deadline=None)
@given(part_rows, policies, st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_the_photos_does_not_matter(rows: list[tuple[bool, list[int]]], policy: Policy, random, named):
    labels, probs, groups = photos(rows)
    order = list(range(len(labels)))
    random.shuffle(order)
    shuffled = [groups[i] for i in order] if named else None
    first = choose_decision(TASK, labels, probs, groups if named else None, policy)
    second = choose_decision(TASK, labels[order], probs[order], shuffled, policy)
    assert first == second
    one = evaluate(first, labels, probs, groups if named else None)
    two = evaluate(second, labels[order], probs[order], shuffled)
    assert one.confusion == two.confusion
    for a, b in zip(every_rate(one), every_rate(two), strict=True):
        assert (a.n, a.unit, a.value is None) == (b.n, b.unit, b.value is None)
        if a.value is not None:
            assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(part_rows, policies)
def test_every_interval_holds_its_value(rows: list[tuple[bool, list[int]]], policy: Policy):
    labels, probs, groups = photos(rows)
    found = evaluate(choose_decision(TASK, labels, probs, groups, policy), labels, probs, groups)
    for rate in every_rate(found):
        if rate.value is not None:
            assert -1 <= rate.low <= rate.value + 1e-12
            assert rate.value - 1e-12 <= rate.high <= 1 + 1e-12


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.lists(st.integers(1, 9), min_size=3, max_size=3)), min_size=2), rates)
def test_sorting_holds_its_values_and_its_sets_their_answer(rows: list[tuple[int, list[int]]], error: float):
    labels = np.array([label for label, _ in rows])
    probs = np.array([levels for _, levels in rows], dtype=np.float32)
    probs /= probs.sum(axis=1, keepdims=True)
    decision = choose_decision(Task(("a", "b", "c"), None), labels, probs, None, LabelSets(error))
    assert Decision.from_json(json.loads(json.dumps(decision.to_json()))) == decision
    sets = decision.label_sets(probs)
    assert sets[np.arange(len(sets)), decision.labels(probs)].all()
    assert decision.label_guarantee is not None
    assert (~sets[np.arange(len(sets)), labels]).sum() <= decision.label_guarantee.misses
    for rate in every_rate(evaluate(decision, labels, probs)):
        if rate.value is not None:
            assert rate.low - 1e-12 <= rate.value <= rate.high + 1e-12


@settings(max_examples=40, deadline=None)
@given(part_rows, st.booleans())
def test_curves_go_from_nothing_to_everything(rows: list[tuple[bool, list[int]]], named: bool):
    labels, probs, groups = photos(rows)
    positive, values = labels == 0, probs[:, 0]
    curve = roc_curve(positive, values, groups if named else None, draws=50)
    assert (curve.fpr[0], curve.tpr[0], curve.fpr[-1], curve.tpr[-1]) == (0, 0, 1, 1)
    assert (np.diff(curve.fpr) >= 0).all() and (np.diff(curve.tpr) >= 0).all()
    assert np.trapezoid(curve.tpr, curve.fpr) == pytest.approx(roc_auc(positive, values), abs=1e-12)
    plain = curve.to_json()
    assert np.trapezoid(plain["tpr"], plain["fpr"]) == pytest.approx(curve.auc.value, abs=1e-9)
    assert (curve.band_low <= curve.band_high).all()
    precision = precision_recall_curve(positive, values)
    assert (precision.recall[0], precision.recall[-1], precision.precision[-1]) == (1, 0, 1)
    assert precision.average_precision == pytest.approx(average_precision(positive, values), abs=1e-12)
    both = trade_off(positive, values, groups if named else None)
    assert (both.escape[0], both.escape[-1], both.overkill[0], both.overkill[-1]) == (0, 1, 1, 0)
    assert (both.escape_high >= both.escape - 1e-12).all() or named
    assert (np.diff(both.escape_high) >= 0).all() and (np.diff(both.overkill_high) <= 0).all()


@settings(max_examples=100, deadline=None)
@given(scores, st.integers(1, 12))
def test_reliability_loses_no_photo(rows: list[tuple[bool, int]], bins: int):
    true, probs = np.array([bad for bad, _ in rows]), pred_probs([level for _, level in rows])[:, 0]
    found = reliability(probs, true, bins=bins)
    assert sum(row.n for row in found.bins) == len(rows)
    assert len(found.bins) <= bins
    assert 0 <= found.error <= 1
    assert all(a.high < b.low for a, b in zip(found.bins, found.bins[1:], strict=False))


@settings(max_examples=100, deadline=None)
@given(scores)
def test_a_temperature_never_makes_it_worse_and_keeps_the_order(rows: list[tuple[bool, int]]):
    labels, probs = np.array([0 if bad else 1 for bad, _ in rows]), pred_probs([level for _, level in rows])
    found = fit_temperature(labels, probs)
    assert found.loss_after <= found.loss_before + 1e-9
    warmed = apply_temperature(probs, found.value)
    order = np.argsort(probs[:, 0], kind="stable")
    assert (np.diff(warmed[order, 0]) >= -1e-6).all()
