"""How a part is photographed: pose, lamps, background, lens and sensor of one view.

Lengths of a view are in face radii where they belong to the part and in shares of the photo's side where they belong
to the photo, so that a view is the same at every photo size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gonogo.data.synthetic.noise import Floats, Stream, cloud, ndimage, normal, stream

LIGHT_STEPS = 1024  # samples of the lamp tables over one turn; a power of two so that indices wrap with a mask
NOMINAL = 0.4186  # radius of the face as a share of the photo's side
REFERENCE = 300  # photo side that blur lengths are given for


@dataclass(frozen=True)
class Pose:
    """Where the part lies in the photo.

    Attributes:
        turn: rotation of the part, in radians.
        centre: (x, y) of the part's centre, as shares of the photo's side.
        radius: radius of the face, as a share of the photo's side.
        ratio: short axis over long axis of the ellipse that the face appears as.
        axis: direction of the long axis, in radians.
        parallax: (x, y) shift of a plane one face radius below the face, in face radii.
    """

    turn: float
    centre: tuple[float, float]
    radius: float
    ratio: float
    axis: float
    parallax: tuple[float, float]

    def matrix(self, size: int) -> NDArray[np.float64]:
        """Return the (2, 2) matrix from the untwisted face plane (face radii) to pixels, without the part's turn."""
        c, s = math.cos(self.axis), math.sin(self.axis)
        twist = np.array([[c, -s], [s, c]])
        return np.asarray(twist @ np.diag([1.0, self.ratio]) @ twist.T * (self.radius * size))

    def to_pixels(self, points: NDArray[np.float64], size: int) -> NDArray[np.float64]:
        """Return pixel coordinates (n, 2) as (x, y) of points (n, 2) in the frame of the part."""
        c, s = math.cos(self.turn), math.sin(self.turn)
        turned = points @ np.array([[c, s], [-s, c]])
        return np.asarray(turned @ self.matrix(size).T + np.array(self.centre) * size)

    def to_part(self, x: Floats, y: Floats, size: int) -> tuple[Floats, Floats]:
        """Return the coordinates in the frame of the part of pixel coordinates `x`, `y` (any one shape)."""
        c, s = math.cos(self.turn), math.sin(self.turn)
        back = np.array([[c, s], [-s, c]]) @ np.linalg.inv(self.matrix(size))
        dx, dy = x - self.centre[0] * size, y - self.centre[1] * size
        u = back[0, 0] * dx + back[0, 1] * dy
        v = back[1, 0] * dx + back[1, 1] * dy
        return np.asarray(u, dtype=np.float32), np.asarray(v, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class View:
    """One photograph of a part: pose, light and camera.

    Attributes:
        seed: seed of the set.
        part: number of the part.
        number: number of the view.
        pose: where the part lies.
        light: direction the main light comes from, in radians.
        lamps: (LIGHT_STEPS,) how bright turned metal shines at each angle, mean about 1.
        glint: (LIGHT_STEPS,) how strongly the turning marks show at each angle, mean about 1.
        level: mean grey level of the face.
        shadow: depth of the shadow beside the part, 0 to 1.
        shadow_width: how far the shadow reaches, in face radii.
        background: mean grey level of the background.
        gradient: (x, y) change of the background over the photo's side, in grey levels.
        black: grey level of the darkest places, from light scattered in the lens.
        exposure: factor on the whole photo.
        vignette: share of light lost in the corners.
        blur: standard deviation of the lens blur, in pixels at 300 pixels a side.
        grain: standard deviation of the sensor noise, in grey levels.
    """

    seed: int
    part: int
    number: int
    pose: Pose
    light: float
    lamps: Floats
    glint: Floats
    level: float
    shadow: float
    shadow_width: float
    background: float
    gradient: tuple[float, float]
    black: float
    exposure: float
    vignette: float
    blur: float
    grain: float


def make_view(seed: int, part: int, number: int) -> View:
    """Draw view `number` of part `part`: the part laid down anew under newly placed lamps."""
    rng = stream(seed, Stream.VIEW, part, number)
    light = rng.uniform(0, 2 * math.pi)
    slope = rng.uniform(20, 55)
    lean = light + rng.normal(0, 0.6)
    return View(
        seed=seed,
        part=part,
        number=number,
        pose=_pose(rng, light),
        light=light,
        lamps=_lamps(rng),
        glint=_glint(rng),
        level=float(np.clip(rng.normal(198, 10), 174, 218)),
        shadow=rng.uniform(0.62, 0.92),
        shadow_width=rng.uniform(0.055, 0.13),
        background=float(np.clip(rng.normal(172, 12), 146, 198)),
        gradient=(slope * math.cos(lean), slope * math.sin(lean)),
        black=float(np.clip(rng.normal(7.5, 1.4), 4, 11)),
        exposure=float(np.clip(rng.normal(1.0, 0.025), 0.93, 1.07)),
        vignette=rng.uniform(0.0, 0.06),
        blur=rng.uniform(0.5, 1.05),
        grain=rng.uniform(0.5, 1.5),
    )


def _pose(rng: np.random.Generator, light: float) -> Pose:
    ratio = 1 - min(0.13, abs(float(rng.normal(0, 0.055))))
    radius = NOMINAL * float(np.clip(rng.normal(1.02, 0.03), 0.94, 1.09))
    room = max(0.0, 0.49 - radius)  # the part never leaves the photo
    centre = np.clip(rng.normal(0, 0.016, 2), -room, room) + 0.5
    lean, depth = light + rng.normal(0, 0.45), rng.uniform(0.05, 0.17)
    return Pose(
        turn=rng.uniform(0, 2 * math.pi),
        centre=(float(centre[0]), float(centre[1])),
        radius=radius,
        ratio=ratio,
        axis=rng.uniform(0, math.pi),
        parallax=(depth * math.cos(lean), depth * math.sin(lean)),
    )


def _lamps(rng: np.random.Generator) -> Floats:
    # Turned metal mirrors a lamp as two opposite sectors. A window or a person gives sectors with sharper borders.
    angle = (np.arange(LIGHT_STEPS) + 0.5) * (2 * math.pi / LIGHT_STEPS)
    table = np.ones(LIGHT_STEPS)
    for turns, spread in ((1, 0.07), (2, 0.075)):
        table += rng.normal(0, spread) * np.cos(turns * angle + rng.uniform(0, 2 * math.pi))
    for _ in range(int(rng.integers(2, 5))):
        centre, half = rng.uniform(0, 2 * math.pi), rng.uniform(0.12, 0.75)
        strength = rng.normal(0.0, 0.12)
        for side, share in ((0.0, 1.0), (math.pi, rng.uniform(0.3, 1.0))):
            table += strength * share * _sector(rng, angle, centre + side, half)
    if rng.random() < 0.45:
        table -= rng.uniform(0.1, 0.38) * _sector(rng, angle, rng.uniform(0, 2 * math.pi), rng.uniform(0.15, 0.5))
    for _ in range(int(rng.integers(0, 3))):
        table += rng.uniform(0.03, 0.12) * _sector(rng, angle, rng.uniform(0, 2 * math.pi), rng.uniform(0.01, 0.05))
    table /= table.mean()
    return np.asarray(np.where(table > 1.12, 1.12 + 0.35 * (table - 1.12), table), dtype=np.float32)


def _sector(rng: np.random.Generator, angle: NDArray[Any], centre: float, half: float) -> NDArray[Any]:
    turn = (angle - centre + math.pi) % (2 * math.pi) - math.pi
    soft = np.exp(rng.uniform(math.log(0.03), math.log(0.6), 2))
    return np.asarray(_smooth((turn + half) / soft[0]) * _smooth((half - turn) / soft[1]))


def _smooth(x: NDArray[Any]) -> NDArray[Any]:
    t = (0.5 + 0.5 * x).clip(0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def _glint(rng: np.random.Generator) -> Floats:
    angle = (np.arange(LIGHT_STEPS) + 0.5) * (2 * math.pi / LIGHT_STEPS)
    phase = rng.uniform(0, 2 * math.pi, 2)
    return np.asarray(1 + 0.4 * np.cos(2 * angle + phase[0]) + 0.25 * np.cos(3 * angle + phase[1]), dtype=np.float32)


def backdrop(view: View, size: int) -> Floats:
    """Return the empty backing sheet under the view's light, (size, size) grey levels, before the lens."""
    rng = stream(view.seed, Stream.BACKGROUND, view.part, view.number)
    line = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    sheet = view.background + view.gradient[0] * line[None, :] + view.gradient[1] * line[:, None]
    sheet = sheet + 3.0 * cloud(rng, size, 3)
    # The sheet carries faint wiped streaks, in patches, at a slowly changing direction.
    lean = rng.uniform(0, math.pi)
    across = math.cos(lean) * line[None, :] + math.sin(lean) * line[:, None] + 0.05 * cloud(rng, size, 3)
    table = ndimage().gaussian_filter1d(normal(rng, 1024), 2.0, mode="wrap") * 1.9
    streaks = table[(across * 700).astype(np.int32) & 1023]
    patches = (cloud(rng, size, 5) + 0.2).clip(0, 1.2)
    sheet = sheet + rng.uniform(0.5, 2.6) * streaks * patches
    return np.asarray(sheet, dtype=np.float32)


def lens_gain(view: View, size: int) -> Floats:
    """Return the factor of exposure and vignette at each pixel, (size, size)."""
    line = np.linspace(-1, 1, size, dtype=np.float32) ** 2
    return np.asarray(view.exposure * (1 - view.vignette * 0.5 * (line[None, :] + line[:, None])), dtype=np.float32)


def soften(image: Floats, view: View, size: int) -> Floats:
    """Return `image` blurred by the view's lens; `image` may be a piece of a photo of `size` pixels."""
    sigma = view.blur * size / REFERENCE
    return np.asarray(ndimage().gaussian_filter(image, sigma, mode="nearest", truncate=3.5), dtype=np.float32)


def expose(clean: Floats, view: View) -> NDArray[np.uint8]:
    """Return the photo the sensor gives: `clean` (H, W) with noise added, rounded and limited to 0..255."""
    rng = stream(view.seed, Stream.SENSOR, view.part, view.number)
    size = clean.shape[0]
    # Light arrives in grains: the noise grows with the square root of the grey level.
    spread = view.grain * (0.5 + 0.5 * np.sqrt(clean.clip(0, 255) / 160))
    noisy = clean + spread * normal(rng, size, size)
    return np.asarray(np.rint(noisy).clip(0, 255), dtype=np.uint8)
