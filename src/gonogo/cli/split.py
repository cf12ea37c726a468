"""``gonogo split``: whole parts to train, val and test, or to folds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gonogo.cli.console import Console
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
    missing_train_extra,
)

if TYPE_CHECKING:
    from gonogo.splitting import Split


def run(
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="Table to write, a CSV file.")] = Path("split.csv"),
    val: Annotated[float | None, typer.Option(help="Share for validation of the photos that are not test; .2.")] = None,
    test: Annotated[float | None, typer.Option(help="Share for test of all photos; .2.")] = None,
    folds: Annotated[
        int | None,
        typer.Option(help="Share out so many folds: fold 0 becomes test, fold 1 val, the others train; turn them on."),
    ] = None,
    good: Annotated[str | None, typer.Option(help="Name of the good class; 'none' to sort into kinds.")] = None,
    format_: FormatName = None,
    task: TaskOption = None,
    mixed: Mixed = "refuse",
    photos: Photos = None,
    group_by: GroupBy = None,
    groups: Groups = None,
    find_copies: FindCopies = True,
    keep_test: Annotated[
        bool,
        typer.Option("--keep-test", help="Keep the test set there is; leave out other photos that show its parts."),
    ] = False,
    seed: Annotated[int, typer.Option(help="Which parts go where.")] = 0,
    force: Force = False,
    skip_unreadable: SkipUnreadable = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Split photos anew, all photos of one part on one side."""
    check_choice(task, "--task", ("binary", "class"))
    check_choice(mixed, "--mixed", MIXED)
    try:
        from gonogo.data.formats import ReadOptions
        from gonogo.splitting import SplitRequest, check_table, make_split
    except ImportError as error:
        raise missing_train_extra(error) from error
    request = SplitRequest(
        data,
        val,
        test,
        folds,
        seed,
        good,
        format_,
        ReadOptions(task, mixed, photos=photos),  # type: ignore[arg-type]  # checked above
        group_by,
        groups,
        find_copies,
        skip_unreadable,
        keep_test,
    )
    with Console(as_json) as console:
        check_table(out, force=force)
        made = make_split(request, progress=console.progress)
        for note in made.notes:
            console.note(note)
        _show(console, data, made)
        if dry_run:
            console.line(f"would write {out}")
            console.result({"would_write": str(out), **made.to_json()})
            return
        apart = made.write(out)
        more = f" --good '{good}'" if good else ""
        console.line(f"table: {out}   next: gonogo train {out}{more} -o run")
        if apart is not None:
            console.line(f"photos: {apart}; remembered for this table, elsewhere give --photos FOLDER")
        console.result({"manifest": str(out), **made.to_json()})


def _show(console: Console, data: Path, made: Split) -> None:
    document = made.to_json()
    if document["folds"] is None:
        columns = {split: (document["counts"][split], document["parts"][split]) for split in document["counts"]}
    else:
        columns = {f"fold {row['fold']} ({row['split']})": (row["counts"], row["parts"]) for row in document["folds"]}
    console.line(f"{data}: {len(made.manifest):,} photos of {made.parts:,} different parts or pictures")
    console.table(
        ("photos (parts)", *columns),
        (
            (name, *(f"{counts[name]:,} ({shown[name]:,})" for counts, shown in columns.values()))
            for name in made.manifest.classes
        ),
    )
    for found in made.division.unbalanced:
        console.line(f"not balanced: {found.in_words()}")
