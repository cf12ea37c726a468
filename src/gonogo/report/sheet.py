"""The contact sheet: photos, their heat maps and what was answered, worst first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gonogo.data.images import as_image
from gonogo.files import atomic_file
from gonogo.gauge.region import HeatGrid
from gonogo.report.heat import overlay
from gonogo.types import Float32Array, UInt8Array

TILE = 220
GAP = 18
CAPTION = 44
HEADER = 74
COLUMNS = 3
PAPER, INK, MUTED = (250, 250, 248), (28, 30, 33), (110, 114, 120)
RED, AMBER, GREEN = (196, 30, 40), (201, 120, 0), (38, 130, 80)
COLOURS = {"escape": RED, "overkill": AMBER, "wrong": RED, "right": GREEN, "no-go": RED, "review": AMBER, "go": GREEN}


@dataclass(frozen=True)
class Tile:
    """One photo of the sheet.

    Attributes:
        pixels: (H, W, C) uint8 camera pixels.
        heatmap: (h, w), or None.
        kind: "escape", "overkill", "wrong" (sorting) or "right"; or a verdict.
        title: first line under it.
        detail: second line under it.
    """

    pixels: UInt8Array
    heatmap: Float32Array | None
    kind: str
    title: str
    detail: str


def draw_sheet(tiles: Sequence[Tile], grid: HeatGrid, title: str, subtitle: str) -> Image.Image:
    """Draw photo and heat map side by side for every tile.

    Args:
        tiles: at least one.
        grid: where the maps lie on the photos.
        title: first line.
        subtitle: second line.
    """
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    height = _scaled(tiles[0].pixels.shape)[1]
    cell = (2 * TILE + 4 + GAP, height + CAPTION + GAP)
    width = max(columns * cell[0] + GAP, 3 * TILE)
    sheet = Image.new("RGB", (width, HEADER + rows * cell[1] + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, 14), _fit(draw, title, _font(22), width - 2 * GAP), INK, _font(22))
    draw.text((GAP, 44), _fit(draw, subtitle, _font(14), width - 2 * GAP), MUTED, _font(14))
    scale = _heat_scale(tiles)
    for index, tile in enumerate(tiles):
        left = GAP + index % columns * cell[0]
        _draw_tile(sheet, draw, tile, grid, scale, (left, HEADER + index // columns * cell[1]))
    return sheet


def save_sheet(sheet: Image.Image, path: Path) -> None:
    """Write the picture as PNG, by rename."""
    with atomic_file(path) as temporary:
        sheet.save(temporary, format="PNG")


def _draw_tile(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    tile: Tile,
    grid: HeatGrid,
    scale: float,
    corner: tuple[int, int],
) -> None:
    left, top = corner
    size = _scaled(tile.pixels.shape)
    pictures = [as_image(tile.pixels).convert("RGB")]
    if tile.heatmap is not None:
        pictures.append(overlay(tile.pixels, tile.heatmap, grid, scale))
    for place, picture in enumerate(pictures):
        sheet.paste(picture.resize(size, Image.Resampling.LANCZOS), (left + place * (TILE + 4), top))
    colour = COLOURS[tile.kind]
    below = top + size[1]
    draw.rectangle((left, below + 3, left + 2 * TILE + 3, below + 6), colour)
    draw.text((left, below + 10), _fit(draw, tile.title, _font(15), 2 * TILE), colour, _font(15))
    draw.text((left, below + 29), _fit(draw, tile.detail, _font(12), 2 * TILE), MUTED, _font(12))


def _heat_scale(tiles: Sequence[Tile]) -> float:
    """One scale for the whole sheet, so that a weak map looks weak; a few extreme places do not set it."""
    peaks = [float(tile.heatmap.max()) for tile in tiles if tile.heatmap is not None]
    return max(1.0, float(np.median(peaks))) if peaks else 1.0


def _scaled(shape: tuple[int, ...]) -> tuple[int, int]:
    """Width and height of a drawn photo; tall ones are not shown taller than twice the tile."""
    height = round(TILE * shape[0] / shape[1])
    return (TILE, height) if height <= 2 * TILE else (max(1, round(2 * TILE * shape[1] / shape[0])), 2 * TILE)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _fit(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Shorten a text in its middle until it fits."""
    if draw.textlength(text, font) <= width:
        return text
    keep = len(text)
    while keep > 8 and draw.textlength(text[: keep // 2] + "..." + text[-(keep // 2) :], font) > width:
        keep -= 2
    return text[: keep // 2] + "..." + text[-(keep // 2) :]
