"""``gonogo study``: a published study done again on these photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    name: Annotated[str, typer.Argument(help="Name of the study: sealant.")],
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
    folds: Annotated[int, typer.Option(help="Shares of whole parts, each held out once.")] = 5,
    good: Good = None,
    format_: FormatName = None,
    task: TaskOption = None,
    mixed: Mixed = "refuse",
    group_by: GroupBy = None,
    groups: Groups = None,
    photos: Photos = None,
    crop: Crop = None,
    reduce: Reduce = None,
    quick: Annotated[bool, typer.Option("--quick", help="A first look: few epochs, two remedies.")] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Do a published study again on these photos, its open questions answered."""
    try:
        from gonogo.studies import STUDIES
        from gonogo.studies.sealant import StudyRequest

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
        request = StudyRequest(data, folder, places, options, tuple(only or ()), folds, quick, force)
        found = study(request, progress=console.progress, note=console.note, ended=console.job)
        console.table(
            ("network", "parameters", "M multiply-adds", "ms", "ROC AUC"),
            (
                (
                    row["model"],
                    f"{row['ours']['params']:,}",
                    f"{row['ours']['macs'] / 1e6:,.0f}",
                    f"{row['ours']['milliseconds']:.1f}",
                    _auc(row["ours"]["figures"].get("auc")),
                )
                for row in found["rows"]
            ),
        )
        console.line(found["verdict"])
        for question in found["questions"]:
            console.line(f"{question['question']} {question['answer']}")
        console.line(f"page: {found['page']}")
        console.result(found)


def _auc(rate: dict[str, float] | None) -> str:
    return "needs weights" if rate is None else f"{rate['value']:.3f} ({rate['low']:.3f} to {rate['high']:.3f})"
