"""``gonogo export``: run to gauge."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gonogo.cli.console import Console
from gonogo.cli.options import AsJson, DryRun, Force, missing_train_extra

if TYPE_CHECKING:
    from gonogo.runtimes import Placement


def run(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Gauge folder to write.")] = Path("gauge"),
    formats: Annotated[
        list[str] | None, typer.Option("--format", help="Exporter; may be repeated. Default: onnx.")
    ] = None,
    force: Force = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Export a run as a gauge."""
    try:
        from gonogo.export.gauge import export_gauge, planned_files
        from gonogo.train.run import Run
    except ImportError as error:
        raise missing_train_extra(error) from error
    with Console(as_json) as console:
        if dry_run:
            names = planned_files(Run.open(run_folder), out, formats or ["onnx"], force=force)
            console.line(f"would write {out}: {', '.join(names)}")
            console.result({"would_write": str(out), "files": names})
            return
        exported = export_gauge(Run.open(run_folder), out, formats or ["onnx"], force=force)
        placements = {file.path: _placement(out / file.path, file.runtime) for file in exported.gauge.files}
        files = [
            {
                "runtime": file.runtime,
                "precision": file.precision,
                "path": str(out / file.path),
                "size_bytes": file.size_bytes,
                "max_abs_diff": parity.max_abs_diff,
                "verdicts_equal": parity.verdicts_equal,
                "refused": None,
                "placement": asdict(where) if (where := placements[file.path]) is not None else None,
            }
            for file, parity in zip(exported.gauge.files, exported.parities, strict=True)
        ]
        console.table(
            ("file", "runtime", "precision", "bytes", "largest difference", "verdicts"),
            (
                (
                    file.path,
                    file.runtime,
                    file.precision,
                    f"{file.size_bytes:,}",
                    f"{parity.max_abs_diff:.1e}",
                    f"{'equal' if parity.verdicts_equal else 'not all equal'} on {parity.images} photos",
                )
                for file, parity in zip(exported.gauge.files, exported.parities, strict=True)
            ),
        )
        for name, placement in placements.items():
            if placement is not None:
                console.line(f"{name}: {placement.in_words}")
        leaky = exported.gauge.facts.about["leaky"]
        if leaky:
            console.note("leaky: this gauge comes from a split that leaks; every figure in it is too good")
        console.line(f"gauge: {out}   next: gonogo verify {out}   gonogo predict {out} PHOTOS")
        console.result({"gauge": str(out), "files": files, "leaky": leaky})


def _placement(path: Path, runtime: str) -> Placement | None:
    """Return where a file's operators run, under a runtime that delegates some."""
    from gonogo.runtimes import RUNTIMES

    found = RUNTIMES.get(runtime).placement
    return None if found is None else found(path)
