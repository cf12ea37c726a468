"""``gonogo quantize``: fewer bits, where that is really faster and nearly as good."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gonogo.cli.console import Console
from gonogo.cli.options import (
    MIXED,
    AsJson,
    DryRun,
    Force,
    GroupBy,
    MixedOrAsTrained,
    Photos,
    SkipUnreadable,
    TaskOption,
    check_choice,
    missing_train_extra,
)
from gonogo.errors import BarNotMetError, UsageError

if TYPE_CHECKING:
    from gonogo.compress.gate import Gated
    from gonogo.compress.quantize.quantize import Quantized


def run(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run.")],
    data: Annotated[
        Path | None,
        typer.Argument(help="Photos to calibrate on; the run's training photos unless given."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Gauge folder to write.")] = Path("gauge"),
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="onnx-int8 (default), openvino-int8, openvino-bf16, litert-int8, or all."),
    ] = None,
    max_drop: Annotated[
        float, typer.Option(help="Points by which any class may be answered rightly less often on validation.")
    ] = 0.5,
    aware: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs to learn with rounding in mind first; that run is written to OUT-run."),
    ] = None,
    repeats: Annotated[int, typer.Option(min=10, help="Timed turns; 200 or more for figures to report.")] = 300,
    data_format: Annotated[str | None, typer.Option(help="Format of DATA, where it is not recognised.")] = None,
    task: TaskOption = None,
    mixed: MixedOrAsTrained = None,
    photos: Photos = None,
    group_by: GroupBy = None,
    skip_unreadable: SkipUnreadable = False,
    force: Force = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Quantize a run; what is not faster, or not as good, is refused with its figures."""
    check_choice(task, "--task", ("binary", "class"))
    check_choice(mixed, "--mixed", MIXED)
    if not 0 <= max_drop <= 100:
        raise UsageError(f"--max-drop is {max_drop:g}, expected points from 0 to 100, such as 0.5")
    try:
        from gonogo.compress.quantize.quantize import QuantizeRequest, planned, quantize
        from gonogo.data.reading import Reading
        from gonogo.train.run import Run
    except ImportError as error:
        raise missing_train_extra(error) from error
    with Console(as_json) as console:
        if aware is not None and not dry_run:
            run_folder = _learn_rounded(console, run_folder, out, aware, max_drop, force)
        request = QuantizeRequest(
            Run.open(run_folder),
            out,
            tuple(formats or ("onnx-int8",)),
            data,
            Reading(data_format, task, mixed, group_by, photos),  # type: ignore[arg-type]  # checked above
            max_drop=max_drop,
            repeats=repeats,
            force=force,
            skip_unreadable=skip_unreadable,
        )
        if dry_run:
            names = planned(request)
            console.line(f"would write {out}: what is faster and good enough of {', '.join(names)}")
            console.result({"would_write": str(out), "files": names})
            return
        result = quantize(request, console.progress)
        _show(console, run_folder, out, result, request.run.metrics)
        if result.refused:
            raise BarNotMetError(result.refused)


def _learn_rounded(console: Console, run_folder: Path, out: Path, epochs: int, max_drop: float, force: bool) -> Path:
    """Let the network learn with rounding in mind, after the checks of what is to be written; return the new run."""
    from gonogo.compress.quantize.aware import AwareRequest, learn_rounded
    from gonogo.files import check_new_folder
    from gonogo.gauge.gauge import MANIFEST_NAME

    check_new_folder(out, force=force, marker=MANIFEST_NAME)
    made = out.with_name(f"{out.name}-run")
    request = AwareRequest(run_folder, made, epochs, max_drop=max_drop, force=force)
    learnt = learn_rounded(request, progress=console.progress, report=console.epoch)
    console.line(f"run:    {made}, {learnt.metrics['aware']['layers']} layers learnt with rounding in mind")
    return made


def _show(console: Console, run_folder: Path, out: Path, result: Quantized, metrics: dict[str, Any]) -> None:
    from gonogo.bench.timer import device_name

    reference = [
        (row["name"], row["precision"], f"{row['p50_ms']:.3f}", "", "", f"{row['size_bytes']:,}", "")
        for row in result.references
    ]
    console.table(
        ("file", "precision", "p50 ms", "as fast as fp32", "largest drop", "bytes", ""),
        [*reference, *(_cells(row) for row in result.rows)],
        f"{device_name()}, one thread, one photo a call, from raw pixels",
    )
    for name, mixed in result.mixed.items():
        if mixed.floats:
            console.note(f"{name}: {len(mixed.floats)} of {mixed.layers} layers stay in float, being most sensitive")
    if result.gauge is not None:
        for row in result.rows:
            if row.reason:
                console.note(row.reason)
        first = result.gauge.files[0].path
        console.line(f"gauge: {out} ({first} answers unless another is named)   next: gonogo verify {out}")
    p50 = min((row.speed.p50_ms for row in result.rows if row.accepted and row.speed), default=None)
    console.result(
        {
            "run": str(run_folder),
            "gauge": None if result.gauge is None else str(out),
            **{name: metrics[name] for name in ("arch", "params", "macs")},
            "images_per_second": None if p50 is None else 1e3 / p50,
            "val": result.val,
            "leaky": metrics.get("leaky"),
            "device": device_name(),
            "rows": [
                *result.references,
                *(row.to_json() | _layers(result, row.name) for row in result.rows),
            ],
            "refused": result.refused,
        }
    )


def _layers(result: Quantized, name: str) -> dict[str, Any]:
    mixed = result.mixed.get(name)
    return {"float_layers": list(mixed.floats) if mixed else [], "noise": vars(mixed.noise) if mixed else None}


def _cells(row: Gated) -> tuple[str, ...]:
    """Return a row of the table."""
    verdict = "accepted" if row.accepted else "refused"
    if row.speed is None:
        return row.name, row.precision, "-", "-", "-", "-", verdict
    speed = row.speed
    worst = max(row.drop.items(), key=lambda item: item[1].value)
    return (
        row.name,
        row.precision,
        f"{speed.p50_ms:.3f}",
        f"{speed.speedup:.2f}x ({speed.low:.2f} to {speed.high:.2f})",
        f"{worst[0]}: {worst[1].points}",
        f"{row.size_bytes:,}",
        verdict,
    )
