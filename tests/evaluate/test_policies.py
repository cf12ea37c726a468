"""Thresholds by a guarantee, by costs and by F1; review bands and label sets."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pytest

from gonogo.data.task import Task
from gonogo.errors import DataError, UsageError
from gonogo.evaluate.decision import Decision
from gonogo.evaluate.metrics import evaluate
from gonogo.evaluate.policies import (
    BestBalancedAccuracy,
    BestF1,
    Costs,
    LabelSets,
    MaxEscape,
    Policy,
    Validation,
    choose_decision,
)

TASK = Task(("bad", "ok"), "ok")
SORT = Task(("a", "b", "c"), None)
BAD, OK = 0, 1


def two(defect: np.ndarray) -> np.ndarray:
    values = np.asarray(defect, dtype=np.float32)
    return np.stack([values, 1 - values], axis=1)


def parts(rng: np.random.Generator, bad: int, good: int, views: int = 4, apart: float = 2.0):
    """Labels, probabilities and names of parts with some photos each, whose photos nearly agree."""
    labels = np.repeat([BAD, OK], [bad * views, good * views])
    odds = np.repeat(np.concatenate([rng.normal(apart, 1.2, bad), rng.normal(-apart, 1.2, good)]), views)
    odds = odds + rng.normal(0, 0.3, len(odds))
    return labels, two(1 / (1 + np.exp(-odds))), [f"part {n // views}" for n in range(len(labels))]


def missed_parts(decision: Decision, labels: np.ndarray, pred_probs: np.ndarray, groups: list[str]) -> int:
    verdicts = decision.verdicts(pred_probs)
    return len({g for g, v, y in zip(groups, verdicts, labels, strict=True) if v == "go" and y == BAD})


def test_the_guaranteed_threshold_lets_as_many_parts_pass_as_it_may():
    labels, pred_probs, groups = parts(np.random.default_rng(0), 153, 40)
    decision = choose_decision(TASK, labels, pred_probs, groups, MaxEscape(0.05))
    assert decision.guarantee is not None
    assert (decision.guarantee.n, decision.guarantee.unit, decision.guarantee.misses) == (153, "parts", 3)
    assert missed_parts(decision, labels, pred_probs, groups) == 3
    assert decision.shortfalls == ()
    assert decision.method == "at most 5 % of defective parts escape"


def test_nobody_s_probability_is_next_to_the_guaranteed_threshold():
    labels, pred_probs, groups = parts(np.random.default_rng(1), 60, 40)
    decision = choose_decision(TASK, labels, pred_probs, groups, MaxEscape(0.05))
    probs = decision.defect_probs(pred_probs)
    lowest = probs[labels == BAD].min()
    below = probs[probs < lowest].max()
    assert decision.threshold is not None
    assert below < decision.threshold < lowest
    odds = [np.log(p / (1 - p)) for p in (below, decision.threshold, lowest)]
    assert odds[1] == pytest.approx((odds[0] + odds[2]) / 2, abs=1e-4)


def test_too_few_parts_still_get_the_most_cautious_threshold():
    labels, pred_probs, groups = parts(np.random.default_rng(2), 57, 20)
    decision = choose_decision(TASK, labels, pred_probs, groups, MaxEscape(0.01))
    assert decision.shortfalls == ("0 misses in 57 parts proves 5.1 %, not 1 %: 299 are needed (95 % confidence)",)
    assert missed_parts(decision, labels, pred_probs, groups) == 0
    assert decision.guarantee is not None
    assert decision.guarantee.rate == pytest.approx(1 - 0.05 ** (1 / 57))


def test_without_parts_photos_are_counted_and_the_unit_says_so():
    labels, pred_probs, _ = parts(np.random.default_rng(3), 20, 20)
    decision = choose_decision(TASK, labels, pred_probs, None, MaxEscape(0.05))
    assert decision.guarantee is not None
    assert (decision.guarantee.n, decision.guarantee.unit, decision.guarantee.met) == (80, "photos", True)
    assert "defective photos escape" in decision.method


def test_good_photos_of_a_defective_part_do_not_count_as_its_misses():
    # The defect is seen from one side only; the other photo is rightly labelled good.
    labels = np.array([BAD, OK, BAD, OK, OK, OK])
    pred_probs = two(np.array([0.8, 0.1, 0.7, 0.05, 0.2, 0.1]))
    decision = choose_decision(TASK, labels, pred_probs, ["p", "p", "q", "q", "r", "r"], MaxEscape(0.5))
    assert decision.guarantee is not None
    assert decision.guarantee.n == 2
    assert decision.threshold is not None
    assert 0.2 < decision.threshold < 0.7


def test_a_defect_that_looks_perfect_leaves_nothing_to_pass():
    decision = choose_decision(TASK, np.array([BAD, OK, OK]), two(np.array([0.0, 0.0, 0.4])), None, MaxEscape(0.05))
    assert decision.threshold == 0.0
    assert decision.verdicts(two(np.array([0.0, 0.4]))) == ["no-go", "no-go"]


def test_what_can_be_called_neither_goes_to_review():
    labels, pred_probs, groups = parts(np.random.default_rng(4), 153, 153, apart=1.5)
    decision = choose_decision(TASK, labels, pred_probs, groups, MaxEscape(0.05, 0.95, max_overkill=0.05))
    assert decision.threshold is not None and decision.no_go_from is not None
    assert decision.threshold < decision.no_go_from
    assert decision.guarantee is not None and decision.overkill_guarantee is not None
    assert missed_parts(decision, labels, pred_probs, groups) == decision.guarantee.misses == 3
    verdicts = decision.verdicts(pred_probs)
    lost = {g for g, v, y in zip(groups, verdicts, labels, strict=True) if v == "no-go" and y == OK}
    assert len(lost) == decision.overkill_guarantee.misses == 3
    found = evaluate(decision, labels, pred_probs, groups)
    assert found.review_rate is not None
    assert found.review_rate.value == pytest.approx(np.mean(np.array(verdicts) == "review"))


def test_kinds_far_apart_need_no_review():
    labels, pred_probs, groups = parts(np.random.default_rng(5), 80, 80, apart=8)
    decision = choose_decision(TASK, labels, pred_probs, groups, MaxEscape(0.05, max_overkill=0.05))
    assert decision.no_go_from is None
    assert decision.overkill_guarantee is not None and decision.overkill_guarantee.met
    assert set(decision.verdicts(pred_probs)) == {"go", "no-go"}


def test_both_promises_may_fall_short():
    labels, pred_probs, groups = parts(np.random.default_rng(6), 57, 6)
    decision = choose_decision(TASK, labels, pred_probs, groups, MaxEscape(0.01, max_overkill=0.02))
    assert len(decision.shortfalls) == 2
    assert decision.shortfalls[1].startswith("0 false alarms in 6 parts proves 39.3 %, not 2 %: 149 are needed")


@pytest.mark.parametrize("costs", [Costs(500, 3), Costs(1, 1), Costs(3, 50), Costs(2, 1, prevalence=0.01)])
def test_costs_take_the_cheapest_threshold_there_is(costs: Costs):
    labels, pred_probs, groups = parts(np.random.default_rng(7), 12, 20, apart=0.8)
    validation = Validation(TASK, labels, pred_probs, groups)
    decision = choose_decision(TASK, labels, pred_probs, groups, costs)
    levels = [*np.unique(decision.defect_probs(pred_probs)), np.float32(1.1)]
    every = [costs.expected(Decision(TASK, float(level), ""), validation) for level in levels]
    assert costs.expected(decision, validation) == pytest.approx(min(every), rel=1e-9)


def test_costs_with_review_take_the_cheapest_pair_there_is():
    labels, pred_probs, _ = parts(np.random.default_rng(8), 10, 10, views=2, apart=0.5)
    validation, costs = Validation(TASK, labels, pred_probs, None), Costs(20, 5, review=1)
    decision = choose_decision(TASK, labels, pred_probs, None, costs)
    levels = [*map(float, np.unique(decision.defect_probs(pred_probs))), 1.1]
    every = [
        costs.expected(Decision(TASK, low, "", high if high > low else None), validation)
        for low, high in combinations_with_replacement(levels, 2)
    ]
    assert decision.has_review
    assert costs.expected(decision, validation) == pytest.approx(min(every), rel=1e-9)


def test_a_review_dearer_than_any_mistake_is_never_asked_for():
    labels, pred_probs, _ = parts(np.random.default_rng(9), 10, 10, apart=0.5)
    with_review = choose_decision(TASK, labels, pred_probs, None, Costs(20, 5, review=100))
    assert with_review.no_go_from is None
    assert with_review.threshold == choose_decision(TASK, labels, pred_probs, None, Costs(20, 5)).threshold


def test_the_cost_of_a_photo_by_hand():
    # 2 of 8 defective; one escapes, one good part of 6 is lost, one is reviewed
    labels = np.array([BAD, BAD, OK, OK, OK, OK, OK, OK])
    probs = two(np.array([0.1, 0.9, 0.95, 0.5, 0.1, 0.1, 0.1, 0.1]))
    validation, decision = Validation(TASK, labels, probs, None), Decision(TASK, 0.4, "", 0.8)
    assert Costs(100, 10, review=2).expected(decision, validation) == pytest.approx((100 + 10 + 2) / 8)
    # On a line with 1 % defects: half of them escape, a sixth of the good ones is lost, a sixth reviewed.
    rare = Costs(100, 10, review=2, prevalence=0.01)
    assert rare.expected(decision, validation) == pytest.approx(0.01 * 50 + 0.99 * (10 + 2) / 6)


def test_best_f1_is_the_best_there_is():
    labels, pred_probs, _ = parts(np.random.default_rng(10), 12, 30, apart=0.6)
    decision = choose_decision(TASK, labels, pred_probs, None, BestF1())

    def f1(chosen: Decision) -> float:
        called = chosen.labels(pred_probs) == BAD
        return 2 * float((called & (labels == BAD)).sum()) / (called.sum() + (labels == BAD).sum())

    every = [f1(Decision(TASK, float(level), "")) for level in np.unique(decision.defect_probs(pred_probs))]
    assert f1(decision) == pytest.approx(max(every))


def test_nothing_asked_is_best_balanced_accuracy_without_a_guarantee():
    labels, pred_probs, groups = parts(np.random.default_rng(11), 12, 30)
    decision = choose_decision(TASK, labels, pred_probs, groups)
    assert decision == choose_decision(TASK, labels, pred_probs, groups, BestBalancedAccuracy())
    assert (decision.guarantee, decision.no_go_from, decision.shortfalls) == (None, None, ())


def kinds(rng: np.random.Generator, n: int, views: int = 3):
    labels = np.repeat(rng.integers(3, size=n), views)
    odds = rng.normal(0, 1, (n, 3)).repeat(views, axis=0) + rng.normal(0, 0.2, (n * views, 3))
    odds[np.arange(n * views), labels] += 2
    pred_probs = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    return labels, pred_probs.astype(np.float32), [f"part {i // views}" for i in range(n * views)]


@pytest.mark.parametrize("confidence", [None, 0.95])
def test_label_sets_hold_the_kinds_of_all_but_a_few_parts(confidence: float | None):
    labels, pred_probs, groups = kinds(np.random.default_rng(12), 99)
    decision = choose_decision(SORT, labels, pred_probs, groups, LabelSets(0.1, confidence))
    sets = decision.label_sets(pred_probs)
    wrong = {g for g, row, y in zip(groups, sets, labels, strict=True) if not row[y]}
    assert decision.label_guarantee is not None
    assert len(wrong) <= decision.label_guarantee.misses == (9 if confidence is None else 4)
    assert sets[np.arange(len(sets)), pred_probs.argmax(axis=1)].all()
    assert sets.sum(axis=1).max() > 1
    found = evaluate(decision, labels, pred_probs, groups)
    assert found.label_sets is not None
    assert found.label_sets.covered.value == pytest.approx(sets[np.arange(len(sets)), labels].mean())
    assert found.label_sets.mean_size == pytest.approx(sets.sum(axis=1).mean())


def test_label_sets_cover_new_parts_on_average():
    rng = np.random.default_rng(13)
    wrong = []
    for _ in range(150):
        labels, pred_probs, groups = kinds(rng, 30)
        decision = choose_decision(SORT, labels, pred_probs, groups, LabelSets(0.1))
        labels, pred_probs, groups = kinds(rng, 100)
        sets = decision.label_sets(pred_probs)
        wrong.append(len({g for g, row, y in zip(groups, sets, labels, strict=True) if not row[y]}) / 100)
    assert np.mean(wrong) < 0.1 + 2 * np.std(wrong) / np.sqrt(150)
    assert np.mean(wrong) > 0.05


def test_label_sets_of_too_few_parts_say_so():
    labels, pred_probs, groups = kinds(np.random.default_rng(14), 9)
    decision = choose_decision(SORT, labels, pred_probs, groups, LabelSets(0.05))
    assert decision.shortfalls == ("0 wrong sets in 9 parts supports 10 %, not 5 %: 19 are needed",)


def test_sets_that_were_not_calibrated_cannot_be_asked_for():
    with pytest.raises(ValueError, match="not calibrated"):
        Decision(SORT, None, "").label_sets(np.eye(3, dtype=np.float32))


@pytest.mark.parametrize("policy", [MaxEscape(0.05), Costs(1, 1), BestF1()])
def test_sorting_has_no_escapes(policy: Policy):
    labels, pred_probs, _ = kinds(np.random.default_rng(15), 9)
    with pytest.raises(UsageError, match="sorting into a, b, c has no good class"):
        choose_decision(SORT, labels, pred_probs, None, policy)


def test_label_sets_are_for_sorting():
    with pytest.raises(UsageError, match="label sets are for sorting, but 'ok' is the good class"):
        choose_decision(TASK, np.array([BAD, OK]), two(np.array([0.9, 0.1])), None, LabelSets(0.05))


@pytest.mark.parametrize("policy", [MaxEscape(0.05), Costs(1, 1), BestF1(), BestBalancedAccuracy()])
@pytest.mark.parametrize(("labels", "missing"), [([BAD, BAD], "good"), ([OK, OK], "defective")])
def test_validation_needs_both_kinds(policy: Policy, labels: list[int], missing: str):
    with pytest.raises(DataError, match=rf"no {missing} photo in validation \(2 photos\)"):
        choose_decision(TASK, np.array(labels), two(np.array([0.9, 0.1])), ["p", "q"], policy)


def test_validation_needs_photos_and_numbers():
    with pytest.raises(DataError, match="no photos in validation"):
        choose_decision(TASK, np.array([], dtype=np.int64), two(np.array([])))
    with pytest.raises(DataError, match="no number for 1 of 2 photos"):
        choose_decision(TASK, np.array([BAD, OK]), two(np.array([np.nan, 0.1])))


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5, float("nan")])
def test_a_rate_lies_between_0_and_1(rate: float):
    with pytest.raises(UsageError, match=r"--max-escape is .*, expected a rate above 0 and below 1"):
        MaxEscape(rate)
    with pytest.raises(UsageError, match="--max-overkill"):
        MaxEscape(0.1, max_overkill=rate)
    with pytest.raises(UsageError, match="--set-error"):
        LabelSets(rate)


@pytest.mark.parametrize("confidence", [0, 1, -1, 95])
def test_a_confidence_lies_between_0_and_1(confidence: float):
    with pytest.raises(UsageError, match=r"--confidence is .*, expected above 0 and below 1"):
        MaxEscape(0.1, confidence)
    with pytest.raises(UsageError, match="--confidence"):
        LabelSets(0.1, confidence)


@pytest.mark.parametrize(
    ("costs", "found"),
    [
        ({"escape": -1, "overkill": 3}, "--cost-escape is -1"),
        ({"escape": 1, "overkill": -3}, "--cost-overkill is -3"),
        ({"escape": 1, "overkill": 3, "review": -2}, "--cost-review is -2"),
        ({"escape": float("inf"), "overkill": 3}, "--cost-escape is inf"),
        ({"escape": 0, "overkill": 0}, "both 0"),
        ({"escape": 1, "overkill": 1, "prevalence": 1}, "--prevalence is 1"),
    ],
)
def test_impossible_costs_are_refused(costs: dict[str, float], found: str):
    with pytest.raises(UsageError, match=found):
        Costs(**costs)
