"""Curves with axes as numbers and paths that the page's templates draw in SVG: no text is put into markup here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gonogo.types import Float64Array

WIDTH, HEIGHT = 520, 436
LEFT, RIGHT, TOP, BOTTOM = 78, 16, 14, 62


@dataclass(frozen=True)
class Axis:
    """One direction of a chart, in shares or in another unit.

    Attributes:
        title: what it shows.
        low: the value at its beginning; above 0 where it is logarithmic.
        high: the value at its end.
        log: whether equal ratios are equally far apart.
        unit: of its values, such as "ms"; shares are given in percent.
    """

    title: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    unit: str = "%"

    def along(self, values: npt.ArrayLike) -> Float64Array:
        """Return values as a share of the axis, 0 to 1; what lies beyond an end stays at it."""
        inside = np.clip(np.asarray(values, dtype=np.float64), self.low, self.high)
        if self.log:
            return np.asarray(np.log(inside / self.low) / math.log(self.high / self.low))
        return np.asarray((inside - self.low) / (self.high - self.low))

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Values with their text."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            values = [10.0**power for power in range(first, last + 1)]
        else:
            values = [self.low + (self.high - self.low) * step / 5 for step in range(6)]
        scale = 100 if self.unit == "%" else 1
        return [(value, f"{scale * value:.6g}\N{NO-BREAK SPACE}{self.unit}") for value in values]

    @property
    def minor(self) -> list[float]:
        """Values between the ticks that a logarithmic axis marks, so that it is seen to be one."""
        if not self.log:
            return []
        return [n * value for value, _ in self.ticks for n in range(2, 10) if n * value <= self.high]


@dataclass(frozen=True)
class Drawn:
    """A line or an area.

    Attributes:
        style: how it looks: "curve", "other", "limit", "promise", "chance", or "hue0" to "hue6".
        path: SVG path.
        label: for the legend; empty for none.
    """

    style: str
    path: str
    label: str = ""


@dataclass(frozen=True)
class Mark:
    """A point, with what it may be.

    Attributes:
        style: how it looks: "point", "curve" or "other".
        x: place in the frame.
        y: place in the frame.
        across: ends of its interval to the left and right, or None.
        along: ends of its interval upwards, or None.
        label: for the legend; empty for none.
    """

    style: str
    x: float
    y: float
    across: tuple[float, float] | None = None
    along: tuple[float, float] | None = None
    label: str = ""


@dataclass(frozen=True)
class Tick:
    """A value of an axis: its place in the frame, and its text; no text for one of those between."""

    at: float
    text: str = ""


@dataclass(frozen=True)
class Chart:
    """A frame with axes and what is drawn in it.

    Attributes:
        name: what it shows, for those who cannot see it.
        x: title of the axis to the right.
        y: title of the axis upwards.
        x_ticks: on the axis to the right.
        y_ticks: on the axis upwards.
        areas: drawn first.
        lines: over them.
        marks: on top.
    """

    name: str
    x: str
    y: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    areas: tuple[Drawn, ...]
    lines: tuple[Drawn, ...]
    marks: tuple[Mark, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM

    @property
    def legend(self) -> list[tuple[str, Drawn | Mark]]:
        """What is drawn, with the kind of each: area, line or mark."""
        kinds = (("mark", self.marks), ("line", self.lines), ("area", self.areas))
        return [(kind, own) for kind, all_of in kinds for own in all_of if own.label]


class Frame:
    """Puts values into the frame of a chart.

    Args:
        x: to the right.
        y: upwards.
    """

    def __init__(self, x: Axis, y: Axis) -> None:
        self.x, self.y = x, y

    def line(self, x: npt.ArrayLike, y: npt.ArrayLike, style: str, label: str = "", *, steps: bool = False) -> Drawn:
        """Return a line through points; with `steps`, first across and then up or down to each."""
        return Drawn(style, _path(*self._places(x, y), steps=steps), label)

    def area(self, x: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike, style: str, label: str = "") -> Drawn:
        """Return the area between two lines over the same places."""
        across = np.asarray(x, dtype=np.float64)
        there, back = self._places(across, high), self._places(across[::-1], np.asarray(low)[::-1])
        return Drawn(style, f"{_path(*there)}L{_path(*back)[1:]}z", label)

    def between(self, first: Sequence[npt.ArrayLike], second: Sequence[npt.ArrayLike], style: str) -> Drawn:
        """Return the area between two lines, each given by its x and its y from the same end to the same end."""
        there, back = self._places(*first), self._places(*(np.asarray(values)[::-1] for values in second))
        return Drawn(style, f"{_path(*there)}L{_path(*back)[1:]}z")

    def mark(
        self,
        x: float,
        y: float,
        style: str,
        label: str = "",
        *,
        across: tuple[float, float] | None = None,
        along: tuple[float, float] | None = None,
    ) -> Mark:
        """Return a point with its intervals, all as values."""
        (left,), (up,) = self._places([x], [y])
        sides = None if across is None else _pair(self._across(np.array(across)))
        ends = None if along is None else _pair(self._up(np.array(along)))
        return Mark(style, round(float(left), 1), round(float(up), 1), sides, ends, label)

    def chart(
        self, name: str, *, areas: Sequence[Drawn] = (), lines: Sequence[Drawn] = (), marks: Sequence[Mark] = ()
    ) -> Chart:
        """Return the chart."""
        return Chart(
            name,
            self.x.title,
            self.y.title,
            _ticks(self.x, self._across),
            _ticks(self.y, self._up),
            tuple(areas),
            tuple(lines),
            tuple(marks),
        )

    def _across(self, values: npt.ArrayLike) -> Float64Array:
        return np.asarray(LEFT + self.x.along(values) * (WIDTH - LEFT - RIGHT))

    def _up(self, values: npt.ArrayLike) -> Float64Array:
        return np.asarray(HEIGHT - BOTTOM - self.y.along(values) * (HEIGHT - TOP - BOTTOM))

    def _places(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Float64Array, Float64Array]:
        return self._across(x), self._up(y)


def _ticks(axis: Axis, place: Any) -> tuple[Tick, ...]:
    named = [Tick(round(float(place(value)), 1), text) for value, text in axis.ticks]
    return (*named, *(Tick(round(float(place(value)), 1)) for value in axis.minor))


def _pair(values: Float64Array) -> tuple[float, float]:
    low, high = np.round(values, 1).tolist()
    return low, high


def _path(x: Float64Array, y: Float64Array, *, steps: bool = False) -> str:
    """Return an SVG path through places in tenths of a pixel; places that round to the one before are left out."""
    places = [tuple(place) for place in np.round(np.stack([x, y], axis=1), 1).tolist()]
    kept = [place for before, place in zip([None, *places], places, strict=False) if place != before]
    if not steps:
        return "M" + "L".join(f"{left:g} {up:g}" for left, up in kept)
    return f"M{kept[0][0]:g} {kept[0][1]:g}" + "".join(f"H{left:g}V{up:g}" for left, up in kept[1:])
