"""Intervals: exact where counts are small, whole parts where several photos show one."""

from __future__ import annotations

import numpy as np
import pytest

from gonogo.evaluate.intervals import bootstrap, clopper_pearson, clopper_pearson_many, share
from gonogo.types import Rate


def test_the_ends_of_the_scale_are_closed():
    assert clopper_pearson(0, 10)[0] == 0.0
    assert clopper_pearson(10, 10)[1] == 1.0
    # 1 - (alpha/2)**(1/n), by hand
    assert clopper_pearson(0, 10)[1] == pytest.approx(1 - 0.025**0.1, abs=1e-12)


def test_more_confidence_is_a_wider_interval():
    low, high = clopper_pearson(3, 20)
    lower, higher = clopper_pearson(3, 20, 0.99)
    assert lower < low < 0.15 < high < higher


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5), (float("nan"), 5)])
def test_impossible_counts_are_refused(successes: float, n: int):
    with pytest.raises(ValueError, match="expected 0 to n"):
        clopper_pearson(successes, n)


def test_photos_count_alone_where_no_parts_are_named():
    low, high = clopper_pearson(2, 8)
    assert share(np.array([True] * 2 + [False] * 6), None) == Rate(0.25, low, high, 8, "photos")


def test_photos_of_one_part_are_one_trial():
    hits = np.array([True] * 4 + [False] * 12)
    parts = [f"part {n // 4}" for n in range(16)]
    low, high = clopper_pearson(1, 4)
    assert share(hits, parts) == Rate(0.25, low, high, 4, "parts")
    alone = share(hits, None)
    assert high - low > alone.high - alone.low  # type: ignore[operator]


def test_parts_photographed_unequally_count_for_fewer_trials():
    # One part of five has 6 of the 10 photos: as few as 10**2 / (36 + 4) = 2.5 independent ones.
    parts = ["much photographed"] * 6 + ["a", "b", "c", "d"]
    hits = np.array([True] * 6 + [False] * 4)
    rate = share(hits, parts)
    assert (rate.n, rate.value) == (5, 0.6)
    assert (rate.low, rate.high) == clopper_pearson(1.5, 2.5)
    assert rate.low < clopper_pearson(3, 5)[0]


def test_intervals_of_many_shares_are_those_of_each():
    low, high = clopper_pearson_many(np.array([0, 0.5, 3, 10]), 10, 0.9)
    assert list(zip(low, high, strict=True)) == [clopper_pearson(hits, 10, 0.9) for hits in (0, 0.5, 3, 10)]


def test_nothing_to_count_is_said():
    assert share(np.array([], dtype=bool), None) == Rate(None, None, None, 0, "photos")
    assert share(np.array([], dtype=bool), []) == Rate(None, None, None, 0, "parts")


def test_the_bootstrap_holds_the_mean_s_own_error():
    values = np.random.default_rng(0).normal(5.0, 2.0, 400)
    rate = bootstrap(lambda i: float(values[i].mean()), 400, None, strata=np.zeros(400, dtype=np.int64))
    error = values.std() / 20
    assert rate.value == pytest.approx(values.mean())
    assert (rate.n, rate.unit) == (400, "photos")
    assert rate.value - rate.low == pytest.approx(1.96 * error, rel=0.15)
    assert rate.high - rate.value == pytest.approx(1.96 * error, rel=0.15)


def test_the_bootstrap_draws_whole_parts_within_their_class():
    parts = [f"p{n // 3}" for n in range(12)]
    strata = np.repeat([0, 1], 6)
    seen: set[tuple[int, ...]] = set()

    def statistic(indices: np.ndarray) -> float:
        seen.add(tuple(sorted(np.bincount(indices, minlength=12).reshape(4, 3).max(1) * 3)))
        counts = np.bincount(indices, minlength=12).reshape(4, 3)
        assert (counts == counts[:, :1]).all(), "a part was torn apart"
        assert counts[:2].sum() == counts[2:].sum() == 6, "a class changed its size"
        return 0.0

    rate = bootstrap(statistic, 12, parts, strata=strata, draws=50)
    assert (rate.n, rate.unit) == (4, "parts")
    assert len(seen) > 1


def test_a_figure_that_is_not_defined_has_no_interval():
    rate = bootstrap(lambda i: None, 3, None, strata=np.zeros(3, dtype=np.int64))
    assert rate == Rate(None, None, None, 3, "photos")


def test_the_bootstrap_is_the_same_every_time():
    values = np.arange(20.0)
    strata = np.zeros(20, dtype=np.int64)
    first, again, other = (
        bootstrap(lambda i: float(values[i].mean()), 20, None, strata=strata, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again != other
