"""The guarantee by simulation, in a few hundred draws; `benchmarks/coverage.py` has the whole table."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import numpy as np
import pytest

from tests.helpers import REPOSITORY

DRAWS = 300


@pytest.fixture(scope="module")
def coverage() -> ModuleType:
    """The benchmark's own functions."""
    folder = REPOSITORY / "benchmarks"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        spec = importlib.util.spec_from_file_location("coverage_benchmark", folder / "coverage.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        yield module


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("photos", ["1", "1-30"])
def test_a_promise_is_broken_in_at_most_one_draw_of_twenty(coverage: ModuleType, which: int, photos: str):
    row = coverage.simulate(coverage.SCORES[which], photos, 100, 0.05, DRAWS, seed=which)
    assert row.interval(row.by_parts)[0] <= 0.05
    if photos != "1":
        assert row.interval(row.by_photos)[0] > 0.15, "counting photos should fail"
        assert row.by_photos_parts > 0.25


def test_what_too_few_parts_prove_instead_holds_too(coverage: ModuleType):
    row = coverage.simulate(coverage.SCORES[0], "1-8", 40, 0.01, DRAWS)
    assert row.interval(row.by_parts)[0] <= 0.05


@pytest.mark.parametrize("which", [0, 1, 2])
def test_the_true_rates_are_those_of_a_very_large_sample(coverage: ModuleType, which: int):
    scores, rng, n = coverage.SCORES[which], np.random.default_rng(9), 20_000
    sizes = rng.integers(1, 31, size=n)
    owner = np.repeat(np.arange(n), sizes)
    odds = scores.parts(rng, n)[owner] + rng.normal(0, scores.scatter, len(owner))
    defect = np.float32(1) - scores.probs(odds)[:, 1]
    thresholds = np.array([0.2, 0.5, 0.8])
    parts, photos = coverage.true_rates(scores, "1-30", thresholds)
    for threshold, part_rate, photo_rate in zip(thresholds, parts, photos, strict=True):
        below = defect < np.float32(threshold)
        missed = np.bincount(owner, weights=below, minlength=n) > 0
        assert missed.mean() == pytest.approx(part_rate, abs=4 * np.sqrt(part_rate / n))
        assert below.mean() == pytest.approx(photo_rate, abs=6 * np.sqrt(photo_rate / n))


def test_the_interval_of_a_measured_rate_holds_the_true_one_on_unequal_parts(coverage: ModuleType):
    held, as_parts, as_photos = coverage.held_intervals(lambda _, n: np.where(np.arange(n) % 10 == 0, 30, 1), 60, DRAWS)
    assert held >= 0.95
    assert as_photos < as_parts < 0.95
