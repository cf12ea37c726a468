"""The icons that a phone shows for the installed page: the two ends of a go/no-go gauge."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw

SIZES = (192, 512)
GROUND, GOOD, BAD, BAR = (21, 23, 26), (70, 176, 121), (232, 92, 80), (165, 170, 178)
SMOOTH = 4  # drawn so many times larger, then reduced


def icon(size: int) -> bytes:
    """Return a square PNG; everything that matters lies in its inner 80 %, so that a phone may cut it to any shape.

    Args:
        size: pixels of a side.
    """
    unit = size * SMOOTH / 100
    image = Image.new("RGB", (size * SMOOTH, size * SMOOTH), GROUND)
    draw = ImageDraw.Draw(image)

    def box(left: float, top: float, right: float, bottom: float, colour: tuple[int, int, int]) -> None:
        corners = tuple(round(side * unit) for side in (left, top, right, bottom))
        draw.rounded_rectangle(corners, 3 * unit, colour)

    box(38, 46, 62, 54, BAR)
    box(15, 36, 41, 64, GOOD)
    box(59, 36, 85, 64, BAD)
    buffer = io.BytesIO()
    image.resize((size, size), Image.Resampling.LANCZOS).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
