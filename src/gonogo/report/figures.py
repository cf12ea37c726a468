"""Figures as numbers that the page's templates draw in SVG: no text is put into markup here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gonogo.types import BoolArray, Float32Array, Float64Array, Int64Array

WIDTH, HEIGHT, MARGIN = 640, 420, 14
MOST_POINTS = 4_000  # more of them cover each other, and only make the page heavy
LEAST_OF_CLASS = 100
LAYERS = 6  # the classes are drawn by turns, so that the last one does not hide the others
HUES = 7  # colours that the style sheet knows
# Shapes around (0, 0), as a move to their first point and the rest: what tells classes apart where colours do not.
MARKERS = (
    ("-2.5 0", "a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0"),  # circle
    ("0-3.2", "l3 5.4h-6z"),  # triangle
    ("-2.3-2.3", "h4.6v4.6h-4.6z"),  # square
    ("0-3.4", "l3.4 3.4l-3.4 3.4l-3.4-3.4z"),  # diamond
    ("-1-3.2", "h2v2.2h2.2v2h-2.2v2.2h-2v-2.2h-2.2v-2h2.2z"),  # cross
    ("0 3.2", "l3-5.4h-6z"),  # triangle on its tip
    ("-3.4-1.3", "h6.8v2.6h-6.8z"),  # bar
    ("-1.3-3.4", "h2.6v6.8h-2.6z"),  # upright bar
)


@dataclass(frozen=True)
class Mark:
    """How the points of one class look.

    Attributes:
        name: of the class.
        hue: number of its colour, below `HUES`.
        path: SVG path of one marker, around (0, 0).
        count: how many points there are, drawn or not.
    """

    name: str
    hue: int
    path: str
    count: int


@dataclass(frozen=True)
class Scatter:
    """Points in a frame of `WIDTH` by `HEIGHT`.

    Attributes:
        layers: (hue, SVG path) in the order in which they are drawn.
        marks: of the classes that have points.
        drawn: how many points are drawn.
        total: how many there are.
        lost: how many have no place, because a coordinate is no finite number.
        x: the values at the left and the right end.
        y: the values at the lower and the upper end.
    """

    layers: tuple[tuple[int, str], ...]
    marks: tuple[Mark, ...]
    drawn: int
    total: int
    lost: int
    x: tuple[float, float]
    y: tuple[float, float]
    width: int = WIDTH
    height: int = HEIGHT


def scatter(points: Float32Array, labels: Int64Array, classes: tuple[str, ...]) -> Scatter:
    """Draw points; of many the same share of every class is drawn, and always the same ones.

    Args:
        points: (N, 2).
        labels: (N,) class numbers.
        classes: their names.
    """
    finite: BoolArray = np.asarray(np.isfinite(points).all(axis=1))
    known, labels = points[finite].astype(np.float64), labels[finite]
    kept = thinned(labels, MOST_POINTS)
    low, high = (known.min(axis=0), known.max(axis=0)) if len(known) else (np.zeros(2), np.zeros(2))
    places = _placed(known[kept], low, high)
    layers = []
    for layer in range(LAYERS):
        for k in range(len(classes)):
            own = places[layer::LAYERS][labels[kept][layer::LAYERS] == k]
            if len(own):
                layers.append((k % HUES, _path(own, k)))
    counts = np.bincount(labels, minlength=len(classes))
    return Scatter(
        layers=tuple(layers),
        marks=tuple(
            Mark(name, k % HUES, _path(np.zeros((1, 2)), k), int(counts[k]))
            for k, name in enumerate(classes)
            if counts[k]
        ),
        drawn=len(kept),
        total=len(finite),
        lost=int((~finite).sum()),
        x=(float(low[0]), float(high[0])),
        y=(float(low[1]), float(high[1])),
    )


def thinned(labels: Int64Array, most: int) -> Int64Array:
    """Return which points are drawn, shuffled: all, or about `most` with the same share of each class but the small.

    Args:
        labels: (N,) class numbers.
        most: how many points about.
    """
    order = np.random.default_rng(0).permutation(len(labels))
    if len(labels) <= most:
        return np.asarray(order)
    shuffled = labels[order]
    counts = np.bincount(labels)
    quota = np.maximum(counts * most // len(labels), LEAST_OF_CLASS)
    rank = np.empty(len(labels), dtype=np.int64)
    for k in range(len(counts)):
        own = shuffled == k
        rank[own] = np.arange(own.sum())
    return np.asarray(order[rank < quota[shuffled]])


def _placed(points: Float64Array, low: Float64Array, high: Float64Array) -> Float64Array:
    """Return (M, 2) places in the frame; y grows upwards. A single value stands in the middle."""
    span = high - low
    share = np.where(span > 0, (points - low) / np.where(span > 0, span, 1), 0.5)
    inner = np.array([WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN])
    return np.asarray(MARGIN + np.stack([share[:, 0], 1 - share[:, 1]], axis=1) * inner)


def _path(places: Float64Array, k: int) -> str:
    """Return one SVG path with the marker of class k at every place."""
    start, rest = MARKERS[k % len(MARKERS)]
    return "".join(f"M{x:.1f} {y:.1f}m{start}{rest}" for x, y in places.tolist())
