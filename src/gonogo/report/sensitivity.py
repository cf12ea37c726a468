"""The page that shows how much each layer minds losing channels."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from gonogo.compress.prune.sensitivity import SHARES, Sensitivity
from gonogo.report.charts import Chart, Drawn, Mark, Tick
from gonogo.report.page import write_page

ROW, WIDTH, LEFT, RIGHT, TOP, BOTTOM = 21, 640, 250, 16, 10, 62
STYLES = ("hue0", "hue1", "hue2")


def write_sensitivity_page(
    path: Path, rows: Sequence[Sensitivity], run: str, criterion: str, made: datetime | None = None
) -> None:
    """Write the page.

    Args:
        path: the HTML file.
        rows: one for each layer, in the network's order.
        run: its name.
        criterion: that chose the channels.
        made: when, with its time zone; now unless given.

    Raises:
        UsageError: the folder cannot be written.
    """
    hardest = min(rows, key=lambda row: row.agreement[1])
    easiest = max(rows, key=lambda row: row.agreement[1])
    write_page(
        path,
        "sensitivity.html",
        made or datetime.now().astimezone(),
        run=run,
        criterion=criterion,
        hardest=hardest,
        easiest=easiest,
        chart=_chart(rows),
    )


def _chart(rows: Sequence[Sensitivity]) -> Chart:
    """Return a chart with a row for each layer, and a mark for each share of its channels."""
    bottom = TOP + ROW * len(rows)

    def across(share: float) -> float:
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    marks, ticks, lines = [], [], []
    for number, row in enumerate(rows):
        up = TOP + ROW * (number + 0.5)
        ticks.append(Tick(up, f"{row.layer} ({row.channels}{', stream' if row.is_stream else ''})"))
        lines.append(Drawn("chance", f"M{across(min(row.agreement))} {up}H{across(max(row.agreement))}"))
        for style, share, kept in zip(STYLES, SHARES, row.agreement, strict=True):
            marks.append(Mark(style, across(kept), up, label=f"{share:.0%} of them silent" if number == 0 else ""))
    steps = [Tick(across(step / 5), f"{20 * step}\N{NO-BREAK SPACE}%") for step in range(6)]
    return Chart(
        "how much each layer minds",
        "photos still answered as before",
        "",
        tuple(steps),
        tuple(ticks),
        (),
        tuple(lines),
        tuple(marks),
        width=WIDTH,
        height=bottom + BOTTOM,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=bottom,
    )
