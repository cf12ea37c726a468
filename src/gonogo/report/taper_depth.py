"""The page of the depth of tapering: the curve with its interval, what each network lacks of the best, its shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from gonogo.compress.taper_depth import TaperDepth
from gonogo.compress.taper_limit import Limit, Row
from gonogo.evaluate.comparison_words import TITLES, shown
from gonogo.evaluate.held_out import AUC
from gonogo.report.charts import Axis, Chart, Frame, Mark, Tick
from gonogo.report.page import write_page

# By how much an axis may begin below its end; the smallest that holds every mark.
SPANS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
STEPS = 5
FINE = 0.01  # steps of an axis of AUC below this take a third digit
BAR, GAP, TALL = 9, 2, 26
ANSWERS = {"falls": "info", "open": "warning", "blind": "error"}


@dataclass(frozen=True)
class Silhouette:
    """A network's widths as bars, one for each stage.

    Attributes:
        path: of the bars, in SVG.
        width: of the drawing.
        height: of the drawing.
    """

    path: str
    width: int
    height: int = TALL


def write_taper_depth_page(path: Path, found: TaperDepth, made: datetime | None = None) -> None:
    """Write the page.

    Args:
        path: the HTML file.
        found: what it shows.
        made: when, with its time zone; now unless given.

    Raises:
        UsageError: the folder cannot be written.
    """
    rows, by, plan = found.rows, found.by, found.compared.plan
    widest = max(width for row in rows for width in row.taper.widths)
    write_page(
        path,
        "taper_depth.html",
        made or datetime.now().astimezone(),
        data=found.request.data.resolve().name,
        arch=found.request.arch,
        answer=found.sentences[0],
        kind=ANSWERS[found.limit.found],
        remarks=found.sentences[1:],
        measure=TITLES[by],
        rows=[_line(row, by, widest) for row in rows],
        facts=_facts(found),
        curve=curve(rows, found.limit, by),
        apart=differences(rows, by),
        folds=plan.request.folds,
        rounds=len(plan.folds),
        notes=plan.prepared.notes,
    )


def _facts(found: TaperDepth) -> list[tuple[str, str]]:
    limit, comparison = found.limit, found.compared.comparison
    facts = []
    if limit.falls is not None:
        facts.append((_number(limit.deepest.taper.depth), "depth it may taper to, of those tried"))
        facts.append((_number(limit.falls.taper.depth), "depth at which it clearly falls"))
    if len(comparison.parts) > 2:  # of many classes, all together
        return [
            *facts,
            (f"{sum(comparison.parts.values()):,}", f"{comparison.unit} of {len(comparison.parts)} classes"),
        ]
    return facts + [(f"{count:,}", f"{side} {comparison.unit}") for side, count in comparison.parts.items()]


def _line(row: Row, by: str, widest: int) -> dict[str, object]:
    """Return a row of the table."""
    figure, difference = row.figure, row.from_best
    apart = (None, None, None) if difference is None else (difference.value, difference.low, difference.high)
    return {
        "depth": _number(row.taper.depth),
        "shape": row.taper.shape,
        "silhouette": silhouette(row.taper.widths, widest),
        "params": row.params,
        "macs": row.macs / 1e6,
        "figure": [_shown(by, value) for value in (figure.value, figure.low, figure.high)],
        "apart": None if difference is None else [_shown(by, value) for value in apart],
        "worse": row.is_worse,
    }


def _number(depth: float) -> str:
    return f"{depth:g}".replace("-", "\N{MINUS SIGN}")


def _shown(by: str, value: float | None) -> str:
    return "-" if value is None else shown(by, value).replace("-", "\N{MINUS SIGN}").replace(" ", "\N{NO-BREAK SPACE}")


def silhouette(widths: Sequence[int], widest: int) -> Silhouette:
    """Return a network's widths as bars around one middle; the widest one of all networks is as tall as the drawing."""
    bars = []
    for number, width in enumerate(widths):
        tall = round(max(1.5, TALL * width / widest), 1)
        bars.append(f"M{number * (BAR + GAP)} {(TALL - tall) / 2:g}h{BAR}v{tall:g}h-{BAR}z")
    return Silhouette("".join(bars), len(widths) * (BAR + GAP) - GAP)


def curve(rows: Sequence[Row], limit: Limit, by: str) -> Chart:
    """Return the measure over the depth, with its interval over parts."""
    low = _start([row.figure.low or 0.0 for row in rows])
    frame = Frame(_depths(rows), Axis(TITLES[by], low, 1.0))
    x = [row.taper.depth for row in rows]
    values, lows, highs = ([getattr(row.figure, end) or 0.0 for row in rows] for end in ("value", "low", "high"))
    marks, named = [], set()
    for row in rows:
        style, label = _style(row)
        marks.append(frame.mark(row.taper.depth, row.figure.value or 0.0, style, "" if label in named else label))
        named.add(label)
    lines = [frame.line(x, values, "curve")]
    if limit.falls is not None:
        between = (limit.deepest.taper.depth + limit.falls.taper.depth) / 2
        lines.append(frame.line([between, between], [low, 1.0], "limit", "from here on it clearly falls"))
    drawn = frame.chart(
        f"{TITLES[by]} over the depth of tapering",
        areas=[frame.area(x, lows, highs, "curve", "95\N{NO-BREAK SPACE}% interval, over parts")],
        lines=lines,
        marks=marks,
    )
    return _ticked(drawn, frame, rows, by, (1 - low) / STEPS)


def differences(rows: Sequence[Row], by: str) -> Chart:
    """Return what each network lacks of the best, with the interval that decides."""
    ends = [0.0, *(row.from_best.low for row in rows if row.from_best)]
    tops = [0.0, *(row.from_best.high for row in rows if row.from_best)]
    down = next((span for span in SPANS if -min(ends) <= span), 1.0)
    up = next((span for span in (0.0, *SPANS) if max(tops) <= span and span <= down), down)
    frame = Frame(_depths(rows), Axis(f"{TITLES[by]}, less that of the best", -down, up))
    marks: list[Mark] = []
    for row in rows:
        style, _ = _style(row)
        apart = row.from_best
        along = None if apart is None else (apart.low, apart.high)
        marks.append(frame.mark(row.taper.depth, 0.0 if apart is None else apart.value, style, along=along))
    zero = frame.line([frame.x.low, frame.x.high], [0, 0], "chance", "as good as the best")
    drawn = frame.chart("what each network lacks of the best", lines=[zero], marks=marks)
    return _ticked(drawn, frame, rows, by, down / STEPS)


def _style(row: Row) -> tuple[str, str]:
    if row.from_best is None:
        return "point", "the best"
    return ("against", "clearly worse than the best") if row.is_worse else ("curve", "not shown to be worse")


def _depths(rows: Sequence[Row]) -> Axis:
    """Return the axis of the depth, a little wider than what was tried."""
    depths = [row.taper.depth for row in rows]
    margin = (depths[-1] - depths[0]) * 0.06
    return Axis("depth of tapering: halvings from first stage to last", depths[0] - margin, depths[-1] + margin)


def _start(lows: Sequence[float]) -> float:
    """Return where an axis that ends at 1 begins."""
    return next((1 - span for span in SPANS if min(lows) >= 1 - span), 0.0)


def _ticked(chart: Chart, frame: Frame, rows: Sequence[Row], by: str, step: float) -> Chart:
    """Return the chart with a tick for each depth, and with the measure's own numbers."""
    x, y = frame.x, frame.y

    def across(value: float) -> float:
        return round(chart.left + float(x.along(value)) * (chart.right - chart.left), 1)

    def up(value: float) -> float:
        return round(chart.bottom - float(y.along(value)) * (chart.bottom - chart.top), 1)

    def text(value: float) -> str:
        # The third digit only where ticks differ in it.
        return f"{value:.2f}".replace("-", "\N{MINUS SIGN}") if by == AUC and step >= FINE else _shown(by, value)

    first = math.ceil(y.low / step - 1e-9)
    values = [k * step for k in range(first, first + 2 * STEPS + 1) if k * step <= y.high + 1e-9]
    depths = tuple(Tick(across(row.taper.depth), _number(row.taper.depth)) for row in rows)
    return replace(chart, x_ticks=depths, y_ticks=tuple(Tick(up(value), text(value)) for value in values))
