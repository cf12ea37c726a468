"""Curves as numbers: their ends, their bands, and what they prove."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gonogo.errors import DataError
from gonogo.evaluate.curves import precision_recall_curve, roc_curve, trade_off
from gonogo.evaluate.guarantee import proven_rate

HAND = np.array([True, True, False, False]), np.array([0.9, 0.4, 0.6, 0.1])


def parts(rng: np.random.Generator, bad: int, good: int, views: int, apart: float = 2.0):
    positive = np.repeat([True, False], [bad * views, good * views])
    means = np.repeat(rng.normal(0, 1, bad + good), views) + apart * positive
    return positive, means + rng.normal(0, 0.3, len(means)), [f"part {n // views}" for n in range(len(means))]


def test_a_curve_by_hand():
    curve = roc_curve(*HAND)
    assert curve.fpr.tolist() == [0, 0, 0.5, 0.5, 1]
    assert curve.tpr.tolist() == [0, 0.5, 0.5, 1, 1]
    assert curve.thresholds.tolist() == [np.inf, 0.9, 0.6, 0.4, 0.1]
    assert curve.auc.value == 0.75
    assert (curve.good, curve.defective, curve.unit) == (2, 2, "photos")


def test_precision_over_recall_by_hand():
    curve = precision_recall_curve(*HAND)
    assert curve.recall.tolist() == [1, 1, 0.5, 0.5, 0]
    assert curve.precision.tolist() == pytest.approx([0.5, 2 / 3, 0.5, 1, 1])
    assert curve.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert curve.prevalence == 0.5


def test_escape_against_overkill_by_hand():
    curve = trade_off(*HAND)
    assert curve.thresholds.tolist() == [0.1, 0.4, 0.6, 0.9, np.inf]
    assert curve.escape.tolist() == [0, 0, 0.5, 0.5, 1]
    assert curve.overkill.tolist() == [1, 0.5, 0.5, 0, 0]
    assert curve.escape_high.tolist() == pytest.approx(proven_rate(2, np.array([0, 0, 1, 1, 2]), 0.95).tolist())
    assert curve.overkill_high.tolist() == pytest.approx(proven_rate(2, np.array([2, 1, 1, 0, 0]), 0.95).tolist())
    assert (curve.escape_floor, curve.overkill_floor) == (0.25, 0.25)


def test_the_limits_of_the_trade_off_count_parts_by_their_worst_photo():
    positive = np.array([True, True, True, False, False])
    scores = np.array([0.9, 0.3, 0.8, 0.5, 0.1])
    curve = trade_off(positive, scores, ["p", "p", "q", "r", "r"])
    at = curve.thresholds.tolist().index(0.5)
    assert curve.escape[at] == pytest.approx(1 / 3)
    assert curve.escape_high[at] == pytest.approx(float(proven_rate(2, 1, 0.95)))
    assert curve.overkill_high[at] == 1.0
    assert curve.unit == "parts"


def test_the_band_holds_the_curve_and_grows_with_fewer_parts():
    rng = np.random.default_rng(0)
    few, many = (roc_curve(*parts(rng, n, n, 3)) for n in (15, 150))
    for curve in (few, many):
        assert ((curve.band_low >= 0) & (curve.band_high <= 1)).all()
        assert (np.diff(curve.band_low) >= 0).all()
        assert (np.diff(curve.band_high) >= 0).all()
        middle = np.interp(curve.band_fpr[1:-1] + 1e-9, curve.fpr, curve.tpr)
        assert (curve.band_low[1:-1] <= middle + 1e-6).all()
        assert (curve.band_high[1:-1] >= middle - 1e-6).all()
    assert np.mean(few.band_high - few.band_low) > 2 * np.mean(many.band_high - many.band_low)


def test_photos_of_one_part_make_no_narrower_band():
    rng = np.random.default_rng(1)
    positive, scores, groups = parts(rng, 30, 30, 10)
    together, alone = roc_curve(positive, scores, groups), roc_curve(positive, scores)
    assert np.mean(together.band_high - together.band_low) > 1.5 * np.mean(alone.band_high - alone.band_low)


def test_a_perfect_curve_on_six_good_parts_has_a_band_all_the_same():
    positive, scores, groups = parts(np.random.default_rng(2), 29, 6, 4, apart=20)
    curve = roc_curve(positive, scores, groups)
    assert curve.auc.value == 1
    assert curve.auc.low == pytest.approx(0.025 ** (1 / 6))
    # None of 6 lost allows an overkill rate up to .52 (97.5 %, as the other rate has its share): left of it, nothing.
    limit = 1 - 0.0125 ** (1 / 6)
    assert (curve.band_low[curve.band_fpr < limit] == 0).all()
    assert curve.band_low[curve.band_fpr > limit][0] == pytest.approx(0.0125 ** (1 / 29))
    assert (curve.band_low[curve.band_fpr > limit][:-1] < 0.87).all()
    assert curve.band_low[-1] == 1
    assert (curve.band_high == 1).all()


def test_the_band_holds_the_true_curve_as_often_as_it_says():
    # A good part scores u and a defective one the largest of four u, so the true curve is known.
    rng, held, places = np.random.default_rng(3), [], [5, 20, 50, 80]
    positive = np.repeat([True, False], [30 * 4, 25 * 4])
    for _ in range(100):
        scores = np.concatenate([rng.random((30, 4)).max(axis=1), rng.random(25)]).repeat(4)
        curve = roc_curve(positive, scores, [str(n // 4) for n in range(len(scores))], draws=100)
        true = 1 - (1 - curve.band_fpr[places]) ** 4
        held.append((curve.band_low[places] <= true) & (true <= curve.band_high[places]))
    assert np.mean(held, axis=0).min() >= 0.94


def test_plain_values_leave_out_what_a_line_says():
    rng = np.random.default_rng(4)
    positive = rng.random(500) < 0.5
    curve = roc_curve(positive, rng.normal(2.0 * positive))
    plain = json.loads(json.dumps(curve.to_json(), allow_nan=False))
    assert len(plain["fpr"]) == len(plain["tpr"]) == len(plain["thresholds"]) < len(curve.fpr)
    assert plain["thresholds"][0] is None
    assert np.interp(0.3, plain["fpr"], plain["tpr"]) == pytest.approx(np.interp(0.3, curve.fpr, curve.tpr))
    assert set(plain["auc"]) == {"value", "low", "high", "n", "unit"}
    for other in (precision_recall_curve(*HAND), trade_off(*HAND)):
        assert json.loads(json.dumps(other.to_json(), allow_nan=False))


@pytest.mark.parametrize("curve", [roc_curve, precision_recall_curve, trade_off])
@pytest.mark.parametrize(("positive", "missing"), [([True, True], "good"), ([False, False], "defective")])
def test_a_curve_needs_both_kinds(curve, positive: list[bool], missing: str):
    with pytest.raises(DataError, match=f"no {missing} photo among 2"):
        curve(np.array(positive), np.array([0.1, 0.9]))
