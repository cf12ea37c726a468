"""The page of a study that compares networks on two divisions of the same photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gonogo.report.page import percent, write_page
from gonogo.report.study import StudyTable
from gonogo.types import Rate

STEPS = (0.5, 0.2, 0.1, 0.05, 0.02)  # by which the axis of the strips may begin below 1


@dataclass(frozen=True)
class Strip:
    """A network's accuracy as three marks on one line, places in percent of its length.

    Attributes:
        published: the study's own figure; None where it has none.
        leaky: ours on the published division; None where it was not trained.
        honest: ours on parts never seen.
        low: where its interval begins.
        high: where it ends.
    """

    published: float | None = None
    leaky: float | None = None
    honest: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class BoardRow:
    """A network in the first table.

    Attributes:
        name: of the network.
        is_own: it is gonogo's, not the study's.
        params: of it.
        published: the study's accuracy, as a share; None where it has none.
        leaky: ours on the published division.
        honest: ours on parts never seen.
        auc: area under the ROC curve on parts never seen.
        why: why there are no figures.
    """

    name: str
    is_own: bool
    params: int
    published: float | None
    leaky: Rate | None
    honest: Rate | None
    auc: Rate | None
    why: str


@dataclass(frozen=True)
class BoardPage:
    """What the page shows.

    Attributes:
        study: its name.
        data: the photos' name.
        verdict: a sentence.
        facts: (number, what it counts) under the verdict.
        rows: the first table.
        tables: (title, what to know, table) of what follows.
        remarks: sentences below the first table.
        notes: what the reader should know of the photos.
    """

    study: str
    data: str
    verdict: str
    facts: tuple[tuple[str, str], ...]
    rows: tuple[BoardRow, ...]
    tables: tuple[tuple[str, str, StudyTable], ...]
    remarks: tuple[str, ...]
    notes: tuple[str, ...]


def write_board_page(path: Path, page: BoardPage, made: datetime | None = None) -> None:
    """Write the page.

    Args:
        path: the HTML file.
        page: what it shows.
        made: when, with its time zone; now unless given.

    Raises:
        UsageError: the folder cannot be written.
    """
    low = axis_start(page.rows)
    strips = {row.name: strip(row, low) for row in page.rows}
    ticks = [(100 * k / 4, percent(low + (1 - low) * k / 4)) for k in range(5)]
    write_page(path, "board.html", made or datetime.now().astimezone(), page=page, strips=strips, ticks=ticks)


def axis_start(rows: Sequence[BoardRow]) -> float:
    """Return where the axis begins: 1 at its end, and every mark on it, ends of intervals below it left out."""
    values = [row.published for row in rows] + [r.value for row in rows for r in (row.leaky, row.honest) if r]
    lowest = min((value for value in values if value is not None), default=0.0)
    return next((1 - width for width in reversed(STEPS) if lowest >= 1 - width), 0.0)


def strip(row: BoardRow, low: float) -> Strip:
    """Return the marks of a row on an axis from `low` to 1."""

    def place(value: float | None) -> float | None:
        return None if value is None else round(100 * max(0.0, value - low) / (1 - low), 2)

    honest, leaky = row.honest, row.leaky
    return Strip(
        place(row.published),
        place(leaky.value if leaky else None),
        *(place(value) for value in ((honest.value, honest.low, honest.high) if honest else (None,) * 3)),
    )


def times_of(value: float, base: float) -> str:
    """Return how many times another value a value is: "0.51x", "4.6x", "4,053x"."""
    ratio = value / base
    return f"{ratio:,.0f}x" if ratio >= 10 else f"{ratio:.2g}x"


def latency_table(names: Sequence[str], times: Mapping[str, Mapping[int, float]], unit: str, first: str) -> StudyTable:
    """Return a table of times, each with its ratio to those of the first network.

    Args:
        names: of the networks, in their order.
        times: name to what is counted to its time.
        unit: what is counted, in the plural.
        first: the network that the others are set against.
    """
    counted = sorted({count for own in times.values() for count in own})
    lines = []
    for name in names:
        own, base = times.get(name, {}), times.get(first, {})
        cells = [
            "-"
            if count not in own
            else f"{own[count]:.3g}" + (f" ({times_of(own[count], base[count])})" if base else "")
            for count in counted
        ]
        lines.append((name, *cells))
    return StudyTable(("network", *(f"{count:,} {unit}" for count in counted)), tuple(lines))
