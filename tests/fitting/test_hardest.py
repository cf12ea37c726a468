"""The defective part that decides where the threshold lies."""

from __future__ import annotations

import numpy as np
import pytest

from gonogo.fitting.hardest import hardest_part


def scored(parts: int, lowest: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One photo each of so many defective parts, all at .9 but the last; 100 good ones, evenly from 0 to .99."""
    scores = np.concatenate([np.full(parts - 1, 0.9), [lowest], np.arange(100) / 100])
    return scores, np.arange(parts + 100) < parts, np.arange(parts + 100)


def test_a_part_far_below_the_others_is_named_with_what_would_help():
    found = hardest_part(*scored(152, 0.3), rate=0.02, confidence=0.95)
    assert found is not None
    assert (found.place, found.parts) == (151, 152)
    assert (found.lost, found.spared) == (pytest.approx(0.7), pytest.approx(0.1))
    # One miss in 236 parts proves 2 % with 95 % confidence, in 235 it does not (binomial tail).
    assert found.needed == 236


@pytest.mark.parametrize(("parts", "lowest"), [(152, 0.88), (100, 0.3)])
def test_nothing_is_said_where_the_next_costs_as_much_or_so_few_parts_prove_nothing(parts: int, lowest: float):
    assert hardest_part(*scored(parts, lowest), rate=0.02, confidence=0.95) is None


def test_every_photo_of_a_part_counts():
    scores, defective, codes = scored(152, 0.3)
    codes[151] = 0  # the photo that is hardest to tell is another one of the first part
    found = hardest_part(scores, defective, codes, rate=0.02, confidence=0.95)
    assert found is not None
    assert (found.place, found.parts) == (151, 151)
