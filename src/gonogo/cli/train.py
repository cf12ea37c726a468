"""``gonogo train``: photos to run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gonogo.cli.console import Console, leaky_mark, percent, show_promise
from gonogo.cli.options import (
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
from gonogo.cli.training import (
    BatchSize,
    BitDepth,
    Colour,
    Confidence,
    CostEscape,
    CostOverkill,
    CostReview,
    Crop,
    Device,
    Epochs,
    Good,
    LearningRate,
    MaxEscape,
    MaxOverkill,
    Prevalence,
    RecipeFile,
    Reduce,
    RejectUnknown,
    Seed,
    Set,
    Size,
    SurgeryNames,
    Threads,
    WeightsFile,
    With,
    data_options,
    given,
    recipe_values,
    weights_source,
)


def run(
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder to write.")] = Path("run"),
    arch: Annotated[str, typer.Option(help="Architecture; 'gonogo models' lists them.")] = "taper",
    with_: With = None,
    surgery: SurgeryNames = None,
    good: Good = None,
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
    crop: Crop = None,
    reduce: Reduce = None,
    size: Size = None,
    weights: WeightsFile = None,
    cut: Annotated[
        str | None, typer.Option(help="Last block of a stump; 'auto' lets the parts choose it, its size and pooling.")
    ] = None,
    unfreeze: Annotated[
        str | None, typer.Option(help="Last stages of pretrained weights that learn; 'auto' as many as parts support.")
    ] = None,
    colour: Colour = None,
    bit_depth: BitDepth = 8,
    val: Annotated[float, typer.Option(help="Share of the photos for validation.")] = 0.2,
    test: Annotated[float, typer.Option(help="Share for test, where the data name none.")] = 0.2,
    max_escape: MaxEscape = None,
    max_overkill: MaxOverkill = None,
    confidence: Confidence = None,
    cost_escape: CostEscape = None,
    cost_overkill: CostOverkill = None,
    cost_review: CostReview = None,
    prevalence: Prevalence = None,
    best_f1: Annotated[bool, typer.Option("--best-f1", help="Choose the threshold by F1.")] = False,
    reject_unknown: RejectUnknown = True,
    recipe: RecipeFile = None,
    set_: Set = None,
    imbalance: Annotated[
        str | None, typer.Option(help="undersample, oversample, class-weights, focal or logit-adjustment.")
    ] = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    lr: LearningRate = None,
    seed: Seed = None,
    threads: Threads = None,
    device: Device = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
    force: Force = False,
    skip_unreadable: SkipUnreadable = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Train a network on a folder of photos."""
    from gonogo.config import toml_text
    from gonogo.errors import BarNotMetError

    check_choice(device, "--device", ("auto", "cpu", "cuda"))
    flags = {"epochs": epochs, "batch_size": batch_size, "lr": lr, "seed": seed, "threads": threads}
    values = recipe_values(recipe, set_, {**flags, "imbalance": imbalance})
    decision = given(
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
        from gonogo.models.surgery import read_surgeries
        from gonogo.train.train import TrainRequest, plan, train
    except ImportError as error:
        raise missing_train_extra(error) from error
    options = data_options(
        good=good,
        group_by=group_by,
        groups=groups,
        find_copies=find_copies,
        photos=photos,
        resplit=resplit,
        allow_leaks=allow_leaks,
        crop=crop,
        reduce=reduce,
        colour=colour,
        bit_depth=bit_depth,
        val=val,
        test=test,
        skip_unreadable=skip_unreadable,
        format=format_,
        task=task,
        mixed=mixed,
        size=size,
    )
    changes = {**key_values(with_ or [], "--with"), **given(cut=cut, unfrozen=unfreeze)}
    source, names = weights_source(weights), read_surgeries(surgery)
    request = TrainRequest(
        data, out, arch, changes, values, options, decision, device, resume, force, source, reject_unknown, names
    )
    with Console(as_json) as console:
        if dry_run:
            tables = plan(request, progress=console.progress, note=console.note).config.to_tables()
            console.line(toml_text(tables).rstrip())
            console.result({"would_write": str(out), **tables})
            return
        finished = train(request, progress=console.progress, report=console.epoch, note=console.note)
        _show(console, out, finished.metrics, reject_unknown)
        unmet = finished.metrics["refused"] or "; ".join(finished.metrics["unmet"])
        if unmet:
            raise BarNotMetError(unmet)


def _show_trials(console: Console, tried: list[dict[str, Any]]) -> None:
    """Print what was tried for options that were left to the parts: what was taken, and what is worth its cost."""
    cuts = [row for row in tried if "cut" in row and (row["front"] or row["chosen"])]
    rule = "taken: the smallest that lacks no more than one standard error, part by part, of the best"
    _show_tried(console, sorted(cuts, key=lambda row: int(row["macs"])), ("cut", "statistics"), rule)
    stages = [row for row in tried if "unfrozen" in row]
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


def _show_unknown(console: Console, metrics: dict[str, Any], reject_unknown: bool) -> None:
    """Print what becomes of photos unlike those of training."""
    if metrics["novelty"] is not None:
        held_back = percent(metrics["novelty"]["held_back"]) + leaky_mark(metrics)
        console.line(f"photos unlike these go to review: {held_back} of photos of unseen parts did")
    elif reject_unknown and metrics["good_alone"] is None:
        console.line("photos unlike these are not told: there are too few parts to say what is usual")


def _show_good_alone(console: Console, known: dict[str, Any] | None, mark: str) -> None:
    """Print what a distance from good parts rests on, what it cannot promise, and which photos to look at."""
    if known is None:
        return
    console.line("no defect was ever shown to it: escapes cannot be promised")
    console.line(
        f"it knows {known['parts']} good parts ({known['photos']} photos); held out in turn, "
        f"{percent(known['held_back'])}{mark} of their photos lie beyond its limit"
    )
    rows = ((row["path"], f"{row['distance']:.2f}") for row in known["to_label"])
    console.table(("most worth labelling", "times the limit"), rows)


def _show(console: Console, out: Path, metrics: dict[str, Any], reject_unknown: bool) -> None:
    figures = metrics["val"]
    _show_trials(console, metrics["tried"])
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
    _show_good_alone(console, metrics["good_alone"], mark)
    _show_unknown(console, metrics, reject_unknown)
    console.line(f"accuracy {percent(figures['accuracy'])}{mark}")
    console.line(f"run: {out}   next: gonogo eval {out}   gonogo export {out}")
    names = (
        "arch",
        "params",
        "params_trainable",
        "params_frozen",
        "params_statistics",
        "macs",
        "surgery",
        "images_per_second",
        "val",
        "tried",
        "novelty",
        "good_alone",
        "refused",
        "unmet",
    )
    console.result({"run": str(out), "leaky": metrics.get("leaky"), **{name: metrics[name] for name in names}})
