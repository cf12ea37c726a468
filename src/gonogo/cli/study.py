"""``gonogo study``: a published study done again on these photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gonogo.cli.console import Console
from gonogo.cli.options import (
    AsJson,
    Data,
    Force,
    FormatName,
    GroupBy,
    Groups,
    Mixed,
    Photos,
    TaskOption,
    missing_train_extra,
)
from gonogo.cli.training import Crop, Good, Reduce, data_options

WEIGHTS_BESIDE = "weights"


def run(
    name: Annotated[str, typer.Argument(help="Name of the study: casting, sheet, sealant or prune.")],
    data: Data,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for page and table; study-NAME unless given.")
    ] = None,
    weights: Annotated[
        list[Path] | None,
        typer.Option(
            help="Pretrained weights, a file or a folder of them; may be repeated. Default: 'weights' beside the data."
        ),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this network; may be repeated.")] = None,
    folds: Annotated[
        int | None, typer.Option(help="Shares of whole parts, each held out once; the study's own number unless given.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="After so many no further training starts.")] = None,
    good: Good = None,
    format_: FormatName = None,
    task: TaskOption = None,
    mixed: Mixed = "refuse",
    group_by: GroupBy = None,
    groups: Groups = None,
    photos: Photos = None,
    crop: Crop = None,
    reduce: Reduce = None,
    quick: Annotated[bool, typer.Option("--quick", help="A first look: few epochs, few networks.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Every network trained at the study's size of photos; takes a GPU.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run in the folder stopped.")] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Do a published study again on these photos, its open questions answered."""
    try:
        from gonogo.studies import STUDIES
        from gonogo.studies.request import StudyRequest

        study = STUDIES.get(name)
    except ImportError as error:
        raise missing_train_extra(error) from error
    with Console(as_json) as console:
        places = tuple(weights or ())
        beside = data.resolve().parent / WEIGHTS_BESIDE
        if not weights and beside.is_dir():
            places = (beside,)
            console.note(f"weights: those in the folder '{WEIGHTS_BESIDE}' beside the data; --weights names others")
        options = data_options(
            good=good,
            group_by=group_by,
            groups=groups,
            crop=crop,
            reduce=reduce,
            size=None,
            colour=None,
            photos=photos,
            format=format_,
            task=task,
            mixed=mixed,
        )
        folder = out or Path(f"study-{name}")
        request = StudyRequest(
            data, folder, places, options, tuple(only or ()), folds, minutes, quick, full, resume, force
        )
        found = study(request, progress=console.progress, note=console.note, ended=console.job)
        own = found.pop("table", None)
        console.table(*(_table(found["rows"]) if own is None else (own["columns"], own["rows"])))
        console.line(found["verdict"])
        for question in found.get("questions", ()):
            console.line(f"{question['question']} {question['answer']}")
        console.line(f"page: {found['page']}")
        console.result(found)


def _table(rows: list[dict[str, Any]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return columns and lines: a line for each network, with both divisions where there are two."""
    published = {row["model"]: row["ours"]["figures"] for row in rows if row["split"] == "published"}
    splits = ("published split", "never seen") if published else ()
    lines = []
    for row in rows:
        ours, name = row["ours"], row["model"]
        if row["split"] == "published":
            continue
        both = (published[name], ours["figures"]) if published else ()
        cells = [f"{own['accuracy']['value']:.1%}" if own else "-" for own in both]
        counted = (f"{ours['params']:,}", f"{ours['macs'] / 1e6:,.1f}", f"{ours['milliseconds']:.2f}")
        lines.append((name, *counted, *cells, _auc(ours["figures"].get("auc"))))
    return ("network", "parameters", "M multiply-adds", "ms", *splits, "ROC AUC"), lines


def _auc(rate: dict[str, float] | None) -> str:
    return "-" if rate is None else f"{rate['value']:.3f} ({rate['low']:.3f} to {rate['high']:.3f})"
