"""What the checks want shown, turned into what the page's templates draw."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby

from gonogo.audit.findings import (
    Exhibit,
    MapExhibit,
    PairExhibit,
    PhotoExhibit,
    ScatterExhibit,
    TableExhibit,
)
from gonogo.audit.inspection import Inspection
from gonogo.report.figures import Scatter, scatter
from gonogo.report.overlay import lay_over, movement
from gonogo.report.pictures import Album, MapPicture, Picture, map_picture, photo_picture

NUMBER = re.compile("^[-+\N{MINUS SIGN}]?[0-9][0-9,.]*( ?(%|ms|px|kB))?$|^[-\N{EN DASH}]?$")
WIDE = 1.7  # width over height, from which on four photos in a row would be too small
# How many of a kind stand open; the others wait behind a line that is opened.
OPEN = {"pair": 3, "photo": 12, "map": 12, "scatter": 4, "table": 4}


@dataclass(frozen=True)
class Shown:
    """A photo with what is known of it.

    Attributes:
        picture: the photo.
        path: of its file.
        label: its class.
        split: its split, or empty.
    """

    picture: Picture
    path: str
    label: str
    split: str


@dataclass(frozen=True)
class PairFigure:
    """Two photos and what proves that they are the same.

    Attributes:
        first: on the left.
        second: as it is stored.
        laid: the second in the frame of the first.
        squares: both by turns.
        movement: how the second one was moved.
        overlap: share of the first photo that the second one shows.
        correlation: of their details where they overlap.
        raised: how many times the contrast of the squares is that of the photos.
        wide: whether the photos are wide.
        caption: of the check.
    """

    first: Shown
    second: Shown
    laid: Picture
    squares: Picture
    movement: str
    overlap: float
    correlation: float | None
    raised: float
    wide: bool
    caption: str


@dataclass(frozen=True)
class PhotoFigure:
    """One photo with the caption of the check."""

    photo: Shown
    caption: str


@dataclass(frozen=True)
class MapFigure:
    """A map with the caption of the check."""

    map: MapPicture
    signed: bool
    caption: str


@dataclass(frozen=True)
class ScatterFigure:
    """Points with the caption of the check."""

    scatter: Scatter
    caption: str


@dataclass(frozen=True)
class TableFigure:
    """A table; `numeric` says for each column whether it holds numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    caption: str


Figure = PairFigure | PhotoFigure | MapFigure | ScatterFigure | TableFigure


@dataclass(frozen=True)
class Block:
    """Figures of one kind that follow each other.

    Attributes:
        kind: pair, photo, map, scatter or table.
        shown: those that stand open.
        more: those that wait behind a line.
    """

    kind: str
    shown: tuple[Figure, ...]
    more: tuple[Figure, ...]


def blocks_of(exhibits: tuple[Exhibit, ...], seen: Inspection, album: Album) -> tuple[Block, ...]:
    """Draw the exhibits of a finding, in their order.

    Args:
        exhibits: of one finding.
        seen: the photos they are of.
        album: decodes them.

    Raises:
        DataError: a photo can no longer be read.
    """
    blocks = []
    for kind, own in groupby(exhibits, key=_kind):
        figures = tuple(_figure(exhibit, seen, album) for exhibit in own)
        blocks.append(Block(kind, figures[: OPEN[kind]], figures[OPEN[kind] :]))
    return tuple(blocks)


def _kind(exhibit: Exhibit) -> str:
    return type(exhibit).__name__.removesuffix("Exhibit").lower()


def _figure(exhibit: Exhibit, seen: Inspection, album: Album) -> Figure:
    match exhibit:
        case PairExhibit():
            return _pair(exhibit, seen, album)
        case PhotoExhibit(index, caption):
            return PhotoFigure(_shown(index, seen, album), caption)
        case MapExhibit(values, caption, signed):
            return MapFigure(map_picture(values, signed=signed), signed, caption)
        case ScatterExhibit(points, labels, caption):
            return ScatterFigure(scatter(points, labels, seen.manifest.classes), caption)
        case TableExhibit(columns, rows, caption):
            numeric = tuple(all(NUMBER.match(row[place]) for row in rows) for place in range(len(columns)))
            return TableFigure(columns, rows, numeric, caption)


def _shown(index: int, seen: Inspection, album: Album) -> Shown:
    sample = seen.manifest.samples[index]
    return Shown(album.picture(index), sample.path, sample.label, sample.split)


def _pair(exhibit: PairExhibit, seen: Inspection, album: Album) -> PairFigure:
    first, second = album.photo(exhibit.i), album.photo(exhibit.j)
    over = lay_over(first, second, exhibit.matrix)
    return PairFigure(
        first=_shown(exhibit.i, seen, album),
        second=_shown(exhibit.j, seen, album),
        laid=photo_picture(first, over.laid, over.known),
        squares=photo_picture(first, over.squares),
        movement=movement(exhibit.matrix, first.size, second.size),
        overlap=over.overlap,
        correlation=over.correlation,
        raised=over.raised,
        wide=first.size[0] > WIDE * first.size[1],
        caption=_unsaid(exhibit, seen),
    )


def _unsaid(exhibit: PairExhibit, seen: Inspection) -> str:
    """Return the caption without the splits and labels that stand above the photos already."""
    samples = (seen.manifest.samples[index] for index in (exhibit.i, exhibit.j))
    sides = [", ".join(word for word in (sample.split, sample.label) if word) for sample in samples]
    return exhibit.caption.removeprefix(f"{sides[0]} and {sides[1]}, ")
