"""Two photos laid over each other: where, how light, how alike, and how it is said."""

from __future__ import annotations

from math import cos, radians, sin

import cv2
import numpy as np
import pytest

from gonogo.data.synthetic import render_photo
from gonogo.report.overlay import lay_over, movement
from gonogo.report.pictures import SmallPhoto, reduced
from tests.helpers import noise

SIZE = 300


def small(photo: np.ndarray, side: int | None = None) -> SmallPhoto:
    pixels = photo if photo.ndim == 3 else photo[:, :, None]
    return SmallPhoto(reduced(pixels, side, side) if side else pixels, pixels.shape[1::-1])


def turned(degrees: float, scale: float = 1.0, mirrored: bool = False, shift: tuple[float, float] = (0, 0)):
    """Return the map (2, 3) that turns a photo clockwise about its middle."""
    a, middle = radians(degrees), np.full(2, (SIZE - 1) / 2)
    linear = scale * np.array([[cos(a), -sin(a)], [sin(a), cos(a)]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    return np.column_stack([linear, middle + shift - linear @ middle])


def inverse(matrix: np.ndarray) -> np.ndarray:
    return np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]


def plant(photo: np.ndarray, matrix: np.ndarray, fill: int = 0) -> np.ndarray:
    return cv2.warpAffine(photo, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderValue=fill)


def alike(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> float:
    return float(np.corrcoef(one[where].ravel(), other[where].ravel())[0, 1])


@pytest.fixture(scope="module")
def casting() -> np.ndarray:
    return render_photo(3, 0, size=SIZE, defective=True, difficulty=0.2)[0]


@pytest.mark.parametrize("degrees", [37, 90, 143, -95])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_turned_copy_lies_on_its_original(casting: np.ndarray, degrees: float, mirrored: bool):
    moves = turned(degrees, 1.06, mirrored, (9, -14))
    light = np.linspace(0.6, 1.1, SIZE)[None]
    copy = np.clip(plant(casting, moves) * light, 0, 255).astype(np.uint8)
    over = lay_over(small(casting), small(copy), inverse(moves))
    everywhere = np.ones((SIZE, SIZE), dtype=bool)
    assert alike(casting[:, :, None], over.laid, over.known) > 0.9
    assert alike(casting[:, :, None], over.laid, over.known) > alike(casting, copy, everywhere) + 0.05
    assert over.correlation is not None
    assert over.correlation > 0.8
    assert 0.75 < over.overlap < 1
    difference = np.abs(casting[:, :, None].astype(float) - over.laid)[over.known].mean()
    assert difference < 6, "the copy is lit like the original"


def test_the_map_is_that_of_the_photos_themselves_though_the_page_holds_small_ones(casting: np.ndarray):
    moves = turned(37, mirrored=True)
    large, copy = small(casting, 150), small(plant(casting, moves), 120)
    over = lay_over(large, copy, inverse(moves))
    assert over.laid.shape == (150, 150, 1)
    assert alike(large.pixels, over.laid, over.known) > 0.95


def test_another_photo_does_not_correlate(casting: np.ndarray):
    other = render_photo(8, 0, size=SIZE)[0]
    surface = cv2.GaussianBlur(noise(SIZE, SIZE, seed=1), (0, 0), 2)
    over = lay_over(small(casting), small(other), turned(0))
    assert over.correlation is not None
    assert over.correlation < 0.7
    assert abs(lay_over(small(surface), small(np.rot90(surface)), turned(0)).correlation or 0) < 0.1


def test_what_the_second_photo_does_not_show_stays_open(casting: np.ndarray):
    over = lay_over(small(casting), small(casting), np.array([[1.0, 0, 90], [0, 1, 0]]))
    assert over.overlap == pytest.approx(0.7, abs=0.01)
    assert not over.known[:, :89].any()
    assert over.known[:, 91:].all()
    red, _, blue = np.moveaxis(over.squares.astype(int), 2, 0)
    assert np.array_equal(red[:, :89], blue[:, :89]), "there the first photo stands alone, untinted"
    apart = lay_over(small(casting), small(casting), np.array([[1.0, 0, 900], [0, 1, 0]]))
    assert (apart.overlap, apart.correlation) == (0, None)


def test_every_second_square_is_the_second_photo():
    dark, light = np.full((60, 60, 1), 20, np.uint8), noise(60, 60)
    over = lay_over(small(light), small(light), np.eye(2, 3))
    blue = over.squares[:, :, 2].astype(int) - over.squares[:, :, 0]
    assert (blue[:10, :10] == 0).all()
    assert (blue[:10, 10:20] > 10).all()
    assert (blue[10:20, :10] > 10).all()
    assert 0.45 < (blue > 10).mean() < 0.55
    flat = lay_over(small(dark), small(light), np.eye(2, 3))
    assert flat.correlation is None


def test_a_dull_pair_is_shown_with_more_contrast():
    dull = (120 + noise(90, 90).astype(int) // 12).astype(np.uint8)
    over = lay_over(small(dull), small(dull), np.eye(2, 3))
    assert over.raised == 4
    assert np.array_equal(over.laid, dull), "but lies there as it is"
    assert over.squares[:, :, 0].std() > 3 * dull.std()
    assert lay_over(small(noise(90, 90)), small(noise(90, 90)), np.eye(2, 3)).raised == 1


def test_a_grey_photo_lies_on_a_colour_one():
    colour = noise(40, 40, 3)
    over = lay_over(small(colour), small(colour[:, :, :1]), np.eye(2, 3))
    assert over.laid.shape == (40, 40, 3)
    over = lay_over(small(colour[:, :, :1]), small(colour), np.eye(2, 3))
    assert over.squares.shape == (40, 40, 3)


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.eye(2, 3), "not moved"),
        (turned(37), "turned 37° clockwise"),
        (turned(-90), "turned 90° anticlockwise"),
        (turned(180), "upside down"),
        (turned(0, mirrored=True), "mirrored"),
        (turned(20, mirrored=True), "mirrored, turned 20° clockwise"),
        (turned(0, 1.08), "enlarged by 8 %"),
        (turned(5, 0.9), "turned 5° clockwise, reduced by 10 %"),
        (turned(0, shift=(12, -30)), "shifted by 12 px right and 30 px up"),
        (turned(0, shift=(-12, 0)), "shifted by 12 px left"),
        (turned(0.2, 1.001, shift=(1, 1)), "not moved"),
    ],
)
def test_a_movement_is_said_in_words(matrix: np.ndarray, words: str):
    assert movement(matrix, (SIZE, SIZE), (SIZE, SIZE)) == words
