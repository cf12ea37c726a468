"""From camera pixels to network input, checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from gonogo.data.geometry import Geometry, parse_crop
from gonogo.errors import DataError, UsageError
from tests.helpers import grey_geometry, noise


def test_blocks_become_their_mean_rounded_half_up():
    pixels = np.array([[0, 1, 10, 20, 9], [0, 1, 30, 41, 9], [7, 7, 7, 7, 7]], dtype=np.uint8)[None, ..., None]
    # means 0.5 and 25.25; the last row and column fill no block
    assert grey_geometry(3, 5, reduce=2).apply(pixels)[0, :, :, 0].tolist() == [[1, 25]]


def test_the_crop_is_cut_before_the_blocks():
    pixels = np.arange(36, dtype=np.uint8).reshape(1, 6, 6, 1)
    geometry = grey_geometry(6, 6, crop=(1, 2, 4, 4), reduce=4)
    expected = int(np.floor(pixels[0, 2:6, 1:5].mean() + 0.5))
    assert geometry.apply(pixels).tolist() == [[[[expected]]]]
    assert geometry.input_size == (1, 1)


def test_grey_levels_of_the_primary_colours():
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [1, 2, 3]]], dtype=np.uint8)[None]
    # .299, .587 and .114 of 255; white stays 255
    assert Geometry(1, 5, channels=3).apply(colours)[0, 0, :, 0].tolist() == [76, 150, 29, 255, 2]


def test_grey_is_taken_before_the_blocks_are_averaged():
    pixels = noise(4, 4, 3)[None]
    whole = Geometry(4, 4, channels=3).apply(pixels)
    reduced = Geometry(4, 4, channels=3, reduce=2).apply(pixels)
    assert np.array_equal(reduced, grey_geometry(4, 4, reduce=2).apply(whole))


def test_colour_keeps_its_channels_and_a_grey_camera_is_repeated_only_at_the_end():
    levels = {"mean": (1.0, 2.0, 3.0), "std": (2.0, 4.0, 8.0)}
    colour = Geometry(4, 6, channels=3, colour="rgb", **levels)
    grey = Geometry(4, 6, channels=1, colour="rgb", **levels)
    pixels = noise(4, 6, 3)[None]
    assert colour.apply(pixels).shape == (1, 4, 6, 3)
    assert grey.apply(pixels[..., :1]).shape == (1, 4, 6, 1)
    found = grey.normalise(pixels[..., :1])
    assert found.shape == (1, 3, 4, 6)
    assert found.dtype == np.float32
    assert np.array_equal(found[0, 2], (pixels[0, :, :, 0].astype(np.float32) - 3) / 8)


def test_discarded_pixels_are_reported():
    assert grey_geometry(10, 10).discarded == 0
    assert grey_geometry(10, 10, reduce=3).discarded == pytest.approx(0.19)
    assert grey_geometry(10, 10, crop=(0, 0, 5, 10)).discarded == pytest.approx(0.5)


def test_the_pixels_key_ignores_mean_and_std_only():
    first = grey_geometry(10, 10)
    assert first.pixels_key == first.with_statistics((1.0,), (2.0,)).pixels_key
    others = [{"reduce": 2}, {"crop": (0, 0, 10, 10)}, {"bit_depth": 12}, {"channels": 3}]
    assert len({first.pixels_key, *(grey_geometry(10, 10, **change).pixels_key for change in others)}) == 5


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"height": None}, "needs the camera's height and width"),
        ({"height": None, "width": None}, "or a crop"),
        ({"channels": 2}, "2 channels"),
        ({"colour": "gray"}, "gray"),
        ({"mean": (1.0, 2.0)}, "mean and std need 1 values"),
        ({"std": (0.0,)}, "every std above 0"),
        ({"reduce": 0}, "--reduce 0"),
        ({"reduce": 65}, "--reduce 65"),
        ({"reduce": 11}, "--reduce 11 leaves nothing"),
        ({"crop": (5, 0, 6, 10)}, "does not lie inside the 10x10 photo"),
        ({"crop": (-1, 0, 5, 5)}, "does not lie inside"),
        ({"crop": (0, 0, 0, 5)}, "does not lie inside"),
        ({"bit_depth": 99}, "99"),
        ({"bit_depth": 0}, "0"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, object], words: str):
    with pytest.raises(UsageError) as caught:
        Geometry(**({"height": 10, "width": 10} | values))  # type: ignore[arg-type]
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((10, 10, 1), dtype=np.float32), "float32"),
        (np.zeros((10, 10), dtype=np.uint8), r"shape \(10, 10\)"),
        (np.zeros((9, 10, 1), dtype=np.uint8), "10x9 pixels, expected 10x10"),
        (np.zeros((10, 10, 3), dtype=np.uint8), "3 channels, expected 1"),
    ],
)
def test_photos_that_do_not_fit_are_refused(pixels: np.ndarray, words: str):
    with pytest.raises(DataError, match=words):
        grey_geometry(10, 10).check(pixels)


def test_photos_of_any_size_need_only_hold_the_crop():
    geometry = Geometry(None, None, crop=(2, 3, 4, 5))
    geometry.check(noise(8, 6))
    geometry.check(noise(100, 50))
    assert geometry.discarded == 0
    with pytest.raises(DataError, match=r"5x8 pixels do not hold the crop 4x5\+2\+3"):
        geometry.check(noise(8, 5))


def test_crops_are_read_as_they_are_written():
    assert parse_crop("500x1240+0+10") == (0, 10, 500, 1240)
    assert parse_crop("50 X 40") == (0, 0, 50, 40)
    for text in ("", "5", "5x", "5x5+1", "5x5+1+2+3", "axb", "5.5x5"):
        with pytest.raises(UsageError, match="expected WIDTHxHEIGHT"):
            parse_crop(text)
