"""``gonogo synth``: synthetic castings with defects of known kind and place."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from gonogo.cli.console import Console
from gonogo.cli.options import AsJson, DryRun, Force


def run(
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    parts: Annotated[int, typer.Option(help="Distinct castings.")] = 60,
    views: Annotated[int, typer.Option(help="Photos of each part, turned, moved and lit anew.")] = 3,
    copies: Annotated[int, typer.Option(help="Plain transformed copies of photos, for each part.")] = 0,
    defective: Annotated[float, typer.Option(help="Share of the parts that have defects.")] = 0.5,
    difficulty: Annotated[float, typer.Option(help="0 obvious to 1 barely visible.")] = 0.5,
    kinds: Annotated[
        str | None, typer.Option(help="Defects to draw from: blowhole,crack,chip,scratch. Default: all.")
    ] = None,
    size: Annotated[int, typer.Option(help="Width and height of the photos, in pixels.")] = 300,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    force: Force = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Draw synthetic castings, good and defective."""
    from gonogo.data.synthetic import KINDS, check_castings, write_castings
    from gonogo.files import check_new_folder

    look: dict[str, Any] = {
        "parts": parts,
        "views": views,
        "copies": copies,
        "defective": defective,
        "difficulty": difficulty,
        "kinds": tuple(kinds.split(",")) if kinds else KINDS,
        "size": size,
        "seed": seed,
        "workers": workers,
    }
    with Console(as_json) as console:
        if dry_run:
            check_castings(**look)
            check_new_folder(out, force=force)
            photos = parts * (views + copies)
            console.line(f"would draw {photos} photos of {parts} parts into {out}")
            console.result({"would_write": str(out), "photos": photos, "parts": parts})
            return
        summary = write_castings(
            out, **look, force=force, progress=lambda done, total: console.progress("drawing", done, total)
        )
        console.line(
            f"{summary.photos} photos of {summary.parts} parts, {summary.defective_parts} of them defective: {out}"
        )
        console.line(f"next: gonogo train {out}")
        console.result({**asdict(summary), "folder": str(summary.folder)})
