"""The page that shows what a gauge costs on a machine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from gonogo.report.charts import Axis, Chart, Mark, Tick
from gonogo.report.page import write_page

ROW, WIDTH, LEFT, RIGHT, TOP, BOTTOM = 30, 640, 190, 16, 10, 62
STYLES = {"pixels": ("hue0", "from camera pixels"), "jpeg": ("hue1", "from JPEG bytes")}
MARGIN = 1.3  # by how much the axis goes on beyond the values, as a factor
MANY = 3  # powers of ten that are enough for an axis


def write_bench_page(
    path: Path, rows: Sequence[Mapping[str, Any]], gauge: str, device: str, made: datetime | None = None
) -> None:
    """Write the page.

    Args:
        path: the HTML file.
        rows: as of `bench`, of one or more batches.
        gauge: its name.
        device: the machine's name.
        made: when, with its time zone; now unless given.

    Raises:
        UsageError: the folder cannot be written.
    """
    least = min(row["batch"] for row in rows)
    best = min((r for r in rows if r["from"] == "pixels" and r["batch"] == least), key=lambda row: row["p50_ms"])
    write_page(
        path,
        "bench.html",
        made or datetime.now().astimezone(),
        gauge=gauge,
        device=device,
        best=best,
        rows=rows,
        chart=latency_chart(rows),
    )


def latency_chart(rows: Sequence[Mapping[str, Any]]) -> Chart:
    """Return a chart with a row for each file and batch: the median a photo, with a whisker from there to the 99th."""
    lines = list(dict.fromkeys(_line(row) for row in rows))
    photo = [(row, row["p50_ms"] / row["batch"], row["p99_ms"] / row["batch"]) for row in rows]
    ends = min(low for _, low, _ in photo) / MARGIN, max(high for *_, high in photo) * MARGIN
    axis = Axis("milliseconds a photo (logarithmic)", *ends, log=True, unit="ms")
    marks, named = [], set()
    for row, middle, high in photo:
        style, label = STYLES[row["from"]]
        up = TOP + ROW * (lines.index(_line(row)) + (0.35 if row["from"] == "pixels" else 0.65))
        place, end = _across(axis, middle), _across(axis, high)
        marks.append(Mark(style, place, round(up, 1), across=(place, end), label="" if label in named else label))
        named.add(label)
    bottom = TOP + ROW * len(lines)
    return Chart(
        "milliseconds a photo",
        axis.title,
        "",
        tuple(_ticks(axis)),
        tuple(Tick(TOP + ROW * (number + 0.5), text) for number, text in enumerate(lines)),
        (),
        (),
        tuple(marks),
        width=WIDTH,
        height=bottom + BOTTOM,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=bottom,
    )


def _line(row: Mapping[str, Any]) -> str:
    return f"{row['runtime']} {row['precision']}, batch {row['batch']}"


def _ticks(axis: Axis) -> list[Tick]:
    """Return powers of ten, with two and five times them where those are few."""
    powers = range(math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high)) + 1)
    steps = (1,) if len(powers) > MANY else (1, 2, 5)
    values = [step * 10.0**power for power in powers for step in steps if axis.low <= step * 10.0**power <= axis.high]
    return [Tick(_across(axis, value), f"{value:.3g}\N{NO-BREAK SPACE}{axis.unit}") for value in values]


def _across(axis: Axis, value: float) -> float:
    return round(LEFT + float(axis.along(value)) * (WIDTH - LEFT - RIGHT), 1)
