"""``gonogo bench``: how long a gauge takes on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gonogo.cli.console import Console
from gonogo.cli.options import AsJson


def run(
    gauge: Annotated[Path, typer.Argument(help="A gauge folder.")],
    threads: Annotated[int, typer.Option(min=1, help="Threads of the runtime.")] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Photos a call.")] = 1,
    repeats: Annotated[int, typer.Option(min=1, help="Timed calls; 200 or more for figures to report.")] = 500,
    as_json: AsJson = False,
) -> None:
    """Time a gauge from camera pixels and from JPEG bytes."""
    from gonogo.bench.timer import bench, device_name
    from gonogo.gauge.gauge import Gauge

    with Console(as_json) as console:
        opened = Gauge.load(gauge)
        rows = bench(opened, threads=threads, batch=batch, repeats=repeats)
        device = device_name()
        console.table(
            ("model", "runtime", "precision", "from", "p50 ms", "p95 ms", "p99 ms", "images/s", "bytes"),
            (
                (
                    row["model"],
                    row["runtime"],
                    row["precision"],
                    row["from"],
                    f"{row['p50_ms']:.3f}",
                    f"{row['p95_ms']:.3f}",
                    f"{row['p99_ms']:.3f}",
                    f"{row['images_per_second']:,.0f}",
                    f"{row['size_bytes']:,}",
                )
                for row in rows
            ),
            f"{device}, {threads} {'thread' if threads == 1 else 'threads'}, batch {batch}, {repeats} calls",
        )
        leaky = opened.facts.about.get("leaky")
        if leaky:
            console.note("leaky: this gauge comes from a split that leaks; its figures of quality are too good")
        console.result({"device": device, "rows": rows, "leaky": leaky})
