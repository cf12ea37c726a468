"""``gonogo phone``: a gauge, or two side by side, in the browser of a phone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gonogo.cli.console import Console
from gonogo.cli.options import AsJson, DryRun, missing_phone_extra

if TYPE_CHECKING:
    from gonogo.serve.phone.serve import Announcement


def run(
    gauges: Annotated[
        list[Path],
        typer.Argument(
            metavar="GAUGE [GAUGE2]", help="A gauge folder or its ONNX file; two are compared side by side."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV file for the latencies that phones measure.")] = Path(
        "phone-latency.csv"
    ),
    host: Annotated[
        str | None, typer.Option(help="Name or address to listen at; everywhere unless given, with --http localhost.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="8443 unless given, with --http 8080; 0 for any free one.")
    ] = None,
    http: Annotated[
        bool, typer.Option("--http", help="No https: for localhost, adb reverse, or behind a proxy.")
    ] = False,
    cert: Annotated[Path | None, typer.Option(help="Your own certificate (PEM) instead of this machine's.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its key (PEM, not encrypted).")] = None,
    threads: Annotated[int, typer.Option(min=1, max=16, help="Threads of the runtime on the phone, at most.")] = 1,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Serve a page on which a phone runs the gauge itself, from its camera or from photos, also offline."""
    try:
        from gonogo.serve.phone.serve import PhoneRequest, serve
    except ImportError as error:
        raise missing_phone_extra(error) from error
    with Console(as_json) as console:
        request = PhoneRequest(tuple(gauges), out, host, port, http, cert, key, threads)
        result = serve(request, lambda told: _announce(console, told, out), console.note, dry_run=dry_run)
        rows = result["rows"]
        if rows:
            console.table(
                ("device", "gauge", "backend", "p50 ms", "p95 ms", "p99 ms", "bytes"),
                (
                    (
                        row["device"],
                        row["gauge"],
                        row["backend"],
                        *(f"{row[name]:.3f}" for name in ("p50_ms", "p95_ms", "p99_ms")),
                        f"{row['size_bytes']:,}",
                    )
                    for row in rows
                ),
            )
        console.result(result)


def _announce(console: Console, told: Announcement, out: Path) -> None:
    for gauge in told.gauges:
        console.line(f"gauge:   {gauge['name']} ({gauge['precision']}, {gauge['size_bytes']:,} bytes)")
    console.line(told.qr)
    console.line(f"phone:   {told.url}")
    console.line(f"desk:    {told.desk}")
    console.line(f"works:   {told.works}")
    console.line(f"latency: {out}")
    console.line("Ctrl-C ends it")
