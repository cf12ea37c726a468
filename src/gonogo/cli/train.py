"""``gonogo train``: photos to run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gonogo.cli.console import Console, leaky_mark, percent, show_promise
from gonogo.cli.options import (
    MIXED,
    AsJson,
    Data,
    DryRun,
    FindCopies,
    Force,
    FormatName,
    GroupBy,
    Groups,
    Mixed,
    Photos,
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
    photos: Photos = None,
    groups: Groups = None,
    find_copies: FindCopies = True,
    resplit: Annotated[bool, typer.Option("--resplit", help="Make a new split, whatever the data came with.")] = False,
    allow_leaks: Annotated[
        bool, typer.Option("--allow-leaks", help="Keep a split that leaks; every figure is then marked as leaky.")
    ] = False,
    crop: Annotated[str | None, typer.Option(help="Part of the photo, WIDTHxHEIGHT+X+Y in pixels.")] = None,
    reduce: Annotated[int | None, typer.Option(help="Area reduction by this whole number.")] = None,
    size: Annotated[
        str | None, typer.Option(help="Resize to these pixels: 112 for the shorter side, or 112x280.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Pretrained weights, PyTorch or safetensors; 'hub' fetches the published ones.")
    ] = None,
    cut: Annotated[
        str | None, typer.Option(help="Last block of a stump; 'auto' lets the parts choose it, its size and pooling.")
    ] = None,
    unfreeze: Annotated[
        str | None, typer.Option(help="Last stages of pretrained weights that learn; 'auto' as many as parts support.")
    ] = None,
    colour: Annotated[str | None, typer.Option(help="What the network sees: grey or rgb.")] = None,
    bit_depth: Annotated[int, typer.Option(help="Bits of the camera, for photos of more than 8.")] = 8,
    val: Annotated[float, typer.Option(help="Share of the photos for validation.")] = 0.2,
    test: Annotated[float, typer.Option(help="Share for test, where the data name none.")] = 0.2,
    max_escape: Annotated[
        str | None, typer.Option(help="Defective parts called go, at most, such as 1%; guaranteed, or exit 1.")
    ] = None,
    max_overkill: Annotated[
        str | None, typer.Option(help="Good parts called no-go, at most; what lies between goes to review.")
    ] = None,
    confidence: Annotated[str | None, typer.Option(help="Of the guarantee; 95%.")] = None,
    cost_escape: Annotated[str | None, typer.Option(help="Of a defect called go, to choose the threshold by.")] = None,
    cost_overkill: Annotated[str | None, typer.Option(help="Of a good part called no-go.")] = None,
    cost_review: Annotated[str | None, typer.Option(help="Of a photo sent to review.")] = None,
    prevalence: Annotated[str | None, typer.Option(help="Share of defects on the line, to weigh costs.")] = None,
    best_f1: Annotated[bool, typer.Option("--best-f1", help="Choose the threshold by F1.")] = False,
    recipe: Annotated[Path | None, typer.Option(help="Recipe file, TOML.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Recipe value, such as rotate_degrees=10; may be repeated.")
    ] = None,
    imbalance: Annotated[
        str | None, typer.Option(help="undersample, oversample, class-weights, focal or logit-adjustment.")
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
    flags = _given(epochs=epochs, batch_size=batch_size, lr=lr, seed=seed, threads=threads, imbalance=imbalance)
    values = {**(read_toml(recipe) if recipe else {}), **key_values(set_ or [], "--set"), **flags}
    decision = _given(
        max_escape=max_escape,
        max_overkill=max_overkill,
        confidence=confidence,
        cost_escape=cost_escape,
        cost_overkill=cost_overkill,
        cost_review=cost_review,
        prevalence=prevalence,
        best_f1=best_f1 or None,
    )
    try:
        from gonogo.train.prepare import DataOptions
        from gonogo.train.train import TrainRequest, plan, train
    except ImportError as error:
        raise missing_train_extra(error) from error
    options = DataOptions(
        good=good,
        group_by=group_by,
        groups=None if groups is None else str(groups),
        find_copies=find_copies,
        photos=None if photos is None else str(photos),
        resplit=resplit,
        allow_leaks=allow_leaks,
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
    changes = {**key_values(with_ or [], "--with"), **_given(cut=cut, unfrozen=unfreeze)}
    request = TrainRequest(data, out, arch, changes, values, options, decision, device, resume, force, source)
    with Console(as_json) as console:
        if dry_run:
            tables = plan(request, progress=console.progress, note=console.note).config.to_tables()
            console.line(toml_text(tables).rstrip())
            console.result({"would_write": str(out), **tables})
            return
        finished = train(request, progress=console.progress, report=console.epoch, note=console.note)
        _show(console, out, finished.metrics)
        unmet = finished.metrics["refused"] or "; ".join(finished.metrics["unmet"])
        if unmet:
            raise BarNotMetError(unmet)


def _given(**options: Any) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _show_candidates(console: Console, candidates: list[dict[str, Any]]) -> None:
    """Print what was tried for options that were left to the parts: what was taken, and what is worth its cost."""
    cuts = [row for row in candidates if "cut" in row and (row["front"] or row["chosen"])]
    rule = "taken: the smallest that lacks no more than one standard error, part by part, of the best"
    _show_tried(console, sorted(cuts, key=lambda row: int(row["macs"])), ("cut", "statistics"), rule)
    stages = [row for row in candidates if "unfrozen" in row]
    rule = "taken: as many stages as each are better than one less by more than one standard error, part by part"
    _show_tried(console, stages, ("unfrozen",), rule)


def _show_tried(console: Console, rows: list[dict[str, Any]], options: tuple[str, ...], rule: str) -> None:
    if not rows:
        return
    score = "auc" if "auc" in rows[0] else "accuracy"
    console.table(
        ("tried on parts held out", "input", "parameters", "M multiply-adds", f"{score} (95 % interval)", ""),
        (
            (
                ", ".join(f"{name} {_words(row[name])}" for name in options),
                "x".join(map(str, reversed(row["size"]))),
                f"{row['params']:,}",
                f"{row['macs'] / 1e6:,.1f}",
                f"{row[score]['value']:.3f} ({row[score]['low']:.3f} to {row[score]['high']:.3f})",
                "taken" if row["chosen"] else "",
            )
            for row in rows
        ),
    )
    console.line(rule)


def _words(value: Any) -> str:
    return "+".join(value) if isinstance(value, list | tuple) else str(value)


def _show(console: Console, out: Path, metrics: dict[str, Any]) -> None:
    figures = metrics["val"]
    _show_candidates(console, metrics["candidates"])
    mark = leaky_mark(metrics)
    how = (
        f"best epoch {metrics['best_epoch']} of {metrics['epochs']}" if metrics["epochs"] else "its head fitted at once"
    )
    console.line(
        f"{metrics['arch']}: {metrics['params']:,} parameters, {metrics['macs'] / 1e6:.2f} M multiply-adds, {how}, "
        f"{metrics['images_per_second']:,.0f} images/s"
    )
    if figures["escape_rate"] is not None:
        upper = figures["no_go_from"]
        says = f"a defect from probability {figures['threshold'] if upper is None else upper:.3f} on"
        says += "" if upper is None else f", review from {figures['threshold']:.3f}"
        console.line(
            f"on validation: escape {percent(figures['escape_rate'])}{mark}, overkill "
            f"{percent(figures['overkill_rate'])}{mark}; {says}"
        )
    show_promise(console, figures)
    console.line(f"accuracy {percent(figures['accuracy'])}{mark}")
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
        "candidates",
        "refused",
        "unmet",
    )
    console.result({"run": str(out), "leaky": metrics.get("leaky"), **{name: metrics[name] for name in names}})
