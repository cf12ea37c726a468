"""The light that comes off a part without defects: background, shadow, turned metal, recess, hub and bore.

Everything is composed from the back to the front at twice the photo's resolution. Lamps are looked up by the angle in
the photo, textures by the angle in the part: turning the part turns its marks but not its highlights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gonogo.data.synthetic.camera import LIGHT_STEPS, View, backdrop
from gonogo.data.synthetic.noise import Floats
from gonogo.data.synthetic.part import COLUMNS, REACH, ROWS, Part, Textures

OVERSAMPLE = 2  # rendered samples per photo pixel, along each side
_RING_DEPTH, _HUB_DEPTH, _FLOOR_DEPTH = 0.13, 0.11, 0.30  # depth of planes below the face, in face radii

Indices = NDArray[np.intp]
_MARGIN = 0.05  # how far parallax and soft borders can carry a layer beyond its own radii


@dataclass(eq=False)
class Canvas:
    """The picture while it is composed, or a band of it, and the polar coordinates of its samples.

    All arrays have one shape: (M, M) for the whole picture, (n,) for a band.

    Attributes:
        image: grey levels.
        x: horizontal coordinate in the face plane, in face radii, not turned with the part.
        y: vertical coordinate in the face plane.
        rho: distance from the centre of the face, in face radii.
        lamp: index of the sample's angle in tables fixed to the lamps.
        column: index of the sample's angle in tables fixed to the part.
        step: size of one sample in face radii.
    """

    image: Floats
    x: Floats
    y: Floats
    rho: Floats
    lamp: Indices
    column: Indices
    step: float

    @contextmanager
    def band(self, low: float, high: float) -> Iterator[Canvas]:
        """Give the samples between two radii to paint on; they go back into the picture when the block ends."""
        where = np.flatnonzero((self.rho > low) & (self.rho < high))
        image = self.image.reshape(-1)
        x, y, rho = (values.reshape(-1)[where] for values in (self.x, self.y, self.rho))
        lamp, column = self.lamp.reshape(-1)[where], self.column.reshape(-1)[where]
        band = Canvas(image[where], x, y, rho, lamp, column, self.step)
        yield band
        image[where] = band.image

    def plane(self, view: View, depth: float) -> Floats:
        """Return the distance from the centre in a plane `depth` below the face, as the camera sees it."""
        dx, dy = np.float32(view.pose.parallax[0] * depth), np.float32(view.pose.parallax[1] * depth)
        return np.asarray(np.sqrt((self.x - dx) ** 2 + (self.y - dy) ** 2), dtype=np.float32)

    def inside(self, distance: Floats, radius: float | Floats, soft: float = 1.0) -> Floats:
        """Return how much of each sample lies inside `radius`, 0 to 1; `soft` widens the border, in samples."""
        width = np.float32(self.step * soft)
        return np.asarray(((radius - distance) / width + np.float32(0.5)).clip(0, 1), dtype=np.float32)

    def paint(self, colour: float | np.float32 | Floats, cover: Floats) -> None:
        """Lay `colour` over the image where `cover` is 1."""
        self.image += cover * (colour - self.image)


def open_canvas(view: View, size: int) -> Canvas:
    """Return the canvas of a view with its background and the part's shadow painted."""
    samples = size * OVERSAMPLE
    back = np.linalg.inv(view.pose.matrix(size)).astype(np.float32)
    line = ((np.arange(samples) + 0.5) / OVERSAMPLE).astype(np.float32)
    dx, dy = (line - view.pose.centre[0] * size)[None, :], (line - view.pose.centre[1] * size)[:, None]
    x = back[0, 0] * dx + back[0, 1] * dy
    y = back[1, 0] * dx + back[1, 1] * dy
    rho = np.sqrt(x * x + y * y)
    lamp = _angle_index(x, y)
    offset = round(view.pose.turn * LIGHT_STEPS / (2 * math.pi))
    column = (((lamp - offset) & (LIGHT_STEPS - 1)) * COLUMNS) // LIGHT_STEPS
    step = 1.0 / (view.pose.radius * size * OVERSAMPLE)
    empty = np.zeros((samples, samples), dtype=np.float32)
    canvas = Canvas(empty, x, y, rho, lamp, column, step)
    sheet = backdrop(view, size) * (1 - _shadow(view, canvas))
    canvas.image[:] = np.repeat(np.repeat(sheet, OVERSAMPLE, axis=0), OVERSAMPLE, axis=1)
    return canvas


def _angle_index(x: Floats, y: Floats) -> Indices:
    turn = np.arctan2(y, x)
    turn *= np.float32(LIGHT_STEPS / (2 * math.pi))
    return np.asarray(turn.astype(np.intp) & (LIGHT_STEPS - 1), dtype=np.intp)


def _toward(view: View, x: Floats, y: Floats) -> Floats:
    return np.asarray(x * np.float32(math.cos(view.light)) + y * np.float32(math.sin(view.light)), dtype=np.float32)


def _shadow(view: View, canvas: Canvas) -> Floats:
    # One value per photo pixel is enough for a soft shadow: a contact shadow all around and a wide one on one side.
    x, y = canvas.x[::OVERSAMPLE, ::OVERSAMPLE], canvas.y[::OVERSAMPLE, ::OVERSAMPLE]
    rho = canvas.rho[::OVERSAMPLE, ::OVERSAMPLE]
    away = -_toward(view, x, y) / (rho + np.float32(1e-3))
    side = ((away + 0.35) / 1.35).clip(0, 1) ** 1.3
    out = (rho - 1.0).clip(0)
    wide = np.exp(-((out / (view.shadow_width * (0.35 + 1.2 * side))) ** 1.25))
    contact = np.exp(-out / 0.022)
    return np.asarray(view.shadow * side * wide + (0.26 + 0.1 * side) * contact * (1 - side * wide), dtype=np.float32)


def paint_part(canvas: Canvas, view: View, part: Part, textures: Textures) -> None:
    """Paint the whole part, from the face down to the bore."""
    facing = np.cos((np.arange(LIGHT_STEPS) + 0.5) * (2 * math.pi / LIGHT_STEPS) - view.light).astype(np.float32)
    with canvas.band(part.groove_out - 0.02, 1.02) as band:
        _paint_face(band, view, part, textures)
    with canvas.band(part.groove_out - 0.02, part.groove_out + 0.06) as band:
        _paint_lip(band, part, facing)
    with canvas.band(1 - 2.5 * part.chamfer, 1.02) as band:
        _paint_rim(band, part, textures, facing)
    with canvas.band(part.ring_in, part.groove_out + 0.03) as band:
        _paint_groove(band, view, part, textures, facing)
    with canvas.band(part.ring_in - _MARGIN, part.ring_out + _MARGIN) as band:
        _paint_ring(band, view, part, textures, facing)
    with canvas.band(part.hub_out - _MARGIN, part.ring_in + _MARGIN) as band:
        _paint_recess(band, view, part, textures)
    with canvas.band(part.bore - _MARGIN, part.hub_out + _MARGIN) as band:
        _paint_hub(band, view, part, textures, facing)
    with canvas.band(-1.0, part.bore + _MARGIN) as band:
        _paint_bore(band, view, part, textures)


def _cells(canvas: Canvas) -> Indices:
    # Flat index of each sample in the part's polar textures.
    row = np.minimum((canvas.rho * np.float32(ROWS / REACH)).astype(np.intp), ROWS - 1)
    return np.asarray(row * COLUMNS + canvas.column)


def metal(canvas: Canvas, view: View, part: Part, textures: Textures, level: float, depth: float) -> Floats:
    """Return the grey level of turned metal at every sample.

    Args:
        canvas: where to look.
        view: the lamps.
        part: the casting.
        textures: its marks.
        level: mean grey level.
        depth: how strongly the lamps' sectors show, 1 on the face.
    """
    cell = _cells(canvas)
    marks = textures.lines.ravel()[cell]
    # The marks bend the mirror a little, so the borders of the highlights come out as fine streaks.
    spot = (canvas.lamp + (marks * np.float32(LIGHT_STEPS * 0.0009)).astype(np.intp)) & (LIGHT_STEPS - 1)
    lamps = (level * (1 + depth * (view.lamps - 1))).astype(np.float32)
    glint = (part.line_contrast * view.glint).astype(np.float32)
    shine = lamps[spot]
    shine += marks * glint[canvas.lamp]
    shine += textures.skin.ravel()[cell]
    return np.asarray(shine, dtype=np.float32)


def _paint_face(canvas: Canvas, view: View, part: Part, textures: Textures) -> None:
    distance = canvas.rho - textures.edge[canvas.column]
    face = canvas.inside(distance, 1.0)
    shine = metal(canvas, view, part, textures, view.level, 1.0)
    # The turned face is a little dished: brighter towards the groove.
    shine += (canvas.rho - np.float32(0.83)) * np.float32(-14)
    np.minimum(shine, 238 + 0.2 * (shine - 238), out=shine)
    canvas.paint(shine, face)


def _paint_lip(canvas: Canvas, part: Part, facing: Floats) -> None:
    # The face is brighter just outside the groove, most where that edge faces the light.
    away = canvas.rho - np.float32(part.groove_out + 0.012)
    glow = (8 + 10 * facing)[canvas.lamp] * np.exp(away * away * np.float32(-0.5 / 0.012**2))
    canvas.image += glow.astype(np.float32)


def _paint_rim(canvas: Canvas, part: Part, textures: Textures, facing: Floats) -> None:
    # The broken edge mirrors the dark room, least where it faces the light; here and there it is worn bright.
    away = (-facing).astype(np.float32)
    tone = (34 - 12 * away + 60 * (-away - 0.45).clip(0)).astype(np.float32)
    distance = canvas.rho - textures.edge[canvas.column]
    strength = (0.8 + 0.35 * away).clip(0, 0.97).astype(np.float32)
    worn = textures.edge_wear[canvas.column]
    rim = canvas.inside(distance, 1.0) - canvas.inside(distance, 1.0 - part.chamfer, 2.0)
    rim *= np.maximum(strength[canvas.lamp] * (1 + 110 * textures.edge[canvas.column]), worn)
    canvas.paint(tone[canvas.lamp] * (1 - worn) + 232 * worn, rim.clip(0, 1))


def _paint_groove(canvas: Canvas, view: View, part: Part, textures: Textures, facing: Floats) -> None:
    distance = canvas.rho - textures.lip[canvas.column]
    hole = canvas.inside(distance, part.groove_out, 1.6)
    worn = textures.lip_wear[canvas.column]
    # The groove is dark; where it faces the light its wall shows as a grey band with bright patches.
    floor = (view.black + 11 + 26 * facing.clip(0) ** 2).astype(np.float32)[canvas.lamp]
    glow = (textures.glow[canvas.column] * np.asarray(0.25 + 0.6 * facing.clip(0), np.float32)[canvas.lamp]).clip(0, 1)
    canvas.paint(floor + glow * 150, hole)
    edge = canvas.inside(distance, part.groove_out + 0.007, 3.0) - canvas.inside(distance, part.groove_out - 0.004, 2.0)
    canvas.paint(np.float32(236), edge.clip(0, 1) * worn)


def _paint_ring(canvas: Canvas, view: View, part: Part, textures: Textures, facing: Floats) -> None:
    distance = canvas.plane(view, _RING_DEPTH)
    shine = metal(canvas, view, part, textures, view.level * 0.94, 0.6)
    outer = canvas.inside(distance, part.ring_out, 1.5)
    wall = np.asarray(105 + 70 * facing, dtype=np.float32)[canvas.lamp]
    canvas.paint(wall, outer)
    canvas.paint(shine, canvas.inside(distance, part.ring_out - 0.007, 2.0))
    bevel = (distance - np.float32(part.ring_in)) * np.float32(1 / 0.012)
    dark = np.asarray(-20 + 34 * facing, dtype=np.float32)[canvas.lamp]
    canvas.image += dark * (outer * (1 - bevel).clip(0, 1))


def _paint_recess(canvas: Canvas, view: View, part: Part, textures: Textures) -> None:
    distance = canvas.plane(view, _RING_DEPTH * 1.3)
    cover = canvas.inside(distance, part.ring_in, 2.0)
    vanes = textures.recess.ravel()[_cells(canvas)]
    # Light falls into the recess from one side and reaches the far wall best.
    lit = np.float32(0.75) - _toward(view, canvas.x, canvas.y) * np.float32(0.5 / part.ring_in)
    canvas.paint(np.float32(view.black) + vanes * lit * np.float32(58), cover)


def _paint_hub(canvas: Canvas, view: View, part: Part, textures: Textures, facing: Floats) -> None:
    distance = canvas.plane(view, _HUB_DEPTH) - np.float32(0.8) * textures.lip[canvas.column]
    wall = np.asarray(62 + 40 * facing, dtype=np.float32)[canvas.lamp]
    canvas.paint(wall, canvas.inside(distance, part.hub_out, 2.0))
    shine = metal(canvas, view, part, textures, view.level * 0.94, 0.3)
    canvas.paint(shine, canvas.inside(distance, part.hub_out - 0.009, 2.5))


def _paint_bore(canvas: Canvas, view: View, part: Part, textures: Textures) -> None:
    distance = canvas.plane(view, _HUB_DEPTH)
    hole = canvas.inside(distance, part.bore, 2.0)
    canvas.paint(np.float32(78), canvas.inside(distance, part.bore + 0.005, 2.0) * np.float32(0.75))
    # Through the bore one sees its wall and, deeper, the floor with the soft shadow of the bore's own rim.
    canvas.paint(np.float32(74), hole)
    floor = hole * canvas.inside(canvas.plane(view, _FLOOR_DEPTH), part.bore * 1.04, 4.0)
    reach = np.float32(part.bore * (0.35 + 0.5 * view.shadow))
    dx, dy = canvas.x + reach * np.float32(math.cos(view.light)), canvas.y + reach * np.float32(math.sin(view.light))
    lit = ((np.float32(part.bore * 1.5) - np.sqrt(dx * dx + dy * dy)) * np.float32(1 / (part.bore * 1.15))).clip(0, 1)
    specks = textures.floor.ravel()[_cells(canvas)]
    canvas.paint(np.float32(38) + np.float32(view.background * 0.76) * lit * (2 - lit) + specks, floor)
