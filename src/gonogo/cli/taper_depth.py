"""``gonogo taper-depth``: how far this data's network may taper before its figure falls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gonogo.cli.console import Console
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
    Crop,
    Device,
    Epochs,
    Good,
    LearningRate,
    RecipeFile,
    Reduce,
    Seed,
    Set,
    Size,
    Threads,
    With,
    data_options,
    recipe_values,
)
from gonogo.errors import UsageError

if TYPE_CHECKING:
    from gonogo.compress.taper_depth import TaperDepth, TaperDepthRequest


def run(
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for page, table and every answer.")] = Path(
        "taper-depth"
    ),
    arch: Annotated[str, typer.Option(help="Architecture whose widths are tapered.")] = "taper",
    with_: With = None,
    widest: Annotated[int | None, typer.Option(help="Channels of the first stage.")] = None,
    depths: Annotated[
        str | None,
        typer.Option(help="How often the width is halved from first stage to last; 0,1,2,3,4. Below 0 it widens."),
    ] = None,
    folds: Annotated[int | None, typer.Option(help="Shares of whole parts, each held out once; 5.")] = None,
    repeats: Annotated[
        int | None, typer.Option(help="How often, each time with other folds and another seed; 2.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Repeat as often as ends within so many; once in any case.")
    ] = None,
    by: Annotated[str, typer.Option(help="What is measured: auc or balanced-accuracy.")] = "auc",
    quick: Annotated[bool, typer.Option("--quick", help="A first look: few folds, depths and epochs.")] = False,
    good: Good = None,
    format_: FormatName = None,
    task: TaskOption = None,
    mixed: Mixed = "refuse",
    group_by: GroupBy = None,
    photos: Photos = None,
    groups: Groups = None,
    find_copies: FindCopies = True,
    resplit: Annotated[bool, typer.Option("--resplit", help="Use the test set too that the data came with.")] = False,
    crop: Crop = None,
    reduce: Reduce = None,
    size: Size = None,
    colour: Colour = None,
    bit_depth: BitDepth = 8,
    recipe: RecipeFile = None,
    set_: Set = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    lr: LearningRate = None,
    seed: Seed = None,
    threads: Threads = None,
    device: Device = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Take what the folder holds already.")] = False,
    force: Force = False,
    skip_unreadable: SkipUnreadable = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Train tapers of growing depth on the same folds; say how far this data's network may taper."""
    check_choice(device, "--device", ("auto", "cpu", "cuda"))
    check_choice(by, "--by", ("auc", "balanced-accuracy"))
    flags = {"epochs": epochs, "batch_size": batch_size, "lr": lr, "seed": seed, "threads": threads}
    values = recipe_values(recipe, set_, flags)
    try:
        from gonogo.compress.taper_depth import TaperDepthRequest, find_taper_depth
    except ImportError as error:
        raise missing_train_extra(error) from error
    options = data_options(
        good=good,
        group_by=group_by,
        groups=groups,
        find_copies=find_copies,
        photos=photos,
        resplit=resplit,
        crop=crop,
        reduce=reduce,
        colour=colour,
        bit_depth=bit_depth,
        skip_unreadable=skip_unreadable,
        format=format_,
        task=task,
        mixed=mixed,
        size=size,
    )
    changes, tried = key_values(with_ or [], "--with"), _depths(depths)
    request = TaperDepthRequest(
        data,
        out,
        arch,
        changes,
        widest,
        tried,
        folds,
        repeats,
        minutes,
        by,
        values,
        options,
        device,
        quick,
        resume,
        force,
    )
    with Console(as_json) as console:
        if dry_run:
            _show_plan(console, request)
            return
        found = find_taper_depth(
            request, progress=console.progress, note=console.note, ended=console.job, report=console.within_job
        )
        _show(console, found)


def _depths(text: str | None) -> tuple[float, ...] | None:
    """Read what stands behind --depths."""
    if text is None:
        return None
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise UsageError(f"found --depths {text}, expected numbers with commas between them, such as 0,1,2,3") from None


def _show_plan(console: Console, request: TaperDepthRequest) -> None:
    """Print what would be trained."""
    from gonogo.compress.taper_depth import plan_taper_depth

    plan = plan_taper_depth(request, progress=console.progress, note=console.note)
    trainings = len(plan.entrants) * plan.request.folds * plan.request.repeats
    console.table(
        ("depth", "channels"), ((f"{taper.depth:g}", taper.shape) for taper in request.tapers), "would be tried"
    )
    console.line(f"{trainings} trainings at most, measured by {plan.by}")
    console.result({"would_write": str(request.out), "trainings": trainings, **plan.to_tables()})


def _show(console: Console, found: TaperDepth) -> None:
    from gonogo.compress.taper_depth import PAGE_NAME
    from gonogo.evaluate.comparison_words import TITLES, shown
    from gonogo.report.taper_depth import write_taper_depth_page

    by, out = found.by, found.request.out
    write_taper_depth_page(out / PAGE_NAME, found)

    def interval(value: float | None, low: float | None, high: float | None) -> str:
        first, *ends = (shown(by, own or 0.0) for own in (value, low, high))
        return f"{first} ({ends[0]} to {ends[1]})"

    console.table(
        ("depth", "channels", "parameters", "M multiply-adds", TITLES[by], "to the best", ""),
        (
            (
                f"{row.taper.depth:g}",
                row.taper.shape,
                f"{row.params:,}",
                f"{row.macs / 1e6:,.2f}",
                interval(row.figure.value, row.figure.low, row.figure.high),
                "best" if row.from_best is None else interval(*vars(row.from_best).values()),
                "worse" if row.is_worse else "",
            )
            for row in found.rows
        ),
        f"{len(found.compared.plan.prepared.manifest):,} photos, each held out, with 95 % intervals",
    )
    for line in found.sentences:
        console.line(line)
    console.line(f"page: {out / PAGE_NAME}")
    console.result(found.to_json())
