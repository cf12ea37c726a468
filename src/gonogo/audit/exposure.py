"""Photos whose light or sharpness is far from all others, and dirt that stands at one place in all of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gonogo.audit.findings import Findings, MapExhibit, PhotoExhibit, mask_of
from gonogo.audit.inspection import Inspection
from gonogo.audit.words import count_of, listed
from gonogo.types import BoolArray, Float64Array

FAR = 6.0  # robust standard deviations
LEAST_SPREAD = {"brightness": 3.0, "sharpness": 0.02}  # grey levels; share of a unit: an even set has no outliers
CLIPPED = 0.25  # share of pixels, above what is usual
LEAST_PHOTOS = 8
SPOT = 6.0  # times what is usual around it, and times the spread of the stack
SPOT_LEVELS = 4.0  # grey levels
LEAST_PARTS = 20
MOST_SHOWN = 6


def check(seen: Inspection) -> tuple[Findings, ...]:
    """Compare every photo with all others, and with those of its class."""
    if len(seen) < LEAST_PHOTOS:
        return ()
    looks = seen.looks
    light = looks.brightness.astype(np.float64)
    sharp = np.log(looks.sharpness.astype(np.float64) + 1e-3)
    clipped = np.maximum(_above_usual(looks.bright), _above_usual(looks.dark))
    deviation = _unusual(seen, light, LEAST_SPREAD["brightness"])
    found = [
        _outliers(
            seen,
            "dark",
            deviation < -FAR,
            -deviation,
            "much darker than all others",
            lambda i: f"mean {light[i]:.0f} of 255",
        ),
        _outliers(
            seen,
            "bright",
            deviation > FAR,
            deviation,
            "much brighter than all others",
            lambda i: f"mean {light[i]:.0f} of 255",
        ),
        _outliers(
            seen,
            "saturated",
            clipped > CLIPPED,
            clipped,
            "far more black or white pixels than usual",
            lambda i: f"{looks.bright[i]:.0%} white, {looks.dark[i]:.0%} black",
        ),
    ]
    blur = -_unusual(seen, sharp, LEAST_SPREAD["sharpness"])
    found.append(
        _outliers(
            seen, "blur", blur > FAR, blur, "much less sharp than all others",
            lambda i: f"{np.exp(sharp[i] - np.median(sharp)):.0%} of the usual sharpness",
        )
    )  # fmt: skip
    found.append(_dirt(seen))
    return tuple(f for f in found if f is not None)


def _above_usual(share: np.ndarray) -> Float64Array:
    return np.asarray(share - np.median(share), dtype=np.float64)


def _unusual(seen: Inspection, values: Float64Array, least: float) -> Float64Array:
    """Return (N,) robust standard deviations from the median of all photos or of the class, whichever is nearer."""
    overall = _deviations(values, values, least)
    own = np.zeros(len(values))
    for k in np.unique(seen.manifest.labels):
        rows = seen.manifest.labels == k
        # A small class is no measure of its own photos.
        own[rows] = _deviations(values[rows], values[rows] if rows.sum() >= LEAST_PHOTOS else values, least)
    return np.where(np.abs(own) < np.abs(overall), own, overall)


def _deviations(values: Float64Array, among: Float64Array, least: float) -> Float64Array:
    middle = np.median(among)
    spread = 1.4826 * np.median(np.abs(among - middle))
    return np.asarray((values - middle) / max(float(spread), least))


def _outliers(
    seen: Inspection, kind: str, mask: BoolArray, score: Float64Array, words: str, caption: Callable[[int], str]
) -> Findings | None:
    order = [int(i) for i in np.argsort(-score, kind="stable") if mask[i]]
    if not order:
        return None
    return Findings(
        check="exposure",
        severity="warning",
        count=len(order),
        summary=f"{count_of(len(order), 'photo')} {'is' if len(order) == 1 else 'are'} {words}"
        if kind != "saturated"
        else f"{count_of(len(order), 'photo')} {'has' if len(order) == 1 else 'have'} {words}",
        advice=f"Look at {listed([seen.paths[i] for i in order], 2)}: a lamp that failed, a lens out of focus or "
        "another scene does not belong in training.",
        mask=mask_of(len(seen), order),
        score=np.where(mask, score, 0.0),
        samples=tuple((seen.paths[i],) for i in order),
        exhibits=tuple(PhotoExhibit(i, caption(i)) for i in order[:MOST_SHOWN]),
        facts={"kind": kind},
    )


def _dirt(seen: Inspection) -> Findings | None:
    """Look for a small spot that stands at one place of the picture whatever part is shown."""
    if len(seen.members) < LEAST_PARTS or len({(f.width, f.height) for f in seen.facts}) > 1:
        return None
    first = np.array([rows[0] for rows in seen.members])
    small = seen.looks.thumbnails[first].astype(np.float64)
    beyond = small - _blurred(small)
    stack = np.median(beyond, axis=0)
    spread = 1.4826 * np.median(np.abs(beyond - stack), axis=0) / np.sqrt(len(small)) + 0.25
    # The edges of parts that always lie in one place are strong too, but so are their neighbours.
    strength = np.abs(stack) / np.maximum(_usual_around(np.abs(stack)), 1.0)
    spots = (strength > SPOT) & (np.abs(stack) > SPOT_LEVELS) & (np.abs(stack) > SPOT * spread)
    spots &= _lonely(spots)
    if not spots.any():
        return None
    y, x = np.unravel_index(int(np.argmax(np.where(spots, np.abs(stack), 0))), stack.shape)
    width, height = seen.facts[0].width, seen.facts[0].height
    at = (round((x + 0.5) * width / stack.shape[1]), round((y + 0.5) * height / stack.shape[0]))
    return Findings(
        check="exposure",
        severity="warning",
        count=int(spots.sum()),
        summary=f"a spot stands at the same place in the photos of {count_of(len(first), 'part')}, around x {at[0]}, "
        f"y {at[1]}, {stack[y, x]:+.0f} grey levels: dirt on the lens or the light?",
        advice="Clean lens and lamp, and take photos anew; a network may take the spot for a feature of the part.",
        mask=mask_of(len(seen), []),
        score=np.zeros(len(seen)),
        exhibits=(
            MapExhibit(stack.astype(np.float32), "median over parts, less its surroundings, grey levels", signed=True),
        ),
        facts={"kind": "dirt", "x": at[0], "y": at[1], "grey_levels": float(stack[y, x])},
    )


def _blurred(small: Float64Array) -> Float64Array:
    """Return the median-like surroundings of each pixel: the mean of a 5x5 frame around it."""
    height, width = small.shape[1:]
    padded = np.pad(small, ((0, 0), (2, 2), (2, 2)), mode="reflect")
    frame = [(y, x) for y in range(5) for x in range(5) if not (0 < y < 4 and 0 < x < 4)]
    # Summed place by place: all of them side by side are sixteen times the photos, gigabytes for 20,000.
    total = np.zeros_like(small)
    for y, x in frame:
        total += padded[:, y : y + height, x : x + width]
    return np.asarray(total / len(frame))


def _usual_around(values: Float64Array) -> Float64Array:
    """Return the median of the 7x7 pixels around each one."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, 3, mode="reflect"), (7, 7))
    return np.asarray(np.median(windows, axis=(2, 3)))


def _lonely(spots: BoolArray) -> BoolArray:
    """Return where a spot is small: an edge of the part that is always in one place is long."""
    padded = np.pad(spots, 3)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7))
    return np.asarray(windows.sum(axis=(2, 3)) <= 9)
