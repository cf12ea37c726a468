"""What makes one casting itself: its radii, vanes, machining marks and harmless blemishes.

Lengths are in units of the radius of the machined face. Angles are in radians in the frame of the part, so that
everything here turns with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gonogo.data.synthetic.noise import Floats, Stream, normal, polar_noise, ring_noise, stream, unit

ROWS = 360  # samples of the polar textures along the radius, from the centre to REACH
COLUMNS = 512  # samples along one turn
REACH = 1.08  # radius where the polar textures end


@dataclass(frozen=True)
class Part:
    """One casting.

    Attributes:
        seed: seed of the set it belongs to.
        index: its number in the set.
        groove_out: radius where the machined face falls into the groove.
        ring_out: outer radius of the wear ring inside the groove.
        ring_in: inner radius of the wear ring, where the dark recess begins.
        hub_out: outer radius of the bright hub.
        bore: radius of the bore.
        chamfer: width of the broken edge around the face.
        vanes: number of vanes of the impeller.
        vane_phase: angle of the first vane.
        vane_twist: how far a vane turns between the hub and the ring, in radians.
        line_contrast: contrast of the turning marks, in grey levels.
        stain_contrast: contrast of stains and casting skin, in grey levels.
    """

    seed: int
    index: int
    groove_out: float
    ring_out: float
    ring_in: float
    hub_out: float
    bore: float
    chamfer: float
    vanes: int
    vane_phase: float
    vane_twist: float
    line_contrast: float
    stain_contrast: float


@dataclass(frozen=True)
class Textures:
    """The polar textures of a part; rows run along the radius from 0 to `REACH`, columns along one turn.

    Attributes:
        lines: (ROWS, COLUMNS) turning marks, standard deviation about 1.
        skin: (ROWS, COLUMNS) stains, chatter and small marks on the machined faces, in grey levels.
        recess: (ROWS, COLUMNS) the vanes and rough walls of the recess, about 0 to 1.
        floor: (ROWS, COLUMNS) specks seen through the bore, in grey levels.
        edge: (COLUMNS,) offset of the outer edge, in face radii.
        lip: (COLUMNS,) offset of the groove edge, in face radii.
        edge_wear: (COLUMNS,) 0 to 1, where the outer edge is worn bright.
        lip_wear: (COLUMNS,) 0 to 1, where the groove edge is worn bright.
        glow: (COLUMNS,) 0 to 1, where the wall of the groove mirrors light.
    """

    lines: Floats
    skin: Floats
    recess: Floats
    floor: Floats
    edge: Floats
    lip: Floats
    edge_wear: Floats
    lip_wear: Floats
    glow: Floats


@lru_cache(maxsize=8)
def make_part(seed: int, index: int) -> Part:
    """Draw the casting number `index` of the set `seed`; the same numbers always give the same casting."""
    rng = stream(seed, Stream.PART, index)
    ring_in = rng.normal(0.55, 0.004)
    ring_out = ring_in + rng.normal(0.079, 0.003)
    return Part(
        seed=seed,
        index=index,
        groove_out=ring_out + rng.normal(0.034, 0.004),
        ring_out=ring_out,
        ring_in=ring_in,
        hub_out=rng.normal(0.287, 0.005),
        bore=rng.normal(0.221, 0.003),
        chamfer=rng.uniform(0.010, 0.016),
        vanes=int(rng.integers(6, 9)),
        vane_phase=rng.uniform(0, 2 * math.pi),
        vane_twist=rng.uniform(0.85, 1.15),
        line_contrast=rng.uniform(1.5, 3.3),
        stain_contrast=rng.uniform(1.4, 4.2),
    )


@lru_cache(maxsize=4)
def make_textures(part: Part) -> Textures:
    """Draw the textures of a part, from its own stream."""
    rng = stream(part.seed, Stream.TEXTURE, part.index)
    edge, edge_wear = _edge(rng, roughness=0.0015)
    lip, lip_wear = _edge(rng, roughness=0.0012)
    return Textures(
        lines=_turning_lines(rng),
        skin=_skin(rng, part),
        recess=_recess(rng, part),
        floor=_floor(rng, part),
        edge=edge,
        lip=lip,
        edge_wear=edge_wear,
        lip_wear=lip_wear,
        glow=(ring_noise(rng, COLUMNS, 6) - 0.7).clip(0, 1),
    )


def radii() -> Floats:
    """Return the radius of each texture row, (ROWS, 1)."""
    return ((np.arange(ROWS, dtype=np.float32) + 0.5) * (REACH / ROWS))[:, None]


def angles() -> Floats:
    """Return the angle of each texture column, (1, COLUMNS)."""
    return ((np.arange(COLUMNS, dtype=np.float32) + 0.5) * (2 * math.pi / COLUMNS))[None, :]


def _turning_lines(rng: np.random.Generator) -> Floats:
    # A turning tool leaves rings: nearly constant along the angle, rough along the radius, at several widths.
    fine = polar_noise(rng, ROWS, COLUMNS, 0.7, 34)
    medium = polar_noise(rng, ROWS, COLUMNS, 2.5, 60)
    broad = polar_noise(rng, ROWS, COLUMNS, 8, 90)
    rings = unit(normal(rng, ROWS, 1) + 0.0)
    weights = rng.uniform(0.5, 1.0, 4)
    grain = 0.55 * polar_noise(rng, ROWS, COLUMNS, 0.6, 1.6)
    total = weights[0] * fine + weights[1] * medium + 0.7 * weights[2] * broad + 0.7 * weights[3] * rings + grain
    return unit(np.asarray(total, dtype=np.float32))


def _skin(rng: np.random.Generator, part: Part) -> Floats:
    # Clouds of dried coolant, wide and narrow, and the fine grain of the iron.
    stains = polar_noise(rng, ROWS, COLUMNS, 12, 9) + 0.8 * polar_noise(rng, ROWS, COLUMNS, 4, 4)
    grain = polar_noise(rng, ROWS, COLUMNS, 1.2, 1.0)
    skin = part.stain_contrast * stains + 0.8 * part.stain_contrast * grain
    skin += _chatter(rng)
    for _ in range(int(rng.integers(2, 7))):
        skin += _mark(rng)
    return np.asarray(skin, dtype=np.float32)


def _chatter(rng: np.random.Generator) -> Floats:
    # Tool chatter: a patch of fine crossing waves, in about half of the parts visible.
    strength = max(0.0, float(rng.normal(0.5, 3.0)))
    centre, width = rng.uniform(0, 2 * math.pi), rng.uniform(0.15, 0.4)
    bend, pitch = rng.uniform(60, 160), rng.uniform(60, 130)
    turn = (angles() - centre + math.pi) % (2 * math.pi) - math.pi
    wave = np.sin(bend * turn * np.abs(turn) + pitch * radii()) + np.sin(40 * turn + pitch * radii())
    return np.asarray(strength * wave * np.exp(-((turn / width) ** 2)), dtype=np.float32)


def _mark(rng: np.random.Generator) -> Floats:
    # A faint handling mark: a soft short streak, too weak and too soft to be taken for a defect.
    r, angle = rng.uniform(0.68, 0.97), rng.uniform(0, 2 * math.pi)
    long, short = rng.uniform(0.02, 0.12), rng.uniform(0.006, 0.02)
    slope, strength = rng.uniform(0, math.pi), rng.normal(0, 7)
    turn = ((angles() - angle + math.pi) % (2 * math.pi) - math.pi) * r
    out = radii() - r
    along, across = turn * math.cos(slope) + out * math.sin(slope), out * math.cos(slope) - turn * math.sin(slope)
    return np.asarray(strength * np.exp(-((along / long) ** 2) - (across / short) ** 2), dtype=np.float32)


def _recess(rng: np.random.Generator, part: Part) -> Floats:
    # Each vane is a slanted blade: a light upper edge that fades away on one side, over rough dark casting skin.
    depth = ((radii() - part.hub_out) / (part.ring_in - part.hub_out)).clip(0, 1)
    wobble = 0.03 * ring_noise(rng, COLUMNS, 12)[None, :]
    turns = (angles() - part.vane_phase - part.vane_twist * depth**1.6 + wobble) * (part.vanes / (2 * math.pi))
    phase = (turns % 1.0).astype(np.float32)
    # A blade shows as a leaf: a sharp light leading edge, a fainter edge that meets it near the ring, a grey flank.
    lead = np.exp(-(((phase - 0.03) / 0.045) ** 2)) + 0.45 * np.exp(-phase / 0.2)
    gap = 0.34 * (1 - depth) ** 0.8
    trail = np.exp(-(((phase - 0.06 - gap) / 0.05) ** 2))
    per_vane = (0.8 + 0.3 * ring_noise(rng, COLUMNS, 24)[None, :]).clip(0.25)
    rough = polar_noise(rng, ROWS, COLUMNS, 3.0, 2.5)
    reach = np.exp(-(((depth - 0.6) / 0.27) ** 2))
    blades = (0.62 * lead + 0.48 * trail) * reach * per_vane * (1 + 0.22 * rough)
    return np.asarray(blades + (0.27 + 0.07 * rough) * np.exp(-(((depth - 0.5) / 0.4) ** 2)), dtype=np.float32)


def _floor(rng: np.random.Generator, part: Part) -> Floats:
    floor = 1.5 * polar_noise(rng, ROWS, COLUMNS, 5, 12)
    for _ in range(int(rng.poisson(3))):
        r, angle = part.bore * math.sqrt(rng.uniform(0.02, 0.9)), rng.uniform(0, 2 * math.pi)
        turn = ((angles() - angle + math.pi) % (2 * math.pi) - math.pi) * r
        size = rng.uniform(0.005, 0.011)
        floor -= rng.uniform(20, 70) * np.exp(-((turn / size) ** 2) - ((radii() - r) / size) ** 2)
    return np.asarray(floor, dtype=np.float32)


def _edge(rng: np.random.Generator, roughness: float) -> tuple[Floats, Floats]:
    offset = roughness * (ring_noise(rng, COLUMNS, 20) + 0.6 * ring_noise(rng, COLUMNS, 1.2))
    wear = (ring_noise(rng, COLUMNS, 1.5) + ring_noise(rng, COLUMNS, 14) - 2.5).clip(0, 1)
    return np.asarray(offset, dtype=np.float32), np.asarray(wear, dtype=np.float32)
