"""Which defects a part has: kind, place, size and shape, drawn once and carried through every view of the part.

Places are in face radii in the frame of the part. `shapes` draws them into a photo.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gonogo.data.synthetic.noise import Floats, Stream, normal, stream
from gonogo.data.synthetic.part import Part
from gonogo.errors import UsageError, did_you_mean

KINDS = ("blowhole", "crack", "chip", "scratch")
FLOOR = 7.0  # least mean difference inside the mask, in grey levels
LEAST_PIXELS = 12  # least area of a mask, in pixels
_STEPS = 24  # straight pieces of a crack or scratch
_ATTEMPTS = 40  # places tried before two defects may lie close together


@dataclass(frozen=True, eq=False)
class Defect:
    """One defect of a part.

    Attributes:
        kind: one of `KINDS`.
        centre: (x, y) in the frame of the part, in face radii.
        reach: radius around the centre that holds the whole defect.
        size: the kind's own length: pit radius, line half width, or depth of the chip.
        strength: contrast, 1 for an obvious defect down to about 0.15 for a faint one.
        path: (n, 2) points of a crack or scratch, or the centres of the pits of a blowhole, in the part's frame.
        widths: (n,) relative width along the path, or relative radius of each pit.
        rough: (64, 64) noise for ragged borders and rough floors, standard deviation 1.
        outer: whether a chip lies on the outer edge, otherwise on the groove edge.
        flash: whether a chip on the outer edge is metal left over, otherwise metal broken away.
    """

    kind: str
    centre: tuple[float, float]
    reach: float
    size: float
    strength: float
    path: NDArray[np.float64]
    widths: NDArray[np.float64]
    rough: Floats
    outer: bool = False
    flash: bool = False


def check_kinds(kinds: Sequence[str]) -> None:
    """Raise when `kinds` is empty or names a kind that does not exist.

    Raises:
        UsageError: says which kinds there are.
    """
    if not kinds:
        raise UsageError(f"no defect kind given, expected at least one; there are: {', '.join(KINDS)}")
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(f"unknown defect kind '{kind}'; {did_you_mean(kind, KINDS)}")


def make_defects(part: Part, *, difficulty: float, kinds: Sequence[str] = KINDS, pixel: float) -> tuple[Defect, ...]:
    """Draw one to three defects for a part.

    Args:
        part: the casting.
        difficulty: 0 for obvious defects to 1 for barely visible ones.
        kinds: what to draw from, with equal chances.
        pixel: size of a photo pixel in face radii; defects never become too small for the photo.
    """
    plan = stream(part.seed, Stream.DEFECTS, part.index)
    count = int(plan.choice([1, 2, 3], p=[0.6, 0.28, 0.12]))
    drawn = [str(kind) for kind in plan.choice(list(kinds), count)]
    found: list[Defect] = []
    for number, kind in enumerate(drawn):
        for attempt in range(_ATTEMPTS):
            rng = stream(part.seed, Stream.DEFECTS, part.index, number, attempt)
            defect = _MAKERS[kind](rng, part, difficulty, pixel)
            if all(math.dist(defect.centre, other.centre) > defect.reach + other.reach for other in found):
                found.append(defect)
                break
    return tuple(found)


def _between(easy: float, hard: float, difficulty: float) -> float:
    # Sizes and contrasts are judged by their ratio, so the scale runs geometrically.
    return float(math.exp(math.log(easy) * (1 - difficulty) + math.log(hard) * difficulty))


def _strength(rng: np.random.Generator, faintest: float, difficulty: float) -> float:
    return min(1.0, _between(1.0, faintest, difficulty) * rng.uniform(0.9, 1.1))


def _rough(rng: np.random.Generator) -> Floats:
    coarse = normal(rng, 16, 16).repeat(4, axis=0).repeat(4, axis=1)
    return np.asarray(0.6 * coarse + 0.8 * normal(rng, 64, 64), dtype=np.float32)


def _place(rng: np.random.Generator, part: Part, margin: float) -> tuple[float, float]:
    low, high = part.groove_out + 0.02 + margin, 0.975 - margin
    r = rng.uniform(low, high) if low < high else (part.groove_out + 0.98) / 2
    angle = rng.uniform(0, 2 * math.pi)
    return r * math.cos(angle), r * math.sin(angle)


def _blowhole(rng: np.random.Generator, part: Part, difficulty: float, pixel: float) -> Defect:
    size = max(_between(0.066, 0.017, difficulty) * rng.uniform(0.85, 1.2), 2.05 * pixel)
    centre = np.array(_place(rng, part, 1.3 * size))
    pits = 1 + int(rng.random() < 0.45) * int(rng.integers(1, 4))
    path = centre + np.vstack([np.zeros(2), rng.normal(0, 1.5 * size, (pits - 1, 2))])
    widths = np.concatenate([[1.0], rng.uniform(0.3, 0.7, pits - 1)])
    # Leave out companions beyond the edge, and those too small for the photo to show.
    kept = (np.hypot(path[:, 0], path[:, 1]) < 0.97) & (widths * size > 1.5 * pixel)
    path, widths = path[kept], widths[kept]
    reach = float(np.hypot(*(path - centre).T).max() + 1.9 * size)
    return Defect(
        "blowhole",
        (float(centre[0]), float(centre[1])),
        reach,
        size,
        _strength(rng, 0.1, difficulty),
        path,
        widths,
        _rough(rng),
    )


def _walk(
    rng: np.random.Generator, start: NDArray[np.float64], heading: float, length: float, bend: float, jag: float
) -> NDArray[np.float64]:
    # Walk with a heading that wanders slowly; `jag` turns single steps aside. Stop at the borders of the face.
    points = [start]
    for _ in range(_STEPS):
        heading += rng.normal(0, bend)
        aside = heading + rng.normal(0, jag)
        step = points[-1] + length / _STEPS * rng.uniform(0.35, 1.65) * np.array([math.cos(aside), math.sin(aside)])
        if not 0.6 < math.hypot(*step) < 0.985:
            break
        points.append(step)
    return np.array(points)


def _line(
    rng: np.random.Generator, part: Part, kind: str, length: float, size: float, bend: float, strength: float
) -> Defect:
    for _ in range(_ATTEMPTS):
        start = np.array(_place(rng, part, 0.02))
        outward = math.atan2(start[1], start[0])
        heading = outward + rng.normal(0, 0.9) + math.pi * rng.integers(2) if kind == "crack" else rng.uniform(0, 6.3)
        path = _walk(rng, start, heading, length, bend, 0.55 if kind == "crack" else 0.0)
        if len(path) > 2 * _STEPS // 3:
            break
    along = np.linspace(0, 1, len(path))
    widths = np.sin(np.pi * (0.1 + 0.8 * along)) ** 0.8 * rng.uniform(0.55, 1.45, len(path))
    centre = path.mean(axis=0)
    reach = float(np.hypot(*(path - centre).T).max() + 5 * size)
    return Defect(
        kind, (float(centre[0]), float(centre[1])), reach, size, strength, path, widths.clip(0.35), _rough(rng)
    )


def _crack(rng: np.random.Generator, part: Part, difficulty: float, pixel: float) -> Defect:
    size = max(_between(0.0155, 0.0052, difficulty) * rng.uniform(0.9, 1.15), 0.6 * pixel)
    length = max(_between(0.55, 0.12, difficulty) * rng.uniform(0.8, 1.25), 14 * pixel)
    return _line(rng, part, "crack", length, size, 0.07, _strength(rng, 0.16, difficulty))


def _scratch(rng: np.random.Generator, part: Part, difficulty: float, pixel: float) -> Defect:
    size = max(_between(0.019, 0.0055, difficulty) * rng.uniform(0.9, 1.15), 0.68 * pixel)
    length = max(_between(0.7, 0.16, difficulty) * rng.uniform(0.8, 1.25), 14 * pixel)
    return _line(rng, part, "scratch", length, size, 0.02, _strength(rng, 0.3, difficulty))


def _chip(rng: np.random.Generator, part: Part, difficulty: float, pixel: float) -> Defect:
    outer = bool(rng.random() < 0.75)
    flash = outer and bool(rng.random() < 0.35)
    depth = max(_between(0.095, 0.019, difficulty) * rng.uniform(0.85, 1.2), 2.1 * pixel)
    half = max(_between(0.26, 0.03, difficulty) * rng.uniform(0.8, 1.4), 4.2 * pixel)
    r, angle = (1.0 if outer else part.groove_out), rng.uniform(0, 2 * math.pi)
    centre = (r * math.cos(angle), r * math.sin(angle))
    reach = math.hypot(half, depth) * 1.25 + 0.02
    return Defect(
        "chip",
        centre,
        reach,
        depth,
        _strength(rng, 0.22, difficulty),
        np.array([[half, angle]]),
        np.ones(1),
        _rough(rng),
        outer,
        flash,
    )


_MAKERS = {"blowhole": _blowhole, "crack": _crack, "chip": _chip, "scratch": _scratch}
