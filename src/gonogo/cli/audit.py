"""``gonogo audit``: what is wrong with the photos, before anything is trained on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gonogo.cli.console import Console, percent
from gonogo.cli.options import (
    MIXED,
    AsJson,
    Data,
    FormatName,
    GroupBy,
    Mixed,
    Photos,
    TaskOption,
    check_choice,
    missing_train_extra,
)
from gonogo.errors import BarNotMetError


def run(
    data: Data,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Page to write, one HTML file.")] = None,
    groups: Annotated[Path | None, typer.Option(help="CSV file to write: path,group.")] = None,
    good: Annotated[str | None, typer.Option(help="Name of the good class; 'none' to sort into kinds.")] = None,
    format_: FormatName = None,
    task: TaskOption = None,
    mixed: Mixed = "refuse",
    group_by: GroupBy = None,
    photos: Photos = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 where errors are found.")] = False,
    seed: Annotated[int, typer.Option(help="Of every random choice.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Check the photos: broken files, copies, leaks, wrong labels, shortcuts."""
    check_choice(task, "--task", ("binary", "class"))
    check_choice(mixed, "--mixed", MIXED)
    try:
        from gonogo.audit.audit import audit
        from gonogo.data.formats import ReadOptions
        from gonogo.files import check_new_file

        for target in (out, groups):
            if target is not None:
                check_new_file(target)  # found out now, before minutes of looking
        if out is not None:
            from gonogo.report.audit import write_audit_page  # as is a library that only the page needs
        with Console(as_json) as console:
            result = audit(
                data,
                format_name=format_,
                options=ReadOptions(task, mixed, photos=photos),  # type: ignore[arg-type]  # checked above
                good=good,
                group_rule=group_by,
                seed=seed,
                progress=console.progress,
            )
            for note in result.inspection.manifest.notes:
                console.note(note)
            document = result.to_json()
            console.line(f"{data}: {document['photos']:,} photos, {result.parts:,} different parts or pictures")
            for found in result.findings:
                console.line()
                console.line(f"{found.severity.upper()} {found.check}: {found.summary}")
                console.line(f"    {found.advice}")
            console.line()
            for split, rate in document["leaked_share"].items():
                console.line(f"share of {split} photos that leak: {percent(rate)}")
            if groups is not None:
                result.write_groups(groups)
                console.line(f"groups: {groups}")
            if out is not None:
                write_audit_page(result, out, data.resolve().name or str(data))
                console.line(f"page: {out}")
            console.result(document)
            if strict and result.errors:
                raise BarNotMetError(f"{result.errors} errors found in {data}; see above")
    except ImportError as error:
        raise missing_train_extra(error) from error
