"""Pictures inside a page: no larger than shown, exact where pixels matter, and in the right colours."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gonogo.audit.inspection import Inspection, inspect
from gonogo.data.formats import read_dataset
from gonogo.data.task import Task
from gonogo.report.pictures import Album, encode, map_picture, reduced, shown_size
from tests.helpers import noise, write_deep, write_photos


def opened(uri: str) -> Image.Image:
    head, _, data = uri.partition(",")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert head == f"data:image/{str(image.format).lower()};base64"
    return image


def inspected(folder: Path) -> Inspection:
    manifest = read_dataset(folder)
    return inspect(manifest, Task(manifest.classes, None))


@pytest.mark.parametrize(
    ("photo", "shown"),
    [
        ((300, 300), (220, 220)),
        ((200, 200), (220, 220)),
        ((500, 1260), (135, 340)),
        ((2000, 200), (340, 34)),
        ((4000, 3000), (254, 191)),
        ((32, 32), (192, 192)),
        ((64, 64), (192, 192)),
        ((1, 1), (220, 220)),
        ((1, 5000), (1, 340)),
    ],
)
def test_photos_are_shown_about_equally_large(photo: tuple[int, int], shown: tuple[int, int]):
    assert shown_size(*photo) == shown


def test_pixels_are_kept_where_they_matter_and_small_elsewhere():
    pixels = noise(40, 30)
    assert np.array_equal(np.asarray(opened(encode(pixels, exact=True))), pixels[:, :, 0])
    assert opened(encode(pixels)).format == "JPEG"
    known = np.zeros((40, 30), dtype=bool)
    known[:, 10:] = True
    image = opened(encode(noise(40, 30, 3), known))
    assert (image.format, image.mode) == ("WEBP", "RGBA")
    assert np.array_equal(np.asarray(image)[:, :, 3] == 255, known)
    assert opened(encode(pixels, np.ones((40, 30), dtype=bool))).format == "JPEG"


def test_a_small_photo_is_not_enlarged_and_a_large_one_is_the_mean_of_its_areas():
    pixels = noise(40, 30)
    assert reduced(pixels, 60, 80) is pixels
    halved = reduced(pixels, 15, 20)
    assert halved.shape == (20, 15, 1)
    assert np.abs(halved[:, :, 0] - pixels[:, :, 0].reshape(20, 2, 15, 2).mean(axis=(1, 3))).max() <= 1


def test_photos_come_grey_colour_or_deep(tmp_path: Path):
    write_photos(tmp_path, {"a": 2})
    Image.fromarray(noise(500, 400, 3)).save(tmp_path / "a" / "colour.png")
    (tmp_path / "b").mkdir()
    write_deep(tmp_path / "b" / "deep.png", 60, peak=4095)
    seen = inspected(tmp_path)
    album = Album(seen)
    places = {Path(path).name: index for index, path in enumerate(seen.paths)}
    assert album.photo(places["000.png"]).pixels.shape == (24, 20, 1)
    colour = album.photo(places["colour.png"])
    assert colour.size == (400, 500)
    assert colour.pixels.shape[2] == 3
    assert 300 < max(colour.pixels.shape) < 400
    deep = album.photo(places["deep.png"]).pixels
    assert deep.max() == 255, "12 bits become 8, not white"
    assert 100 < deep.mean() < 155
    picture = album.picture(places["000.png"])
    assert picture.coarse
    assert opened(picture.uri).size == (20, 24)
    thumbnail = album.thumbnail(places["colour.png"], 72)
    assert (thumbnail.width, thumbnail.height) == (58, 72)
    assert opened(thumbnail.uri).size == (87, 108)


def test_a_plain_map_runs_from_black_to_white():
    values = np.linspace(-3, 5, 48, dtype=np.float32).reshape(6, 8)
    drawn = map_picture(values, signed=False)
    pixels = np.asarray(opened(drawn.picture.uri)).astype(int)
    assert (drawn.low, drawn.high) == (-3, 5)
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert (np.diff(pixels.ravel()) > 0).all()
    ramp = np.asarray(opened(drawn.ramp)).astype(int)[0]
    assert (np.diff(ramp) > 0).all()


def test_a_signed_map_is_blue_below_zero_and_red_above_and_pale_at_it():
    drawn = map_picture(np.float32([[-2, -1, 0, 0.5, 1]]), signed=True)
    assert (drawn.low, drawn.high) == (-2, 2)
    red, _, blue = np.asarray(opened(drawn.picture.uri)).astype(int)[0].T
    assert (red[:2] < blue[:2]).all()
    assert (red[3:] > blue[3:]).all()
    assert min(red[2], blue[2]) > 235


@pytest.mark.parametrize("signed", [False, True])
def test_maps_with_holes_or_one_value_are_drawn(signed: bool):
    values = np.full((150, 120), 2, dtype=np.float32)
    values[:30] = np.nan
    values[-1, -1] = np.inf
    drawn = map_picture(values, signed=signed)
    alpha = np.asarray(opened(drawn.picture.uri))[:, :, 3]
    assert (alpha[:30] == 0).all()
    assert (alpha[31:-1] == 255).all()
    nothing = map_picture(np.full((3, 3), np.nan, dtype=np.float32), signed=signed)
    assert (np.asarray(opened(nothing.picture.uri))[:, :, 3] == 0).all()
