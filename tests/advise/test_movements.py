"""What photos of one part differ by, from copies whose movement is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gonogo.advise.movements import ANY_ANGLE, REACH, lights, movements
from gonogo.audit.copies.find import Copies, CopyPair
from gonogo.train.prepare import prepare_folds
from gonogo.types import Float64Array
from tests.helpers_traps import BY_NAME, darker, write_trap

SIDE = 101
PARTS, EACH = 12, 40


def pair(i: int, j: int, angle: float, *, scale: float = 1.0, shift: float = 0.0, mirrored: bool = False) -> CopyPair:
    """Return photo j laid over photo i: mirrored, scaled, turned around the middle and moved to the right."""
    c, s = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    linear = np.array([[c, -s], [s, c]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    middle = np.full(2, (SIDE - 1) / 2)
    offset = middle - linear @ middle + [shift * SIDE, 0]
    return CopyPair(i, j, 1.0, np.hstack([linear, offset[:, None]]), mirrored)


def copies_with(
    limit: float, *, mirrored: bool = False, scale: float = 0.0, shift: float = 0.0, seed: int = 0
) -> Copies:
    """Return pairs of photos of several parts, each photo changed by its own even draw within the limits."""
    rng = np.random.default_rng(seed)
    pairs, groups = [], []
    for part in range(PARTS):
        for k in range(EACH):
            first, second = rng.uniform(-1, 1, (2, 3))
            turn = limit * (first[0] - second[0])
            ratio = (1 + scale * first[1]) / (1 + scale * second[1])
            number = part * 2 * EACH + 2 * k
            flip = mirrored and k % 2 == 0
            moved = shift * (first[2] - second[2])
            pairs.append(pair(number, number + 1, turn, scale=ratio, shift=moved, mirrored=flip))
            groups += [part, part]
    return Copies(tuple(pairs), np.array(groups), np.ones(len(groups)))


SIZES = np.full((2 * PARTS * EACH, 2), SIDE)


@pytest.mark.parametrize("limit", [5.0, 20.0, 60.0])
def test_the_limit_of_two_even_draws_is_found_again(limit: float):
    found = movements(copies_with(limit), SIZES)["rotate_degrees"]
    assert found.limit == pytest.approx(limit, rel=0.12)
    # Half of the differences of two even draws are beyond (2 - sqrt(2)) times the limit.
    assert found.typical == pytest.approx((2 - 2**0.5) * limit, rel=0.15)
    assert (found.pairs, found.parts) == (PARTS * EACH, PARTS)


def test_any_angle_is_said_to_be_any_angle():
    found = movements(copies_with(180.0), SIZES)
    assert found["rotate_degrees"].limit == 180.0
    assert found["rotate_degrees"].typical == pytest.approx(90, abs=15)
    assert pytest.approx(139.8, abs=0.1) == ANY_ANGLE


def test_scale_and_shift_are_found_again_and_nothing_else():
    found = movements(copies_with(0.0, scale=0.1, shift=0.05), SIZES)
    assert found["scale_percent"].limit == pytest.approx(10, rel=0.15)
    assert found["shift_percent"].limit == pytest.approx(5, rel=0.15)
    for key in ("rotate_degrees", "shear_degrees", "hflip", "vflip"):
        assert not found[key].is_shown, key


def test_a_mirror_is_told_from_the_one_upside_down():
    upright = movements(copies_with(10.0, mirrored=True), SIZES)
    assert (upright["hflip"].limit, upright["vflip"].limit) == (1.0, 0.0)
    assert upright["hflip"].typical == 0.5
    assert upright["rotate_degrees"].limit == pytest.approx(10, rel=0.15)  # of the pairs that are not mirrored
    turned = movements(copies_with(180.0, mirrored=True), SIZES)
    assert (turned["hflip"].limit, turned["vflip"].limit) == (1.0, 1.0)


def test_what_few_parts_show_is_an_accident():
    found = copies_with(60.0)
    few = Copies(found.pairs[: 4 * EACH], found.groups, found.confidence)
    assert not movements(few, SIZES)["rotate_degrees"].is_shown
    assert movements(Copies((), found.groups, found.confidence), SIZES) == {}


def test_the_reach_is_that_of_a_triangle():
    draws = np.random.default_rng(0).uniform(-1, 1, (2, 200_000))
    assert np.percentile(np.abs(draws[0] - draws[1]), 95) == pytest.approx(REACH, abs=0.01)


def test_light_is_compared_between_parts_of_one_class(tmp_path: Path):
    write_trap(tmp_path / "photos", darker, parts=40)
    prepared, _ = prepare_folds(tmp_path / "photos", BY_NAME, 2, [0], default_colour="grey")
    found = lights(prepared)["brightness_levels"]
    # Parts scatter by 4 grey levels around their class, and the classes, 25 apart, play no part in it.
    expected = 1.96 * 4 * 2**0.5
    assert found.limit * REACH == pytest.approx(expected, rel=0.3)
    assert (found.parts, found.pairs, found.among) == (80, 2 * 40 * 39 // 2, "parts of one class")


def test_one_light_for_all_is_no_variation(tmp_path: Path):
    def draw(rng: np.random.Generator, defective: bool) -> Float64Array:
        return 100.0 + 60 * defective + rng.integers(0, 2, (64, 64))

    folder = write_trap(tmp_path / "photos", draw, parts=6)
    prepared, _ = prepare_folds(folder, BY_NAME, 2, [0], default_colour="grey")
    assert not any(own.is_shown for own in lights(prepared).values())
