"""Do probabilities say how often it is so, and what makes them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gonogo.errors import DataError
from gonogo.evaluate.calibration import apply_temperature, fit_temperature, reliability


def answers(n: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from probabilities, and the probabilities as if logits were multiplied by a temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n, 3))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(3, p=row) for row in true])
    said = np.exp(logits * temperature) / np.exp(logits * temperature).sum(axis=1, keepdims=True)
    return labels, said.astype(np.float32)


def test_probabilities_that_are_right_have_a_small_error():
    rng = np.random.default_rng(0)
    probs = rng.random(20_000).astype(np.float32)
    found = reliability(probs, rng.random(20_000) < probs)
    assert found.error < 0.015
    assert len(found.bins) == 10
    assert {row.n for row in found.bins} == {2000}
    assert all(row.low <= row.prob <= row.high for row in found.bins)
    assert all(row.share.low <= row.share.value <= row.share.high for row in found.bins)


def test_overconfidence_is_seen_by_hand():
    found = reliability(np.array([0.9] * 10 + [0.1] * 10, dtype=np.float32), np.arange(20) % 2 == 0, bins=2)
    assert [row.n for row in found.bins] == [10, 10]
    assert [row.share.value for row in found.bins] == [0.5, 0.5]
    assert found.error == pytest.approx(0.4)


def test_equal_probabilities_stay_in_one_bin():
    found = reliability(np.full(50, 0.3, dtype=np.float32), np.arange(50) < 15)
    assert len(found.bins) == 1
    assert found.error == pytest.approx(0, abs=1e-7)


def test_the_intervals_of_bins_count_parts():
    probs, true = np.linspace(0, 1, 40).astype(np.float32), np.arange(40) >= 20
    found = reliability(probs, true, [f"part {n // 10}" for n in range(40)], bins=4)
    assert [row.share.n for row in found.bins] == [1, 1, 1, 1]
    assert json.loads(json.dumps(found.to_json()))["bins"][0]["share"]["unit"] == "parts"


def test_nothing_to_compare_is_refused():
    with pytest.raises(DataError, match="no photos"):
        reliability(np.array([], dtype=np.float32), np.array([], dtype=bool))


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_undoes_what_was_done(temperature: float):
    labels, pred_probs = answers(6000, temperature)
    found = fit_temperature(labels, pred_probs)
    assert found.note is None
    assert found.value == pytest.approx(temperature, rel=0.06)
    assert found.loss_after <= found.loss_before
    cooled = apply_temperature(pred_probs, found.value)
    assert cooled.dtype == np.float32
    assert cooled.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert (cooled.argmax(axis=1) == pred_probs.argmax(axis=1)).all()
    right = pred_probs.argmax(axis=1) == labels
    assert reliability(cooled.max(axis=1), right).error < 0.03


def test_a_temperature_of_one_changes_nothing():
    _, pred_probs = answers(20, 1.0)
    assert apply_temperature(pred_probs, 1.0) == pytest.approx(pred_probs, abs=1e-6)


def test_probabilities_of_zero_do_not_decide_everything():
    labels = np.array([0, 0, 0, 1, 1, 1])
    pred_probs = np.array([[1, 0], [1, 0], [0.4, 0.6], [0, 1], [0, 1], [1, 0]], dtype=np.float32)
    found = fit_temperature(labels, pred_probs)
    assert np.isfinite([found.value, found.loss_before, found.loss_after]).all()
    assert found.value > 1


@pytest.mark.parametrize(
    ("labels", "pred_probs", "why"),
    [
        ([0, 0], [[0.9, 0.1], [0.2, 0.8]], "a single class"),
        ([0, 1], [[0.9, 0.1], [0.2, 0.8]], "no mistake"),
        ([0, 1], [[0.1, 0.9], [0.8, 0.2]], "say nothing here"),
    ],
)
def test_where_no_temperature_fits_it_stays_one_and_says_why(labels: list[int], pred_probs: list, why: str):
    found = fit_temperature(np.array(labels), np.array(pred_probs, dtype=np.float32))
    assert found.value == 1
    assert found.loss_after == found.loss_before
    assert why in str(found.note)
    assert json.loads(json.dumps(found.to_json()))["value"] == 1


@pytest.mark.parametrize(
    ("labels", "pred_probs", "found"),
    [([], np.zeros((0, 2)), "no photos"), ([0, 1], [[np.nan, 0.5], [0.5, 0.5]], "a probability that is no number")],
)
def test_what_no_temperature_can_be_fitted_on_is_refused(labels: list[int], pred_probs: list, found: str):
    with pytest.raises(DataError, match=f"found {found}"):
        fit_temperature(np.array(labels, dtype=np.int64), np.array(pred_probs, dtype=np.float32))
