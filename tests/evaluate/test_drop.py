"""The drop of each class: paired over photos, drawn over parts."""

from __future__ import annotations

import numpy as np
import pytest

from gonogo.data.task import Task
from gonogo.evaluate.decision import Decision
from gonogo.evaluate.drop import Drop, drops, rightly
from gonogo.evaluate.guarantee import proven_rate
from gonogo.types import Answer

LABELS = np.array([0] * 10 + [1] * 40)


def changed(*lost: int, won: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    before, after = np.ones(50, dtype=bool), np.ones(50, dtype=bool)
    after[list(lost)] = False
    before[list(won)] = False
    return before, after


def test_a_drop_is_the_share_lost_less_the_share_won_of_each_class():
    found = drops(("ok", "bad"), LABELS, *changed(0, 1, 20, won=(5, 30, 31, 32)), None)
    assert found["ok"].value == pytest.approx(2 / 10 - 1 / 10)
    assert found["bad"].value == pytest.approx(1 / 40 - 3 / 40)
    assert [own.n for own in found.values()] == [10, 40]
    assert found["ok"].low <= found["ok"].value <= found["ok"].high


def test_what_nobody_saw_change_may_still_change_on_as_many_parts_as_were_not_seen():
    found = drops(("ok", "bad"), LABELS, *changed(), None)
    room = float(proven_rate(40, 0, 0.975))
    assert (found["bad"].value, found["bad"].low, found["bad"].high) == (0, -room, room)
    assert room == pytest.approx(1 - 0.025 ** (1 / 40))


def test_photos_of_one_part_are_one_observation():
    lost = tuple(range(10, 20))
    alone = drops(("ok", "bad"), LABELS, *changed(*lost), None)["bad"]
    parts = drops(("ok", "bad"), LABELS, *changed(*lost), [f"part{n // 10}" for n in range(50)])["bad"]
    assert alone.value == parts.value == 0.25
    assert (alone.unit, alone.n, parts.unit, parts.n) == ("photos", 40, "parts", 4)
    assert parts.high - parts.low > 2 * (alone.high - alone.low)


def test_a_class_without_photos_has_no_drop():
    assert list(drops(("ok", "bad", "worse"), LABELS, *changed(), None)) == ["ok", "bad"]


def test_the_interval_is_wide_enough_for_a_true_drop_of_a_tenth():
    rng, hits = np.random.default_rng(0), 0
    for _ in range(100):
        before, after = np.ones(200, dtype=bool), rng.random(200) > 0.1
        own = drops(("ok",), np.zeros(200, dtype=int), before, after, None)["ok"]
        hits += own.low <= 0.1 <= own.high
    assert hits >= 88


def test_a_good_photo_in_review_is_not_passed_and_a_defective_one_is_held_back():
    decision = Decision(Task(("bad", "ok"), "ok"), 0.4, "test", no_go_from=0.8)
    probs = np.array([[0.1, 0.9], [0.6, 0.4], [0.9, 0.1]] * 2, dtype=np.float32)
    labels = np.array([1, 1, 1, 0, 0, 0])
    assert rightly(decision, labels, Answer(probs)).tolist() == [True, False, False, False, True, True]
    novelty = np.array([2, 0, 0, 2, 0, 0], dtype=np.float32)
    assert rightly(decision, labels, Answer(probs, None, novelty)).tolist() == [False, False, False, True, True, True]


def test_sorting_is_right_where_the_kind_is():
    decision = Decision(Task(("a", "b"), None), None, "likeliest class")
    probs = np.array([[0.6, 0.4], [0.3, 0.7]], dtype=np.float32)
    assert rightly(decision, np.array([0, 0]), Answer(probs)).tolist() == [True, False]


def test_words_hold_points_and_what_was_counted():
    assert Drop(0.005, -0.0021, 0.011, 202, "parts").points == "0.5 points (-0.2 to 1.1, 202 parts)"
    assert Drop(-0.0001, -0.01, 0.01, 9, "photos").points == "0.0 points (-1.0 to 1.0, 9 photos)"
