"""``gonogo demo``: the whole way on synthetic castings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gonogo.cli.console import Console, percent
from gonogo.cli.options import AsJson, Force, missing_train_extra


def run(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = Path("out/demo"),
    seed: Annotated[int, typer.Option(help="Of photos, split and training.")] = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Go the whole way on synthetic castings."""
    try:
        from gonogo.demo import demo
    except ImportError as error:
        raise missing_train_extra(error) from error
    with Console(as_json) as console:
        result = demo(out, seed=seed, force=force, progress=console.progress, report=console.epoch, note=console.note)
        figures, row = result["eval"], result["bench"]["rows"][0]
        console.table(
            ("what", "value"),
            (
                ("photos", f"{result['synth']['photos']} of {result['synth']['parts']} parts"),
                ("network", f"{row['params']:,} parameters, {row['size_bytes']:,} bytes as ONNX"),
                ("escape, unseen parts", percent(figures["escape_rate"])),
                ("overkill, unseen parts", percent(figures["overkill_rate"])),
                ("ROC AUC, unseen parts", percent(figures["auc"])),
                ("file against network", f"{result['verify']['max_abs_diff']:.1e} largest difference, same verdicts"),
                ("raw pixels to verdict", f"{row['p50_ms']:.3f} ms (p50), {row['p99_ms']:.3f} ms (p99), one thread"),
            ),
            f"A gauge from synthetic castings, in {result['seconds']:.0f} s",
        )
        console.line(f"gauge:    {result['gauge']}")
        console.line(f"mistakes: {result['mistakes']}")
        console.line(f"picture:  {result['picture']}")
        console.result(result)
