"""Where a threshold lies between two probabilities, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from gonogo.evaluate.thresholds import NEVER, Cuts, above, at_most, between


def test_the_middle_is_that_of_log_odds():
    assert between(0.1, 0.9) == pytest.approx(0.5)
    assert between(0.001, 0.1) == pytest.approx(1 / (1 + np.sqrt(999 * 9)))
    assert between(None, None) == 0.5


ONE, EPS = np.float32(1), np.float32(2**-24)


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        (0.5, float(np.nextafter(np.float32(0.5), ONE))),
        (0.0, 1e-12),
        (1e-9, 1e-8),
        (float(ONE - EPS), 1.0),
        (0.0, 1.0),
        (None, 0.0),
        (None, 1e-9),
        (1.0, None),
        (float(ONE - EPS), None),
    ],
)
def test_a_threshold_is_on_the_right_side_of_both_in_float32(lower: float | None, upper: float | None):
    threshold = np.float32(between(lower, upper))
    assert lower is None or threshold > np.float32(lower)
    assert upper is None or threshold <= np.float32(upper)


def test_nothing_reaches_never():
    assert np.float32(NEVER) > ONE
    assert between(1.0, None) == NEVER


def test_at_most_and_above_lie_in_the_gap_beside_a_probability():
    probs = np.array([0.1, 0.1, 0.4, 0.8], dtype=np.float32)
    assert 0.1 < at_most(float(probs[2]), probs) < 0.4
    assert 0.4 < above(float(probs[2]), probs) < 0.8
    assert at_most(float(probs[0]), probs) < 0.1
    assert above(float(probs[3]), probs) > 0.8


def test_cuts_count_what_is_on_the_wrong_side():
    cuts = Cuts(np.array([0.9, 0.2, 0.4, 0.4], dtype=np.float32), np.array([True, False, True, False]))
    assert cuts.escapes.tolist()[:2] == [0, 0]
    assert cuts.escapes.tolist()[3:] == [1, 2]
    assert cuts.overkills.tolist()[:2] == [2, 1]
    assert cuts.overkills.tolist()[3:] == [0, 0]
    assert cuts.gaps[2] == 0  # within the two of 0.4


def test_a_cut_inside_equal_probabilities_is_never_taken():
    cuts = Cuts(np.array([0.4, 0.4, 0.6], dtype=np.float32), np.array([False, True, True]))
    assert cuts.best(np.array([1.0, 0.0, 0.5, 1.0])) == 2


def test_the_narrowest_of_equal_bands_is_taken():
    cuts = Cuts(np.array([0.2, 0.4, 0.6], dtype=np.float32), np.array([False, True, True]))
    assert cuts.best_pair(np.zeros(4), np.zeros(4))[0] == cuts.best_pair(np.zeros(4), np.zeros(4))[1]
    assert cuts.best_pair(np.array([0.0, 1, 1, 1]), np.array([1.0, 1, 1, 0])) == (0, 3)
    # The lower cut is never above the upper one, however good it would be there.
    assert cuts.best_pair(np.array([1.0, 1, 1, 0]), np.array([0.0, 1, 1, 1])) in ((0, 0), (3, 3))
