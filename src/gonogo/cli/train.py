"""``gonogo train``: photos to run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gonogo.cli.console import Console, percent
from gonogo.cli.options import (
    MIXED,
    AsJson,
    Data,
    DryRun,
    Force,
    FormatName,
    GroupBy,
    Mixed,
    SkipUnreadable,
    TaskOption,
    check_choice,
    key_values,
    missing_train_extra,
)


def run(
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder to write.")] = Path("run"),
    arch: Annotated[str, typer.Option(help="Architecture; 'gonogo models' lists them.")] = "taper",
    with_: Annotated[
        list[str] | None, typer.Option("--with", help="Architecture option, such as widths=16,16,8; may be repeated.")
    ] = None,
    good: Annotated[str | None, typer.Option(help="Name of the good class; 'none' to sort into kinds.")] = None,
    format_: FormatName = None,
    task: TaskOption = None,
    mixed: Mixed = "refuse",
    group_by: GroupBy = None,
    find_copies: Annotated[
        bool, typer.Option("--find-copies", help="Search the photos for copies of one another; keep them together.")
    ] = False,
    crop: Annotated[str | None, typer.Option(help="Part of the photo, WIDTHxHEIGHT+X+Y in pixels.")] = None,
    reduce: Annotated[int | None, typer.Option(help="Area reduction by this whole number.")] = None,
    size: Annotated[
        str | None, typer.Option(help="Resize to these pixels: 112 for the shorter side, or 112x280.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Pretrained weights, PyTorch or safetensors; 'hub' fetches the published ones.")
    ] = None,
    colour: Annotated[str | None, typer.Option(help="What the network sees: grey or rgb.")] = None,
    bit_depth: Annotated[int, typer.Option(help="Bits of the camera, for photos of more than 8.")] = 8,
    val: Annotated[float, typer.Option(help="Share of the photos for validation.")] = 0.2,
    test: Annotated[float, typer.Option(help="Share for test, where the data name none.")] = 0.2,
    recipe: Annotated[Path | None, typer.Option(help="Recipe file, TOML.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Recipe value, such as rotate_degrees=10; may be repeated.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training photos.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Photos a step.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, order, augmentation and split.")] = None,
    threads: Annotated[int | None, typer.Option(help="PyTorch threads; 1 is best for tiny networks.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
    force: Force = False,
    skip_unreadable: SkipUnreadable = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Train a network on a folder of photos."""
    from gonogo.config import read_toml, toml_text
    from gonogo.data.geometry import parse_crop, parse_size
    from gonogo.errors import BarNotMetError

    check_choice(colour, "--colour", ("grey", "rgb"))
    check_choice(device, "--device", ("auto", "cpu", "cuda"))
    check_choice(task, "--task", ("binary", "class"))
    check_choice(mixed, "--mixed", MIXED)
    flags = {"epochs": epochs, "batch_size": batch_size, "lr": lr, "seed": seed, "threads": threads}
    values = {
        **(read_toml(recipe) if recipe else {}),
        **key_values(set_ or [], "--set"),
        **{name: value for name, value in flags.items() if value is not None},
    }
    try:
        from gonogo.train.prepare import DataOptions
        from gonogo.train.train import TrainRequest, plan, train
    except ImportError as error:
        raise missing_train_extra(error) from error
    options = DataOptions(
        good=good,
        group_by=group_by,
        find_copies=find_copies,
        crop=parse_crop(crop) if crop else None,
        reduce=reduce,
        colour=colour,  # type: ignore[arg-type]  # checked above
        bit_depth=bit_depth,
        val=val,
        test=test,
        skip_unreadable=skip_unreadable,
        format=format_,
        task=task,  # type: ignore[arg-type]  # checked above
        mixed=mixed,  # type: ignore[arg-type]  # checked above
        size=parse_size(size) if size else None,
    )
    source: Path | Literal["hub"] | None = "hub" if weights == "hub" else Path(weights) if weights else None
    request = TrainRequest(
        data, out, arch, key_values(with_ or [], "--with"), values, options, device, resume, force, source
    )
    with Console(as_json) as console:
        if dry_run:
            tables = plan(request, progress=console.progress, note=console.note).config.to_tables()
            console.line(toml_text(tables).rstrip())
            console.result({"would_write": str(out), **tables})
            return
        finished = train(request, progress=console.progress, report=console.epoch, note=console.note)
        _show(console, out, finished.metrics)
        if finished.metrics["refused"]:
            raise BarNotMetError(finished.metrics["refused"])


def _show(console: Console, out: Path, metrics: dict[str, Any]) -> None:
    figures = metrics["val"]
    how = (
        f"best epoch {metrics['best_epoch']} of {metrics['epochs']}" if metrics["epochs"] else "its head fitted at once"
    )
    console.line(
        f"{metrics['arch']}: {metrics['params']:,} parameters, {metrics['macs'] / 1e6:.2f} M multiply-adds, {how}, "
        f"{metrics['images_per_second']:,.0f} images/s"
    )
    if figures["escape_rate"] is not None:
        console.line(
            f"on validation: escape {percent(figures['escape_rate'])}, overkill {percent(figures['overkill_rate'])}; "
            f"a defect from probability {figures['threshold']:.3f} on"
        )
    console.line(f"accuracy {percent(figures['accuracy'])}")
    console.line(f"run: {out}   next: gonogo eval {out}   gonogo export {out}")
    names = (
        "arch",
        "params",
        "params_trainable",
        "params_frozen",
        "params_statistics",
        "macs",
        "images_per_second",
        "val",
        "refused",
    )
    console.result({"run": str(out), **{name: metrics[name] for name in names}})
