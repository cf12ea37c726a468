"""``gonogo advise``: which augmentations, and how much."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gonogo.cli.console import Console
from gonogo.cli.options import (
    AsJson,
    Data,
    FindCopies,
    Force,
    FormatName,
    GroupBy,
    Groups,
    Mixed,
    Photos,
    SkipUnreadable,
    TaskOption,
    missing_train_extra,
)
from gonogo.cli.training import BitDepth, Colour, Crop, Good, Reduce, Size, data_options

if TYPE_CHECKING:
    from gonogo.advise.advise import Advised

PAGE_NAME = "advice.html"


def run(
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for recipe, page and figures.")] = Path("advice"),
    minutes: Annotated[float, typer.Option(help="How long it may train; what is left out is said.")] = 10.0,
    look_at: Annotated[int, typer.Option("--look-at", help="Photos to look at, spread over classes and parts.")] = 600,
    folds: Annotated[int, typer.Option(help="Shares of whole parts, each held out once.")] = 4,
    rounds: Annotated[int, typer.Option(help="How often at most, each time with other folds and another seed.")] = 2,
    epochs: Annotated[
        int | None, typer.Option(help="Of each training; as many as show 16,000 photos unless given.")
    ] = None,
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
    seed: Annotated[int, typer.Option(help="Of every random choice.")] = 0,
    force: Force = False,
    skip_unreadable: SkipUnreadable = False,
    as_json: AsJson = False,
) -> None:
    """Say which augmentations to use, and how much: measured on these photos, and on parts never seen."""
    try:
        from gonogo.advise.advise import JSON_NAME, AdviseRequest, advise
        from gonogo.files import check_new_folder, new_folder
        from gonogo.report.advice import write_advice_page
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
    request = AdviseRequest(data, options, look_at, folds, rounds, minutes, epochs, seed)
    with Console(as_json) as console:
        check_new_folder(out, force=force, marker=JSON_NAME)  # found out now, before minutes of training
        found = advise(request, progress=console.progress, note=console.note)
        with new_folder(out, force=force, marker=JSON_NAME) as temporary:
            found.write(temporary)
            write_advice_page(temporary / PAGE_NAME, found)
        _show(console, found)
        console.line(f"page: {out / PAGE_NAME}")
        console.line(f"recipe: {out / 'recipe.toml'}   next: gonogo train {data} --recipe {out / 'recipe.toml'} -o run")
        console.result(found.to_json() | {"recipe_file": str(out / "recipe.toml"), "page": str(out / PAGE_NAME)})


def _show(console: Console, found: Advised) -> None:
    from gonogo.advise.words import difference, two_by_two_rows

    console.table(
        ("augmentation", "verdict", "trained with it, AUC"),
        ((own.name, own.verdict, difference(own.helped)) for own in found.advice),
        f"{len(found.subjects.labels):,} of {found.of:,} photos",
    )
    for own in found.advice:
        console.line(f"{own.name}: {own.because}")
    console.line()
    console.table(
        ("split, trained", "tested plain", "tested augmented"),
        two_by_two_rows(found.cells),
        "balanced accuracy, with 95 % intervals over parts",
    )
    if found.reduce is not None:
        console.line(f"reduction: up to {found.reduce}x keeps the label")
    console.line(found.verdict)
