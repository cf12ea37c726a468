"""Draws of whole parts, as weights on photos."""

from __future__ import annotations

import numpy as np
import pytest

from gonogo.evaluate.figures import Answers, Ranking
from gonogo.evaluate.intervals import bootstrap
from gonogo.evaluate.metrics import average_precision, balanced_accuracy, matthews, roc_auc
from gonogo.evaluate.resample import Parts, draw_parts, percentiles


def test_parts_are_numbered_by_name():
    parts = Parts.of(["b", "a", "b"], 3)
    assert (parts.codes.tolist(), parts.n, parts.unit) == ([1, 0, 1], 2, "parts")
    alone = Parts.of(None, 3)
    assert (alone.codes.tolist(), alone.n, alone.unit) == ([0, 1, 2], 3, "photos")


def test_unequal_parts_are_worth_fewer():
    assert Parts.of(["a", "a", "b", "b"], 4).effective == 2
    assert Parts.of(["a", "a", "a", "b"], 4).effective == pytest.approx(16 / 10)
    assert Parts.of(None, 4).effective == 4


def test_a_part_with_a_defect_is_defective():
    # class 0 is rarer than class 1, so a part that shows both belongs to it
    labels = np.array([1, 0, 1, 1, 1, 0])
    parts = Parts.of(["p", "p", "q", "q", "r", "s"], 6)
    assert parts.strata(labels).tolist() == [0, 1, 1, 0]


def test_every_draw_has_as_many_parts_of_each_class():
    strata = np.array([0, 0, 0, 1, 1, 2])
    counts = np.concatenate(list(draw_parts(strata, 6, draws=500)))
    assert counts.shape == (500, 6)
    assert (counts[:, :3].sum(axis=1) == 3).all()
    assert (counts[:, 3:5].sum(axis=1) == 2).all()
    assert (counts[:, 5] == 1).all()
    assert counts[:, :3].mean(axis=0) == pytest.approx([1, 1, 1], abs=0.15)
    assert np.unique(counts, axis=0).shape[0] > 15


def test_many_photos_are_drawn_in_pieces():
    pieces = [len(counts) for counts in draw_parts(np.zeros(10, dtype=np.int64), 1 << 19, draws=5)]
    assert pieces == [2, 2, 1]


def test_figures_of_weights_are_those_of_the_photos_drawn():
    rng = np.random.default_rng(0)
    labels, answers = rng.integers(3, size=40), rng.integers(3, size=40)
    scores = np.round(rng.random(40), 1)
    counts = next(draw_parts(np.zeros(40, dtype=np.int64), 40, draws=20))
    tally, (auc, precision) = Answers(labels, answers, 3).tally(counts), Ranking(labels == 0, scores).areas(counts)
    for draw, row in enumerate(counts.astype(np.int64)):
        i = np.repeat(np.arange(40), row)
        assert tally.balanced_accuracy[draw] == pytest.approx(balanced_accuracy(labels[i], answers[i]))
        assert tally.matthews[draw] == pytest.approx(matthews(labels[i], answers[i]))
        assert auc[draw] == pytest.approx(roc_auc(labels[i] == 0, scores[i]))
        assert precision[draw] == pytest.approx(average_precision(labels[i] == 0, scores[i]))


def test_an_area_without_one_side_is_not_defined():
    ranking = Ranking(np.array([True, False]), np.array([0.9, 0.1]))
    auc, precision = ranking.areas(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    assert np.isnan(auc).tolist() == np.isnan(precision).tolist() == [True, True, False]


def test_the_interval_always_holds_the_value():
    assert percentiles(np.array([0.4, 0.5, np.nan]), 0.9)[1] == 0.9
    assert percentiles(np.array([np.nan]), 0.9) == (0.9, 0.9)
    assert percentiles(np.arange(1001.0), 500) == (25, 975)


def test_the_slow_bootstrap_and_the_fast_one_draw_alike():
    rng = np.random.default_rng(1)
    positive, scores = rng.random(60) < 0.4, rng.random(60)
    groups = [f"part {n // 2}" for n in range(60)]
    labels = positive.astype(np.int64)
    slow = bootstrap(lambda i: roc_auc(positive[i], scores[i]), 60, groups, strata=labels, draws=200)
    parts = Parts.of(groups, 60)
    drawn = [Ranking(positive, scores).areas(c[:, parts.codes])[0] for c in draw_parts(parts.strata(labels), 60, 200)]
    assert (slow.low, slow.high) == pytest.approx(percentiles(np.concatenate(drawn), slow.value))
