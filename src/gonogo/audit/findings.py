"""What a check of the photos answers, in numbers; the report draws it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from gonogo.types import BoolArray, Float32Array, Float64Array, Int64Array

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class PhotoExhibit:
    """One photo worth seeing.

    Attributes:
        index: of the photo.
        caption: what to see in it.
    """

    index: int
    caption: str


@dataclass(frozen=True)
class PairExhibit:
    """Two photos, to be shown side by side, the second laid over the first.

    Attributes:
        i: index of one photo.
        j: index of the other.
        matrix: (2, 3) float64, takes (x, y, 1) in pixels of photo j to (x, y) in pixels of photo i.
        caption: what they have in common, and what not.
    """

    i: int
    j: int
    matrix: Float64Array
    caption: str


@dataclass(frozen=True)
class MapExhibit:
    """A picture made of numbers, such as the mean of a class.

    Attributes:
        values: (h, w) float32.
        caption: what they are, with their unit.
        signed: drawn in two colours around 0; otherwise from black to white.
    """

    values: Float32Array
    caption: str
    signed: bool = False


@dataclass(frozen=True)
class ScatterExhibit:
    """Every photo as a point.

    Attributes:
        points: (N, 2) float32.
        labels: (N,) class numbers.
        caption: what the axes are.
    """

    points: Float32Array
    labels: Int64Array
    caption: str


@dataclass(frozen=True)
class TableExhibit:
    """A small table.

    Attributes:
        columns: the names of the columns.
        rows: text, one cell for each column; the first column names the row.
        caption: what it says.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str


Exhibit = PhotoExhibit | PairExhibit | MapExhibit | ScatterExhibit | TableExhibit


@dataclass(frozen=True)
class Findings:
    """What one check found among N photos.

    Attributes:
        check: name of the check.
        severity: error where figures made from these photos would be wrong, warning where they may be, info otherwise.
        count: how many photos (or files that are no photos, or properties) it concerns.
        summary: one sentence with the figures.
        advice: what to do about it.
        mask: (N,) the photos concerned.
        score: (N,) how clearly, larger is clearer; 0 for the others.
        samples: paths that belong together, every one of them, the clearest first.
        exhibits: what a page shows.
        facts: figures for scripts, plain values.
    """

    check: str
    severity: Severity
    count: int
    summary: str
    advice: str
    mask: BoolArray
    score: Float64Array
    samples: tuple[tuple[str, ...], ...] = ()
    exhibits: tuple[Exhibit, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "check": self.check,
            "severity": self.severity,
            "count": self.count,
            "summary": self.summary,
            "advice": self.advice,
            "samples": [list(sample) for sample in self.samples],
            "facts": dict(self.facts),
        }


def mask_of(n: int, indices: Sequence[int] | Int64Array) -> BoolArray:
    """Return (n,) bool, true at the indices."""
    mask = np.zeros(n, dtype=np.bool_)
    mask[np.asarray(indices, dtype=np.int64)] = True
    return mask
