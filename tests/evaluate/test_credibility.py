"""Is this perfect curve real? In plain words, with the numbers that follow from few parts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gonogo.evaluate.credibility import is_this_curve_real


def perfect(defective: int, good: int, views: int = 4):
    positive = np.repeat([True, False], [defective * views, good * views])
    return positive, positive + np.linspace(0, 0.5, len(positive)), [f"part {n // views}" for n in range(len(positive))]


def test_a_perfect_curve_on_six_good_parts():
    found = is_this_curve_real(*perfect(29, 6), leaked=0)
    assert found.answer == "not proved"
    assert found.auc_if_perfect == pytest.approx(0.05 ** (1 / 6))
    assert found.text == (
        "That is not proved. No part of it is in training. "
        "It rests on 6 good parts and 29 defective parts; the 6 good parts decide what it is worth. "
        "The AUC is 1, every defective photo above every good one; with 6 good parts a true AUC of 0.607 looks as "
        "perfect one time in 20. "
        "None lost of 6 good parts still allows an overkill rate of 39.3 %, none missed of 29 defective parts an "
        "escape rate of 9.8 % (95 % confidence). "
        "To prove an AUC of 0.95 takes 59 parts of each kind, without a mistake."
    )


def test_where_photos_are_sorted_into_kinds_no_part_is_called_good():
    text = is_this_curve_real(*perfect(6, 29), leaked=0, kind="scratches").text
    assert "29 other parts and 6 'scratches' parts; the 6 'scratches' parts decide what it is worth." in text
    assert "every 'scratches' photo above every other one" in text
    assert "None of 29 other parts taken for 'scratches' still allows a rate of 9.8 %, none missed of 6" in text
    assert not any(word in text for word in ("good", "defective", "overkill", "escape"))


def test_a_perfect_curve_on_parts_enough():
    found = is_this_curve_real(*perfect(70, 60), leaked=0)
    assert found.answer == "yes"
    assert found.text.startswith("Yes, within its interval. No part of it is in training.")
    assert "takes 59" not in found.text


def test_a_leak_settles_it():
    found = is_this_curve_real(*perfect(70, 60), leaked=12)
    assert found.answer == "no"
    assert "12 of the 520 photos show a part that is also in training: the curve shows memory" in found.text


def test_where_nobody_looked_for_leaks_nothing_is_proved():
    found = is_this_curve_real(*perfect(70, 60))
    assert found.answer == "not proved"
    assert "Nobody looked whether its parts are in training too" in found.text


def test_photos_without_parts_are_counted_and_doubted():
    positive, scores, _ = perfect(70, 60)
    found = is_this_curve_real(positive, scores, leaked=0)
    assert (found.good, found.defective, found.unit) == (240, 280, "photos")
    assert "No parts are named, so every photo counts as one" in found.text


def test_a_curve_that_may_be_a_coin():
    rng = np.random.default_rng(0)
    positive = np.repeat([True, False], 70)
    found = is_this_curve_real(positive, rng.random(140), [str(n) for n in range(140)], leaked=0)
    assert found.answer == "not proved"
    assert "cannot tell this network from a coin" in found.text


def test_an_imperfect_curve_on_few_parts():
    positive, scores, groups = perfect(29, 1)
    scores[0] = -1
    found = is_this_curve_real(positive, scores, groups, leaked=0)
    assert "the 1 good part decides what it is worth" in found.text
    assert "on 1 good part even a perfect curve proves no more than 0.050" in found.text


def test_equal_kinds_decide_together():
    assert "It rests on 60 good parts and 60 defective parts." in is_this_curve_real(*perfect(60, 60), leaked=0).text


def test_the_answer_is_plain_values():
    plain = json.loads(json.dumps(is_this_curve_real(*perfect(29, 6), leaked=0).to_json()))
    assert plain["answer"] == "not proved"
    assert plain["leaked"] == 0
    assert len(plain["sentences"]) == 6
