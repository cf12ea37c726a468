"""The box around the hottest place, in camera pixels."""

from __future__ import annotations

import numpy as np
import pytest

from gonogo.gauge.region import HeatGrid
from tests.helpers import grey_geometry, stretched


def heat(rows: int, columns: int, **cells: float) -> np.ndarray:
    values = np.full((rows, columns), -1, dtype=np.float32)
    for place, value in cells.items():
        values[int(place[1]), int(place[2])] = value
    return values


def test_cells_are_scaled_to_the_camera():
    # 5x5 cells of 20 pixels each; row 1 and 2 of column 3 reach half of the peak
    found = stretched(grey_geometry(100, 100), 5).hot_region(heat(5, 5, _13=2.0, _23=1.0, _33=0.9))
    assert found == (60, 20, 20, 40)


def test_crop_and_reduction_are_added():
    geometry = grey_geometry(100, 100, crop=(10, 30, 60, 60), reduce=3)
    assert stretched(geometry, 5).hot_region(heat(5, 5, _00=1.0)) == (10, 30, 12, 12)


def test_a_second_hot_place_that_is_not_joined_is_left_out():
    found = stretched(grey_geometry(40, 40), 4).hot_region(heat(4, 4, _00=2.0, _33=1.9, _11=1.9))
    assert found == (0, 0, 10, 10)


def test_a_bent_place_is_followed():
    found = stretched(grey_geometry(40, 40), 4).hot_region(heat(4, 4, _00=2.0, _01=1.5, _11=1.5, _21=1.5))
    assert found == (0, 0, 20, 30)


@pytest.mark.parametrize("peak", [0.0, -0.5])
def test_nothing_above_zero_is_no_place(peak: float):
    assert stretched(grey_geometry(30, 30), 3).hot_region(heat(3, 3, _11=peak)) is None


def test_a_strided_map_lies_where_its_cells_look():
    # Cells look at input pixels 0, 4, 8, 12; each reaches two pixels either way, and a pixel is 3 camera pixels.
    grid = HeatGrid(grey_geometry(48, 48, reduce=3), stride=4.0, first=0.0)
    assert grid.edges(4).tolist() == [-4.5, 7.5, 19.5, 31.5, 43.5]
    assert grid.hot_region(heat(4, 4, _21=1.0)) == (8, 20, 12, 12)


def test_the_box_ends_with_the_crop():
    grid = HeatGrid(grey_geometry(48, 48, crop=(10, 10, 30, 30)), stride=8.0, first=0.0)
    assert grid.hot_region(heat(4, 4, _00=1.0)) == (10, 10, 4, 4)
    assert grid.hot_region(heat(5, 5, _44=1.0)) == (38, 38, 2, 2)
