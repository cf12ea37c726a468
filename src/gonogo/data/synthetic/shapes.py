"""Draw a part's defects into a photo: what each changes in the light, and where."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gonogo.data.synthetic.camera import View, soften
from gonogo.data.synthetic.defects import FLOOR, LEAST_PIXELS, Defect
from gonogo.data.synthetic.noise import Floats
from gonogo.data.synthetic.part import Part
from gonogo.data.synthetic.surface import OVERSAMPLE

Piece = tuple[slice, slice]
_VISIBLE = 5.0  # change that counts as part of the defect, in grey levels
_INVISIBLE = 0.5  # change of a pixel that rounding hides, in grey levels


@dataclass(frozen=True, eq=False)
class Patch:
    """What a defect is drawn on.

    Attributes:
        defect: what to draw.
        part: the casting it is on.
        view: how it is photographed.
        u: (h, w) horizontal coordinate of each sample in the frame of the part, in face radii.
        v: (h, w) vertical coordinate.
        below: (h, w) grey levels of the part without the defect.
    """

    defect: Defect
    part: Part
    view: View
    u: Floats
    v: Floats
    below: Floats


def _piece(defect: Defect, view: View, size: int) -> Piece:
    # The square of photo pixels that holds the defect and the blur around it.
    x, y = view.pose.to_pixels(np.array([defect.centre]), size)[0]
    reach = defect.reach * view.pose.radius * size + 3 + 4 * view.blur * size / 300
    low = [max(0, math.floor(v - reach)) for v in (y, x)]
    high = [min(size, math.ceil(v + reach) + 1) for v in (y, x)]
    return slice(low[0], high[0]), slice(low[1], high[1])


def _shrink(samples: Floats) -> Floats:
    rows, columns = samples.shape[0] // OVERSAMPLE, samples.shape[1] // OVERSAMPLE
    boxes = samples.reshape(rows, OVERSAMPLE, columns, OVERSAMPLE)
    return np.asarray(boxes.mean(axis=(1, 3)), dtype=np.float32)


def add_defect(clean: Floats, image: Floats, gain: Floats, defect: Defect, part: Part, view: View) -> NDArray[np.bool_]:
    """Add one defect to a photo in place.

    Args:
        clean: (H, W) photo so far, after the lens; changed in place.
        image: (2H, 2W) light before the lens, of the part without defects.
        gain: (H, W) factor of exposure and vignette.
        defect: what to add.
        part: the casting it is on.
        view: how it is photographed.

    Returns:
        (H, W) mask of the defect.
    """
    size = clean.shape[0]
    rows, columns = _piece(defect, view, size)
    fine = (
        slice(rows.start * OVERSAMPLE, rows.stop * OVERSAMPLE),
        slice(columns.start * OVERSAMPLE, columns.stop * OVERSAMPLE),
    )
    y = ((np.arange(fine[0].start, fine[0].stop) + 0.5) / OVERSAMPLE).astype(np.float32)[:, None]
    x = ((np.arange(fine[1].start, fine[1].stop) + 0.5) / OVERSAMPLE).astype(np.float32)[None, :]
    u, v = view.pose.to_part(x + 0 * y, y + 0 * x, size)
    below = image[fine]
    change, cover = _DRAWERS[defect.kind](Patch(defect, part, view, u, v, below))
    change = soften(_shrink(change), view, size) * gain[rows, columns] * np.float32(defect.strength)
    spread = soften(_shrink(cover), view, size)
    inside = _cover(spread, np.abs(change))
    # However the light falls, the defect stays visible: lift its contrast to the floor where it is below.
    seen = float(np.abs(change)[inside].mean())
    if 0 < seen < FLOOR:
        change *= np.float32(FLOOR / seen)
    change[np.abs(change) < _INVISIBLE] = 0  # the far tails of the blur: keep the rest of the part as it was
    clean[rows, columns] = (clean[rows, columns] + change).clip(0, 255)
    mask = np.zeros(clean.shape, dtype=np.bool_)
    mask[rows, columns] = inside
    return mask


def _cover(spread: Floats, change: Floats) -> NDArray[np.bool_]:
    # The pixels the defect covers well, and those it visibly changes.
    inside = (spread > 0.4 * spread.max()) | (change > _VISIBLE)
    if inside.sum() < LEAST_PIXELS:  # take the pixels it covers most
        cut = np.partition(spread.ravel(), -LEAST_PIXELS)[-LEAST_PIXELS]
        inside |= spread >= max(float(cut), 1e-3)
    return np.asarray(inside)


def _light(view: View) -> tuple[float, float]:
    # Direction of the light in the frame of the part.
    angle = view.light - view.pose.turn
    return math.cos(angle), math.sin(angle)


def _sample(rough: Floats, u: Floats, v: Floats, scale: float) -> Floats:
    count = rough.shape[0]
    place = [np.mod(c / scale * 8, count) for c in (u, v)]
    low = [p.astype(np.int32) % count for p in place]
    share = [p - np.floor(p) for p in place]
    high = [(i + 1) % count for i in low]
    top = rough[low[0], low[1]] * (1 - share[1]) + rough[low[0], high[1]] * share[1]
    bottom = rough[high[0], low[1]] * (1 - share[1]) + rough[high[0], high[1]] * share[1]
    return np.asarray(top * (1 - share[0]) + bottom * share[0], dtype=np.float32)


def _border(u: Floats, v: Floats) -> np.float32:
    # Width of an antialiased border: a little more than one sample.
    step = math.hypot(float(u[0, 1] - u[0, 0]), float(v[0, 1] - v[0, 0]))
    return np.float32(1.4 * step)


def _draw_blowhole(patch: Patch) -> tuple[Floats, Floats]:
    defect, view, u, v, below = patch.defect, patch.view, patch.u, patch.v, patch.below
    light = _light(view)
    change, cover = np.zeros_like(u), np.zeros_like(u)
    for (cx, cy), share in zip(defect.path, defect.widths, strict=True):
        radius = np.float32(defect.size * share)
        du, dv = u - np.float32(cx), v - np.float32(cy)
        rough = _sample(defect.rough, du + np.float32(cx * 7), dv, float(radius) * 14)
        fine = _sample(defect.rough, du, dv, float(radius) * 5)
        # An uneven outline: a lopsided ellipse with lobes.
        stretched = np.hypot(du * np.float32(0.85 + 0.3 * share), dv * np.float32(1.1 - 0.2 * share))
        reach = stretched / radius * (1 + 0.3 * rough + 0.07 * fine).clip(0.6, 1.6)
        hole = ((1.02 - reach) / 0.2).clip(0, 1)
        # The wall towards the light lies in its own shadow; the far wall and the far rim catch the light.
        far = -(du * light[0] + dv * light[1]) / radius
        floor = (20 + 75 * (far - 0.25).clip(0) * reach + 12 * fine).clip(8, 170)
        rim = np.exp(-(((reach - 1.16) / 0.13) ** 2)) * (0.25 + far).clip(0, 1)
        change += hole * (floor - below) * (1 - cover) + rim * (1 - hole) * (240 - below).clip(0) * 0.8
        cover = np.maximum(cover, np.maximum(hole, rim * 0.5))
    return np.asarray(change, dtype=np.float32), np.asarray(cover, dtype=np.float32)


def _to_path(defect: Defect, u: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
    # Distance to the path, the side of it (with sign), and the line's relative width at the nearest point.
    best = np.full(u.shape, np.inf, dtype=np.float32)
    side, width = np.zeros_like(u), np.ones_like(u)
    for i in range(len(defect.path) - 1):
        a, b = defect.path[i], defect.path[i + 1]
        d = b - a
        length = float(np.hypot(*d))
        along = (((u - a[0]) * d[0] + (v - a[1]) * d[1]) / length**2).clip(0, 1)
        away = np.hypot(u - a[0] - along * d[0], v - a[1] - along * d[1])
        nearer = away < best
        best = np.where(nearer, away, best)
        side = np.where(nearer, ((u - a[0]) * -d[1] + (v - a[1]) * d[0]) / length, side)
        width = np.where(nearer, defect.widths[i] + along * (defect.widths[i + 1] - defect.widths[i]), width)
    return best.astype(np.float32), side.astype(np.float32), width.astype(np.float32)


def _normal(defect: Defect) -> NDArray[np.float64]:
    d = defect.path[-1] - defect.path[0]
    return np.asarray(np.array([-d[1], d[0]]) / max(float(np.hypot(*d)), 1e-9))


def _draw_crack(patch: Patch) -> tuple[Floats, Floats]:
    defect, view, u, v, below = patch.defect, patch.view, patch.u, patch.v, patch.below
    away, side, width = _to_path(defect, u, v)
    rough = _sample(defect.rough, u, v, 0.16)
    half = defect.size * width * (1 + 0.35 * rough)
    gap = ((half - away) / _border(u, v) + 0.5).clip(0, 1)
    lit = float(_normal(defect) @ np.array(_light(view)))
    edge = np.exp(-(((side * np.sign(-lit) - 1.7 * half) / (0.7 * defect.size)) ** 2)) * (away < 4 * half) * abs(lit)
    change = gap * (24 - below) + (1 - gap) * edge * (235 - below).clip(0) * 0.5
    return np.asarray(change, dtype=np.float32), np.asarray(np.maximum(gap, 0.45 * edge), dtype=np.float32)


def _draw_scratch(patch: Patch) -> tuple[Floats, Floats]:
    defect, view, u, v, below = patch.defect, patch.view, patch.u, patch.v, patch.below
    away, side, width = _to_path(defect, u, v)
    half = defect.size * width
    groove = np.exp(-((away / half) ** 2))
    # A scratch is a small furrow: one flank mirrors the light, the other mirrors the dark room.
    lit = float(_normal(defect) @ np.array(_light(view)))
    flank = np.tanh(side / (0.6 * half)) * (0.45 + 0.55 * abs(lit)) * (1.0 if lit > 0 else -1.0)
    patchy = (1 + 0.4 * _sample(defect.rough, u, v, 0.3)).clip(0.25, 1.7)
    target = np.where(flank > 0, 252.0, 50.0)
    change = groove * patchy * np.abs(flank) * (target - below) - groove * patchy * 60
    return np.asarray(change, dtype=np.float32), np.asarray(groove, dtype=np.float32)


def _draw_chip(patch: Patch) -> tuple[Floats, Floats]:
    defect, view, u, v, below = patch.defect, patch.view, patch.u, patch.v, patch.below
    half, angle = defect.path[0]
    rho = np.hypot(u, v)
    turn = (np.arctan2(v, u) - angle + math.pi) % (2 * math.pi) - math.pi
    base = 1.0 if defect.outer else patch.part.groove_out
    along = turn * base / half
    envelope = (1 - along**2).clip(0) ** 0.5
    ragged = 1 + 0.3 * _sample(defect.rough, turn * base, 0 * turn, 0.4) + 0.2 * _sample(defect.rough, u, v, 0.3)
    depth = defect.size * envelope * ragged.clip(0.2)
    inward = base - rho if defect.outer and not defect.flash else rho - base
    start = -0.004 if not defect.flash else -0.25 * defect.size
    soft = _border(u, v)
    gap = ((depth - inward) / soft + 0.5).clip(0, 1) * ((inward - start) / soft + 0.5).clip(0, 1)
    gap *= envelope > 0
    # Broken iron is dark and grainy, with facets that flash where they happen to face the light.
    grain = _sample(defect.rough, u, v, 0.14)
    light = _light(view)
    toward = (u * light[0] + v * light[1]) / rho.clip(0.1)
    bright = -toward if not defect.flash else toward
    facet = (grain - 0.9).clip(0) * 110 + (60 if defect.flash else 20) * bright.clip(0)
    surface = (38 + 14 * grain + facet).clip(10, 240)
    border = np.exp(-(((inward - depth) / (0.16 * defect.size + 0.003)) ** 2)) * gap * bright.clip(0)
    surface = surface + border * (235 - surface)
    return np.asarray(gap * (surface - below), dtype=np.float32), np.asarray(gap, dtype=np.float32)


_DRAWERS = {"blowhole": _draw_blowhole, "crack": _draw_crack, "chip": _draw_chip, "scratch": _draw_scratch}
