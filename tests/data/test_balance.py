"""Whole groups shared out: what is asked is met as closely as the groups allow, and what is not is said."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gonogo.data.balance import _Sides, divide, find_unbalanced

# Photos of each part: the good and the defective ones of the public castings, as the search for copies finds them.
GOOD = (324, 313, 313, 305, 293, 264, 58, 32, 30)
DEFECT = (
    82,
    63,
    62,
    62,
    62,
    60,
    59,
    55,
    54,
    54,
    47,
    46,
    *(42,) * 6,
    *(38,) * 14,
    *(34,) * 14,
    *(30,) * 12,
    25,
    25,
    11,
    5,
)
SHARES = (0.64, 0.16, 0.2)


def castings() -> np.ndarray:
    return np.array([(n, 0) for n in GOOD] + [(0, n) for n in DEFECT])


def spread(counts: np.ndarray, side: np.ndarray, sides: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares (S, K) of photos and of parts."""
    photos = np.array([counts[side == s].sum(axis=0) for s in range(sides)]) / counts.sum(axis=0)
    parts = np.array([(counts[side == s] > 0).sum(axis=0) for s in range(sides)]) / (counts > 0).sum(axis=0)
    return photos, parts


def test_few_parts_of_very_different_sizes_are_spread_by_photos_and_by_parts():
    counts = castings()
    photos, parts = spread(counts, divide(counts, SHARES), 3)
    wanted = np.array(SHARES)[:, None]
    assert np.abs(photos - wanted).max() < 0.02
    assert np.abs(parts - wanted).max() < 0.06


@pytest.mark.parametrize("seed", range(20))
def test_hardly_any_other_way_is_better(seed: int):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 40, (int(rng.integers(4, 8)), 2))
    counts[counts.sum(axis=1) == 0] = 1
    sides = _Sides(counts, SHARES)

    def cost(side: tuple[int, ...]) -> float:
        held = np.array([sides.items[np.array(side) == s].sum(axis=0) for s in range(3)])
        return float(sides.cost(held, sides.shares).sum())

    best = min(cost(side) for side in itertools.product(range(3), repeat=len(counts)))
    assert cost(tuple(divide(counts, SHARES))) <= best + 0.02


def test_every_class_stands_on_every_side_if_it_has_the_parts():
    counts = np.array([[1, 0, 0]] * 100 + [[0, 50, 0], [0, 1, 0], [0, 1, 0]] + [[1, 1, 1]] * 3)
    photos, _ = spread(counts, divide(counts, SHARES), 3)
    assert (photos > 0).all()


def test_folds_are_as_even_as_the_parts_allow():
    counts = castings()
    side = divide(counts, [0.25] * 4)
    photos, _ = spread(counts, side, 4)
    assert np.ptp((counts[:, 1] > 0) @ np.eye(4)[side]) <= 1
    assert sorted((counts[:, 0] > 0) @ np.eye(4)[side]) == [2, 2, 2, 3]
    assert np.abs(photos[:, 1] - 0.25).max() < 0.02


def test_thousands_of_photos_without_parts_are_shared_out_to_one():
    labels = np.random.default_rng(0).integers(0, 10, 5000)
    side = divide(np.eye(10, dtype=np.int64)[labels], SHARES)
    for k in range(10):
        got = np.bincount(side[labels == k], minlength=3)
        assert np.abs(got - np.array(SHARES) * got.sum()).max() < 1


def test_what_whole_parts_do_not_allow_is_said():
    counts = np.array([[90, 0], [5, 0], [5, 0], *[[0, 10]] * 10])
    side = divide(counts, SHARES)
    found = find_unbalanced(counts, side, SHARES, ("train", "val", "test"), ("ok", "bad"))
    assert {(u.split, u.label, u.of) for u in found} == {
        ("train", "ok", "photos"),
        ("val", "ok", "photos"),
        ("test", "ok", "photos"),
        ("train", "ok", "parts"),
        ("val", "ok", "parts"),
        ("test", "ok", "parts"),
    }
    (train,) = (u for u in found if (u.split, u.of) == ("train", "photos"))
    assert train.to_json() == {
        "split": "train",
        "class": "ok",
        "of": "photos",
        "wanted": 0.64,
        "got": 0.9,
        "reason": "3 parts of 5 to 90 photos; a part stays whole",
    }
    assert train.in_words() == (
        "train has 90% of the photos of 'ok', wanted 64% (3 parts of 5 to 90 photos; a part stays whole)"
    )


def test_parts_with_photos_of_several_classes_are_named_as_a_reason():
    counts = np.array([[7, 1]] * 4)
    side = np.array([0, 0, 0, 1])
    (found,) = (
        u
        for u in find_unbalanced(counts, side, (0.9, 0.1), "ab", ("ok", "bad"))
        if (u.split, u.label, u.of) == ("b", "bad", "parts")
    )
    assert found.reason == "4 parts of 1 photo, 4 of them with photos of other classes; a part stays whole"
