"""Every interval and figure against SciPy, scikit-learn or published tables, to 1e-9."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import beta, binom, binomtest
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    matthews_corrcoef,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from gonogo.data.task import Task
from gonogo.evaluate import curves
from gonogo.evaluate.calibration import apply_temperature, fit_temperature, reliability
from gonogo.evaluate.decision import Decision
from gonogo.evaluate.guarantee import from_order_statistic, needed_parts, order_for, proven_rate
from gonogo.evaluate.intervals import clopper_pearson, clopper_pearson_many
from gonogo.evaluate.measure import perfect_auc_limit
from gonogo.evaluate.metrics import average_precision, evaluate, matthews, roc_auc

EXACT = 1e-9
TASK = Task(("bad", "ok"), "ok")
KINDS = ("crack", "dent", "scratch", "stain")


def close(value: object) -> object:
    return pytest.approx(value, abs=EXACT, rel=EXACT)


def photos(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Which are defective, and float32 probabilities with ties."""
    rng = np.random.default_rng(seed)
    defective = rng.random(n) < 0.3
    probs = np.clip(rng.normal(0.35 + 0.3 * defective, 0.2), 0, 1)
    return defective, np.round(probs, 2).astype(np.float32)


def kinds(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(KINDS), size=n)
    pred_probs = rng.dirichlet(np.ones(len(KINDS)), size=n) + 0.4 * np.eye(len(KINDS))[labels]
    return labels, (pred_probs / pred_probs.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (0, 57), (3, 10), (17, 50), (299, 299), (4, 2995)])
def test_clopper_pearson(hits: int, n: int, confidence: float):
    expected = binomtest(hits, n).proportion_ci(confidence, method="exact")
    assert clopper_pearson(hits, n, confidence) == close((expected.low, expected.high))
    low, high = clopper_pearson_many(np.array([hits]), n, confidence)
    assert (low[0], high[0]) == close((expected.low, expected.high))


@pytest.mark.parametrize(("misses", "n"), [(0, 57), (1, 93), (5, 208), (57, 57), (2, 628)])
def test_the_proven_rate_is_the_one_sided_limit(misses: int, n: int):
    expected = binomtest(misses, n, alternative="less").proportion_ci(0.95, method="exact").high
    assert float(proven_rate(n, misses, 0.95)) == close(expected)
    if misses < n:
        assert float(proven_rate(n, misses, 0.95)) == close(beta.ppf(0.95, misses + 1, n - misses))


# Tolerance limits by order statistics: the sample sizes for 1, 2, ... of the smallest values left out.
WILKS = {
    0.05: [59, 93, 124, 153, 181, 208, 234, 260, 286, 311],
    0.01: [299, 473, 628, 773, 913, 1049],
}


@pytest.mark.parametrize(("rate", "sizes"), WILKS.items())
def test_the_published_sample_sizes_of_tolerance_limits(rate: float, sizes: list[int]):
    for order, n in enumerate(sizes, start=1):
        assert order_for(n, rate, 0.95) == order
        assert order_for(n - 1, rate, 0.95) == order - 1
    assert needed_parts(rate, 0.95) == sizes[0]


def test_the_rule_of_three_for_a_tenth_of_a_percent():
    assert [needed_parts(rate, 0.95) for rate in (0.05, 0.01, 0.001)] == [59, 299, 2995]
    assert [needed_parts(rate, 0.99) for rate in (0.05, 0.01, 0.001)] == [90, 459, 4603]


@pytest.mark.parametrize(("n", "rate", "confidence"), [(57, 0.1, 0.95), (400, 0.03, 0.9), (3000, 0.01, 0.99)])
def test_the_order_is_the_largest_whose_binomial_tail_fits(n: int, rate: float, confidence: float):
    tails = [binom.cdf(order - 1, n, rate) for order in range(1, n + 1)]
    assert order_for(n, rate, confidence) == sum(tail <= 1 - confidence for tail in tails)


def test_the_example_of_57_parts():
    order, guarantee = from_order_statistic("escape", 57, "parts", 0.01, 0.95)
    assert order == 1
    assert guarantee.rate == guarantee.proven == close(1 - 0.05 ** (1 / 57))
    assert guarantee.needed == 299
    assert guarantee.shortfall == "0 misses in 57 parts proves 5.1 %, not 1 %: 299 are needed (95 % confidence)"


@pytest.mark.parametrize("seed", range(3))
def test_figures_of_two_classes(seed: int):
    defective, probs = photos(400, seed)
    labels = np.where(defective, 0, 1)
    decision = Decision(TASK, 0.5, "")
    pred_probs = np.stack([probs, 1 - probs], axis=1)
    scores = decision.defect_probs(pred_probs)
    called = scores >= np.float32(0.5)
    found = evaluate(decision, labels, pred_probs)
    assert found.accuracy.value == close(accuracy_score(defective, called))
    assert found.balanced_accuracy.value == close(balanced_accuracy_score(defective, called))
    assert found.precision.value == close(precision_score(defective, called))
    assert found.recall.value == close(recall_score(defective, called))
    assert found.f1_defect.value == found.classes["bad"].f1 == close(f1_score(defective, called))
    assert found.mcc.value == close(matthews_corrcoef(defective, called))
    assert matthews(labels, np.where(called, 0, 1)) == close(matthews_corrcoef(defective, called))
    assert found.auc.value == roc_auc(defective, scores) == close(roc_auc_score(defective, scores))
    expected = average_precision_score(defective, scores)
    assert found.average_precision.value == average_precision(defective, scores) == close(expected)


def test_figures_of_several_classes():
    labels, pred_probs = kinds(500)
    answers = pred_probs.argmax(axis=1)
    found = evaluate(Decision(Task(KINDS, None), None, ""), labels, pred_probs)
    one_hot = np.eye(len(KINDS))[labels]
    assert found.mcc.value == close(matthews_corrcoef(labels, answers))
    assert found.balanced_accuracy.value == close(balanced_accuracy_score(labels, answers))
    assert found.auc.value == close(roc_auc_score(one_hot, pred_probs, average="macro"))
    assert found.average_precision.value == close(average_precision_score(one_hot, pred_probs, average="macro"))
    for name, function in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        expected = function(labels, answers, average=None)
        assert [getattr(row, name) for row in found.classes.values()] == close(list(expected))


def test_the_roc_curve():
    defective, scores = photos(300)
    found = curves.roc_curve(defective, scores)
    fpr, tpr, thresholds = roc_curve(defective, scores, drop_intermediate=False)
    assert found.fpr == close(fpr)
    assert found.tpr == close(tpr)
    assert found.thresholds[1:] == close(thresholds[1:])
    assert found.auc.value == close(roc_auc_score(defective, scores))
    plain = found.to_json()
    fpr, tpr, _ = roc_curve(defective, scores, drop_intermediate=True)
    assert np.interp(plain["fpr"], fpr, tpr).max() == 1
    assert len(plain["fpr"]) <= len(found.fpr)
    assert np.trapezoid(plain["tpr"], plain["fpr"]) == close(roc_auc_score(defective, scores))


def test_the_precision_recall_curve():
    defective, scores = photos(300)
    found = curves.precision_recall_curve(defective, scores)
    precision, recall, thresholds = precision_recall_curve(defective, scores)
    assert found.precision == close(precision)
    assert found.recall == close(recall)
    assert found.thresholds[:-1] == close(thresholds)
    assert found.average_precision == close(average_precision_score(defective, scores))


def test_reliability_in_equal_bins():
    defective, probs = photos(500)
    found = reliability(probs, defective, bins=8)
    shares, means = calibration_curve(defective, probs.astype(np.float64), n_bins=8, strategy="quantile")
    assert [row.share.value for row in found.bins] == close(list(shares))
    assert [row.prob for row in found.bins] == close(list(means))
    weights = np.array([row.n for row in found.bins]) / 500
    assert found.error == close(float(np.sum(weights * np.abs(shares - means))))


def test_the_temperature_is_where_the_slope_of_the_loss_is_zero():
    labels, pred_probs = kinds(400)
    found = fit_temperature(labels, pred_probs)
    wide = pred_probs.astype(np.float64)
    assert found.loss_before == close(log_loss(labels, wide / wide.sum(axis=1, keepdims=True)))
    logits = np.log(wide)

    def slope(temperature: float) -> float:
        scaled = np.exp(logits / temperature)
        expected = (scaled * logits).sum(axis=1) / scaled.sum(axis=1)
        return float(np.mean(expected - logits[np.arange(len(labels)), labels]))

    assert found.value == pytest.approx(brentq(slope, 0.05, 20), rel=1e-6)
    assert found.loss_after < found.loss_before
    cooled = apply_temperature(pred_probs, found.value).astype(np.float64)
    assert log_loss(labels, cooled / cooled.sum(axis=1, keepdims=True)) == pytest.approx(found.loss_after, abs=1e-6)


@pytest.mark.parametrize(("good", "defective"), [(6, 29), (29, 6), (1, 40), (59, 59)])
def test_what_a_perfect_curve_still_allows(good: int, defective: int):
    positive = np.arange(good + defective) >= good
    assert perfect_auc_limit(positive, None, 0.05) == close(0.05 ** (1 / min(good, defective)))
    # The worst case: of the rarer side, one in so many looks like the other side's most extreme.
    worst = perfect_auc_limit(positive, None, 0.05)
    assert worst ** min(good, defective) == close(0.05)
