"""Points as SVG paths: in their frame, thinned the same way each time, no class lost."""

from __future__ import annotations

import re

import numpy as np

from gonogo.report.figures import HEIGHT, MARKERS, MOST_POINTS, WIDTH, scatter, thinned


def starts(path: str) -> np.ndarray:
    return np.array([[float(v) for v in pair.split()] for pair in re.findall(r"M([\d. ]+)m", path)])


def test_points_stand_in_the_frame_with_y_upwards():
    points = np.float32([[0, 0], [10, 0], [10, 5], [5, 2.5]])
    drawn = scatter(points, np.array([0, 0, 1, 1]), ("a", "b", "c"))
    places = np.concatenate([starts(path) for _, path in drawn.layers])
    assert len(places) == drawn.drawn == drawn.total == 4
    assert places.min() >= 0
    assert (places <= (WIDTH, HEIGHT)).all()
    assert (drawn.x, drawn.y) == ((0, 10), (0, 5))
    highest = places[np.argmin(places[:, 1])]
    assert highest[0] == places[:, 0].max(), "(10, 5) is at the upper right"
    assert [(mark.name, mark.count) for mark in drawn.marks] == [("a", 2), ("b", 2)]


def test_points_without_a_place_are_counted():
    points = np.float32([[np.nan, 0], [1, np.inf], [1, 1]])
    drawn = scatter(points, np.array([0, 1, 1]), ("a", "b"))
    assert (drawn.total, drawn.lost, drawn.drawn) == (3, 2, 1)
    (place,) = starts(drawn.layers[0][1])
    assert place.tolist() == [WIDTH / 2, HEIGHT / 2], "a single value stands in the middle"
    nothing = scatter(np.zeros((0, 2), dtype=np.float32), np.zeros(0, dtype=np.int64), ("a",))
    assert (nothing.layers, nothing.marks, nothing.total) == ((), (), 0)


def test_many_points_are_thinned_the_same_way_each_time_and_no_class_is_lost():
    labels = np.repeat([0, 1, 2], [15_000, 4_900, 100])
    kept = thinned(labels, MOST_POINTS)
    counts = np.bincount(labels[kept])
    assert counts.tolist() == [3_000, 980, 100]
    assert len(np.unique(kept)) == len(kept)
    assert np.array_equal(kept, thinned(labels, MOST_POINTS))
    assert sorted(thinned(labels[:50], MOST_POINTS)) == list(range(50))
    drawn = scatter(np.random.default_rng(0).random((20_000, 2), dtype=np.float32), labels, ("a", "b", "c"))
    assert (drawn.total, drawn.drawn) == (20_000, len(kept))
    assert sum(len(path) for _, path in drawn.layers) < 300_000


def test_classes_differ_in_colour_or_marker():
    labels = np.arange(40)
    drawn = scatter(np.random.default_rng(0).random((40, 2), dtype=np.float32), labels, tuple(map(str, labels)))
    assert len({(mark.hue, mark.path) for mark in drawn.marks}) == 40
    assert len({rest for _, rest in MARKERS}) == len(MARKERS)
