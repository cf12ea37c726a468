"""Pictures: heat only where the map is above zero, and every photo on the sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gonogo.report.heat import colour_of, overlay
from gonogo.report.sheet import TILE, Tile, draw_sheet, save_sheet
from tests.helpers import grey_geometry, noise, stretched


def test_strength_runs_from_dark_to_light():
    colours = colour_of(np.linspace(0, 1, 50, dtype=np.float32))
    lightness = colours @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(lightness) > 0).all()
    assert colours.min() >= 0
    assert colours.max() <= 255
    assert np.array_equal(colour_of(np.float32([-3, 0])), colour_of(np.float32([0, 0])))


def test_the_photo_stays_as_it_was_where_nothing_is_hot():
    pixels = noise(40, 60)
    picture = overlay(pixels, np.full((4, 6), -1, dtype=np.float32), stretched(grey_geometry(40, 60), 6), 1.0)
    assert np.array_equal(np.asarray(picture), np.repeat(pixels, 3, axis=2))


def test_heat_lies_within_the_crop_and_at_its_cell():
    pixels = np.full((40, 60, 1), 100, dtype=np.uint8)
    heat = np.full((4, 4), -1, dtype=np.float32)
    heat[0, 3] = 2
    picture = np.asarray(overlay(pixels, heat, stretched(grey_geometry(40, 60, crop=(20, 8, 32, 32)), 4), 2.0)).astype(
        int
    )
    changed = np.abs(picture - 100).max(axis=2)
    y, x = np.unravel_index(changed.argmax(), changed.shape)
    assert 44 <= x < 52
    assert 8 <= y < 16
    assert changed[:, :20].max() == changed[:8].max() == changed[:, 52:].max() == 0


@pytest.mark.parametrize("count", [1, 3, 7])
def test_every_photo_is_on_the_sheet(count: int, tmp_path: Path):
    tiles = [Tile(np.full((50, 50, 1), 20 + n, dtype=np.uint8), None, "right", "t", "d") for n in range(count)]
    sheet = draw_sheet(tiles, stretched(grey_geometry(50, 50), 5), "a title " * 40, "subtitle")
    assert min(sheet.size) > TILE
    pixels = np.asarray(sheet.convert("RGB"))
    for n in range(count):
        assert (pixels == 20 + n).all(axis=2).sum() >= TILE * TILE * 0.9
    save_sheet(sheet, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as saved:
        assert saved.size == sheet.size
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


@pytest.mark.parametrize("shape", [(50, 400, 3), (1260, 60, 1)])
def test_wide_and_tall_photos_are_drawn_whole(shape: tuple[int, int, int]):
    pixels = noise(*shape)
    heat = np.ones((5, 5), dtype=np.float32)
    tile = Tile(pixels, heat, "escape", "t", "d")
    sheet = draw_sheet([tile, tile], stretched(grey_geometry(*shape[:2], channels=shape[2]), 5), "t", "s")
    assert sheet.size[0] >= 2 * TILE
    assert sheet.size[1] < 3 * TILE
