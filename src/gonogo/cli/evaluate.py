"""``gonogo eval``: how often a run or a gauge is wrong, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gonogo.cli.console import Console, show_figures, show_promise
from gonogo.cli.options import (
    MIXED,
    AsJson,
    Force,
    FormatName,
    GroupBy,
    MixedOrAsTrained,
    Photos,
    SkipUnreadable,
    TaskOption,
    check_choice,
    missing_train_extra,
)
from gonogo.errors import BarNotMetError


def run(
    subject: Annotated[Path, typer.Argument(help="A run, or a gauge.")],
    data: Annotated[Path | None, typer.Argument(help="Photos with classes; a run's own unless given.")] = None,
    split: Annotated[str | None, typer.Option(help="train, val, test or all.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write; a name ending in .html for the page alone.")
    ] = None,
    format_: FormatName = None,
    task: TaskOption = None,
    mixed: MixedOrAsTrained = None,
    photos: Photos = None,
    group_by: GroupBy = None,
    good: Annotated[
        str | None,
        typer.Option(help="The good class of DATA, for a gauge that was shown no defect; 'none' if none is."),
    ] = None,
    force: Force = False,
    skip_unreadable: SkipUnreadable = False,
    as_json: AsJson = False,
) -> None:
    """Evaluate a run or a gauge; draw its curves and worst mistakes. Other photos are read as the run's own were."""
    check_choice(task, "--task", ("binary", "class"))
    check_choice(mixed, "--mixed", MIXED)
    try:
        from gonogo.assess import assess
        from gonogo.data.reading import Reading

        with Console(as_json) as console:
            result = assess(
                subject,
                data,
                split=split,
                out=out,
                reading=Reading(format_, task, mixed, group_by, photos, good),  # type: ignore[arg-type]  # checked above
                skip_unreadable=skip_unreadable,
                force=force,
                progress=console.progress,
            )
            document = result.to_json()
            for line in result.notes:
                console.note(line)
            if result.leaked:
                console.note(
                    f"leak: {result.leaked} of these {result.figures.n} photos have the same bytes or part as a photo "
                    "in another split; the figures are too good"
                )
            if result.seen:
                console.note(
                    f"leak: {result.seen} of these {result.figures.n} photos are byte for byte among those that "
                    f"{subject} was trained or tuned on; the figures are too good"
                )
            show_figures(console, document, f"{subject} on {result.figures.n} photos ({result.split})")
            show_promise(console, document)
            for name in ("page", "verdicts", "mistakes"):
                if document[name] is not None:
                    console.line(f"{name + ':':9} {document[name]}")
            console.result(document)
            if result.refused:
                raise BarNotMetError(result.refused)
    except ImportError as error:
        raise missing_train_extra(error) from error
