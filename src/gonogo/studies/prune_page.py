"""The page of the pruning study."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from gonogo.report.page import write_page
from gonogo.report.study import StudyTable
from gonogo.studies import published


def write_prune_page(path: Path, document: dict[str, Any], made: datetime | None = None) -> None:
    """Write the page.

    Args:
        path: the HTML file.
        document: what ``gonogo study prune --json`` says.
        made: when, with its time zone; now unless given.

    Raises:
        UsageError: the folder cannot be written.
    """
    table = document["table"]
    told = published("prune")
    published_rows = tuple(
        (network["name"], row["method"], f"{row['flops_cut']:.0%}", f"{network['base']:.2f}", f"{row['accuracy']:.2f}")
        for network in told.values()
        for row in network["rows"]
    )
    write_page(
        path,
        "prune.html",
        made or datetime.now().astimezone(),
        data=Path(document["data"]).resolve().name,
        verdict=document["verdict"],
        ours=StudyTable(tuple(table["columns"]), tuple(map(tuple, table["rows"]))),
        theirs=StudyTable(
            ("network", "method", "multiply-adds cut", "accuracy before", "accuracy after"), published_rows
        ),
    )
