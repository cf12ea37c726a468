"""Ranking candidates on photos held out: figures against scikit-learn and by hand, and how often chance is believed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from gonogo.data.task import Task
from gonogo.errors import DataError, UsageError
from gonogo.evaluate.comparison import Comparison, compare_held_out, measure_for
from gonogo.evaluate.comparison_words import sentences
from gonogo.evaluate.guarantee import proven_rate
from gonogo.evaluate.held_out import AUC, BALANCED, COST, ESCAPE, OVERKILL, AucWithinFolds, HeldOut, figures_of
from gonogo.evaluate.intervals import clopper_pearson
from gonogo.evaluate.policies import BestBalancedAccuracy, Costs, MaxEscape

LINE = Task(("defect", "ok"), "ok")


def probs_of(defect: np.ndarray) -> np.ndarray:
    return np.stack([defect, 1 - defect], axis=1).astype(np.float32)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def held_of(each: int, folds: int = 5, *, views: int = 1) -> HeldOut:
    """As many defective as good parts, so many photos of each, dealt into folds."""
    labels = np.repeat([0, 1], each * views)
    part = np.repeat(np.arange(2 * each), views)
    groups = tuple(f"part {number:03d}" for number in part)
    return HeldOut(LINE, labels, groups, (part % folds)[None])


def chance(held: HeldOut, seed: int, candidates: int, luck: float = 0.3) -> dict[str, np.ndarray]:
    """Candidates of one quality: they differ by noise, and by what each fold's training happened to learn."""
    rng = np.random.default_rng(seed)
    defective, shared = held.labels == 0, rng.normal(size=len(held.labels))
    folds = int(held.folds.max()) + 1
    return {
        f"c{k}": probs_of(
            sigmoid(
                defective * (1.5 + luck * rng.normal(size=folds)[held.folds[0]])
                + shared
                + 0.5 * rng.normal(size=len(shared))
            )
        )[None]
        for k in range(candidates)
    }


def test_the_area_is_that_of_pairs_within_folds():
    rng = np.random.default_rng(0)
    held = held_of(30, 3)
    scores = np.round(rng.normal(size=60) + (held.labels == 0), 1)  # with ties
    fold = held.folds[0]
    ones = np.ones((1, 60))
    together = AucWithinFolds(held, np.zeros(60, dtype=np.int64), probs_of(sigmoid(scores)))
    assert together(ones)[0] == pytest.approx(roc_auc_score(held.labels == 0, scores), abs=1e-12)
    # Another scale in every fold changes nothing within them, and the pooled area a lot.
    shifted = sigmoid(scores + 5.0 * fold)
    pairs = [(np.sum(held.labels[fold == k] == 0) * np.sum(held.labels[fold == k] == 1)) for k in range(3)]
    areas = [roc_auc_score(held.labels[fold == k] == 0, scores[fold == k]) for k in range(3)]
    found = AucWithinFolds(held, fold, probs_of(shifted))(ones)[0]
    assert found == pytest.approx(np.average(areas, weights=pairs), abs=1e-6)
    assert abs(roc_auc_score(held.labels == 0, shifted) - found) > 0.05


def test_a_threshold_is_chosen_on_the_other_folds():
    # On fold 0 the good ones are at .1 and .6, on fold 1 at .1 and .2; the defective are at .4 and .9 everywhere.
    held = HeldOut(LINE, np.array([1, 1, 0, 0] * 2), None, np.array([[0] * 4 + [1] * 4]))
    defect = np.array([0.1, 0.6, 0.4, 0.9, 0.1, 0.2, 0.4, 0.9])
    figures = figures_of(held, held.folds[0], probs_of(defect), BestBalancedAccuracy())
    ones = np.ones((1, 8))
    # Fold 0 is cut between .2 and .4, as fold 1 wants it: its good photo at .6 is lost. Fold 1 is cut where fold 0 is
    # best: either of its two cuts makes one mistake in four, below .4 or above .6.
    assert figures[OVERKILL](ones)[0] == 0.25
    assert figures[ESCAPE](ones)[0] in (0.0, 0.25)
    values = 1 - (figures[OVERKILL](ones)[0] + figures[ESCAPE](ones)[0]) / 2
    assert figures[BALANCED](ones)[0] == pytest.approx(values, abs=1e-12)


def test_figures_follow_weights_and_know_when_they_are_not_defined():
    held = held_of(12, 3)
    defect = np.random.default_rng(1).random(24)
    figures = figures_of(held, held.folds[0], probs_of(defect), BestBalancedAccuracy())
    doubled = np.ones((2, 24))
    doubled[1] = 2
    for figure in figures.values():
        first, second = figure(doubled)
        assert first == pytest.approx(second, abs=1e-12)
    no_good = (held.labels == 0).astype(np.float64)[None]
    assert np.isnan([figures[name](no_good)[0] for name in (AUC, BALANCED, OVERKILL)]).all()
    assert not np.isnan(figures[ESCAPE](no_good)[0])


def test_sorting_has_no_escapes_and_the_usual_accuracy():
    rng = np.random.default_rng(2)
    task = Task(("crack", "dent", "rust"), None)
    labels = np.repeat([0, 1, 2], 60)
    pred_probs = rng.dirichlet([1, 1, 1], 180).astype(np.float32)
    pred_probs[np.arange(180), labels] += 0.3
    pred_probs /= pred_probs.sum(axis=1, keepdims=True)
    held = HeldOut(task, labels, None, (np.arange(180) % 4)[None])
    figures = figures_of(held, held.folds[0], pred_probs, BestBalancedAccuracy())
    assert list(figures) == [AUC, BALANCED]
    expected = balanced_accuracy_score(labels, pred_probs.argmax(axis=1))
    assert figures[BALANCED](np.ones((1, 180)))[0] == pytest.approx(expected, abs=1e-12)
    found = compare_held_out(held, {"a": pred_probs[None], "b": rng.dirichlet([1, 1, 1], 180).astype(np.float32)[None]})
    assert found.best == "a"
    assert found.parts == {"crack": 60, "dent": 60, "rust": 60}


def test_costs_are_those_of_a_photo_on_the_line():
    held = held_of(10, 2)
    # Good ones at .2, but one at .7; defective at .8, but one at .3: every cut makes a mistake.
    defect = np.where(held.labels == 0, 0.8, 0.2)
    defect[0], defect[10] = 0.3, 0.7
    ones = np.ones((1, 20))
    cheap_overkill = figures_of(held, held.folds[0], probs_of(defect), Costs(500, 3))
    rates = cheap_overkill[ESCAPE](ones)[0], cheap_overkill[OVERKILL](ones)[0]
    assert cheap_overkill[COST](ones)[0] == pytest.approx(0.5 * rates[0] * 500 + 0.5 * rates[1] * 3, abs=1e-9)
    on_the_line = figures_of(held, held.folds[0], probs_of(defect), Costs(500, 3, prevalence=0.02))
    rates = on_the_line[ESCAPE](ones)[0], on_the_line[OVERKILL](ones)[0]
    assert on_the_line[COST](ones)[0] == pytest.approx(0.02 * rates[0] * 500 + 0.98 * rates[1] * 3, abs=1e-9)
    low, high = on_the_line[COST].allowed
    ends = [clopper_pearson(rate * 10, 10) for rate in rates]
    assert low == pytest.approx(10 * ends[0][0] + 2.94 * ends[1][0], abs=1e-9)
    assert high == pytest.approx(10 * ends[0][1] + 2.94 * ends[1][1], abs=1e-9)


def test_a_better_one_is_named_and_a_worse_one_too():
    held = held_of(60)
    noise = np.random.default_rng(0).normal(size=120)
    good, bad = (probs_of(sigmoid(sharp * (held.labels == 0) + noise))[None] for sharp in (4.0, 0.5))
    found = compare_held_out(held, {"none": bad, "focal": good, "oversample": good[:, ::1]}, baseline="none")
    assert found.best is None
    assert found.tied == ("focal", "oversample")
    assert found.beside_baseline(1) == ("focal", "oversample")
    assert found.beside_baseline(-1) == ()
    said = sentences(found)
    assert said[0].startswith("These data cannot tell 'focal' and 'oversample' apart by ROC AUC; the first are equal")
    assert said[0].endswith("Worse is 'none'.")
    assert said[1] == "'focal' and 'oversample' are better than 'none' by ROC AUC."
    assert "rests on 60 good and 60 defective parts" in said[2]
    alone = compare_held_out(held, {"none": bad, "focal": good}, baseline="none")
    assert alone.best == "focal"
    assert sentences(alone)[0].startswith("'focal' is best by ROC AUC: 0.99")
    first, second = alone.standings
    assert first.from_best is None
    assert second.from_baseline is None
    assert second.from_best is not None
    assert second.from_best.high < 0 < first.from_baseline.low  # type: ignore[union-attr]
    assert json.loads(json.dumps(found.to_json()))["tied"] == ["focal", "oversample"]


def test_equal_answers_leave_open_what_as_many_parts_may_hide():
    held = held_of(20)
    same = probs_of(np.where(held.labels == 0, 0.9, 0.1))[None]
    found = compare_held_out(held, {"a": same, "b": same})
    room = float(proven_rate(20, 0, 0.975))
    difference = found.standings[1].from_best
    assert difference is not None
    assert (difference.low, difference.high) == (pytest.approx(-room), pytest.approx(room))
    rate = found.standings[0].figures[AUC]
    assert (rate.value, rate.high) == (1.0, 1.0)
    assert rate.low is not None
    assert rate.low < 0.9


def test_a_smaller_cost_and_a_smaller_overkill_come_first():
    held = held_of(70)
    noise = np.random.default_rng(0).normal(size=140)
    candidates = {
        name: probs_of(sigmoid(sharp * (held.labels == 0) + noise))[None] for name, sharp in (("dull", 1), ("sharp", 5))
    }
    by_cost = compare_held_out(held, candidates, policy=Costs(10, 1))
    assert (by_cost.by, by_cost.best) == (COST, "sharp")
    by_overkill = compare_held_out(held, candidates, policy=MaxEscape(0.1))
    assert (by_overkill.by, by_overkill.best) == (OVERKILL, "sharp")
    assert by_overkill.standings[0].figures[ESCAPE].value <= 0.1  # type: ignore[operator]
    assert "is best by overkill" in sentences(by_overkill)[0]
    assert by_cost.standings[1].from_best.value > 0  # type: ignore[union-attr]


@pytest.mark.parametrize(("each", "folds", "candidates"), [(30, 5, 2), (12, 4, 5)])
def test_chance_is_seldom_called_the_best(each: int, folds: int, candidates: int):
    held = held_of(each, folds)
    runs = [compare_held_out(held, chance(held, seed, candidates), draws=200) for seed in range(60)]
    assert np.mean([found.best is not None for found in runs]) <= 0.05


def test_copies_of_photos_prove_nothing_more():
    alone, views = held_of(25), held_of(25, views=6)
    answers = chance(alone, 3, 2)
    repeated = {name: np.repeat(rounds, 6, axis=1) for name, rounds in answers.items()}
    first = compare_held_out(alone, answers).standings[0].figures[AUC]
    second = compare_held_out(views, repeated).standings[0].figures[AUC]
    assert second.n == first.n == 50
    assert second.value == pytest.approx(first.value)
    assert second.high - second.low == pytest.approx(first.high - first.low, rel=0.1)  # type: ignore[operator]


def test_more_rounds_make_a_training_s_luck_smaller():
    def width(found: Comparison) -> float:
        difference = found.standings[1].from_best
        assert difference is not None
        return difference.high - difference.low

    one = held_of(100, 5)
    many = HeldOut(LINE, one.labels, one.groups, np.repeat(one.folds, 4, axis=0))
    rounds = [chance(one, seed, 2, luck=2.0) for seed in range(4)]
    together = {name: np.concatenate([own[name] for own in rounds]) for name in rounds[0]}
    assert width(compare_held_out(many, together)) < 0.7 * np.mean([width(compare_held_out(one, r)) for r in rounds])


def test_nothing_better_than_a_coin_is_said():
    held = held_of(20)
    rng = np.random.default_rng(0)
    found = compare_held_out(held, {name: probs_of(rng.random(40))[None] for name in ("none", "focal")})
    assert sentences(found)[0].startswith("None is shown to be better than a coin: ")


@pytest.mark.parametrize(
    ("by", "policy", "sorts", "message"),
    [
        ("acu", BestBalancedAccuracy(), False, "did you mean 'auc'"),
        ("cost", BestBalancedAccuracy(), False, "give --cost-escape and --cost-overkill"),
        ("overkill", Costs(5, 1), False, "give --max-escape too"),
        ("cost", Costs(5, 1), True, "needs a good class"),
    ],
)
def test_a_measure_that_does_not_fit_is_refused(by: str, policy: object, sorts: bool, message: str):
    with pytest.raises(UsageError, match=message):
        measure_for(policy, by, sorts=sorts)  # type: ignore[arg-type]


def test_an_answer_that_is_no_number_is_refused():
    held = held_of(6, 2)
    broken = probs_of(np.full(12, np.nan))[None]
    with pytest.raises(DataError, match="answers no number for"):
        compare_held_out(held, {"a": broken, "b": broken})
