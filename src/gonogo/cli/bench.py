"""``gonogo bench``: how long a gauge takes on this machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from gonogo.cli.console import Console
from gonogo.cli.options import AsJson, missing_train_extra
from gonogo.errors import UsageError

BATCHES = [1, 32]


def run(
    gauge: Annotated[Path, typer.Argument(help="A gauge folder.")],
    threads: Annotated[int, typer.Option(min=1, help="Threads of the runtime.")] = 1,
    batch: Annotated[list[int], typer.Option(min=1, help="Photos a call; give it again for more.")] = BATCHES,
    repeats: Annotated[int, typer.Option(min=1, help="Timed calls; 200 or more for figures to report.")] = 500,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Page to write, with the plot: NAME.html.")] = None,
    as_json: AsJson = False,
) -> None:
    """Time a gauge from camera pixels and from JPEG bytes."""
    from gonogo.bench.timer import bench, device_name
    from gonogo.gauge.gauge import Gauge

    with Console(as_json) as console:
        write = _page_writer(out)
        opened = Gauge.load(gauge)
        rows = [
            row for own in dict.fromkeys(batch) for row in bench(opened, threads=threads, batch=own, repeats=repeats)
        ]
        device = device_name()
        console.table(
            *_table(rows), f"{device}, {threads} {'thread' if threads == 1 else 'threads'}, {repeats} calls each"
        )
        leaky = opened.facts.about.get("leaky")
        if leaky:
            console.note("leaky: this gauge comes from a split that leaks; its figures of quality are too good")
        if write is not None:
            write(rows, gauge.resolve().name, device)
            console.line(f"page: {out}")
        console.result({"device": device, "rows": rows, "leaky": leaky, "page": None if out is None else str(out)})


def _page_writer(out: Path | None) -> Callable[..., None] | None:
    """Return what writes the page, before anything is timed for it; None where none is asked for."""
    if out is None:
        return None
    if out.suffix != ".html":
        raise UsageError(f"--out: expected the name of a page, which ends in .html, found '{out}'")
    try:
        from gonogo.report.bench import write_bench_page
    except ImportError as error:
        raise missing_train_extra(error) from error
    return partial(write_bench_page, out)


def _table(rows: list[dict[str, Any]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    names = (
        "runtime",
        "precision",
        "batch",
        "from",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "images/s",
        "kB",
        "memory MB",
        "roofline",
    )
    lines = []
    for row in rows:
        memory, share = row["peak_memory_bytes"], row["roofline_share"]
        lines.append(
            (
                row["runtime"],
                row["precision"],
                str(row["batch"]),
                row["from"],
                *(f"{row[name]:.3f}" for name in ("p50_ms", "p95_ms", "p99_ms")),
                f"{row['images_per_second']:,.0f}",
                f"{row['size_bytes'] / 1000:,.1f}",
                "-" if memory is None else f"{memory / 1e6:,.1f}",
                "-" if share is None else f"{share:.0%}",
            )
        )
    return names, lines
