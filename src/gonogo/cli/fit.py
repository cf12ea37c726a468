"""``gonogo fit``: the smallest gauge within your budgets, and the page that proves it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gonogo.cli.console import Console, show_promise
from gonogo.cli.options import (
    MIXED,
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
    check_choice,
    missing_train_extra,
)
from gonogo.cli.training import (
    BitDepth,
    Colour,
    Confidence,
    Crop,
    Good,
    Reduce,
    WeightsFile,
    data_options,
    weights_source,
)
from gonogo.errors import BarNotMetError

if TYPE_CHECKING:
    from gonogo.fitting.fit import Fitted


def run(
    data: Data,
    max_escape: Annotated[
        str | None,
        typer.Option(help="Defective parts called go, at most, such as 1%; what the parts can prove unless given."),
    ] = None,
    confidence: Confidence = None,
    max_overkill: Annotated[str | None, typer.Option(help="Good photos called no-go, at most, such as 3%.")] = None,
    max_latency_ms: Annotated[
        float | None, typer.Option(help="Median milliseconds from camera pixels to verdict, one thread.")
    ] = None,
    max_size_kb: Annotated[float | None, typer.Option(help="Size of the model file, in 1,000 bytes.")] = None,
    minutes: Annotated[float, typer.Option(help="For everything.")] = 10.0,
    trials: Annotated[int | None, typer.Option(help="Networks to try, however long it takes.")] = None,
    weights: WeightsFile = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to work in.")] = Path("fit"),
    storage: Annotated[
        str | None, typer.Option(help="Where Optuna keeps its trials, a URL; several machines may share one.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of every random choice.")] = 0,
    good: Good = None,
    format_: FormatName = None,
    task: TaskOption = None,
    mixed: Mixed = "first",
    group_by: GroupBy = None,
    photos: Photos = None,
    groups: Groups = None,
    find_copies: FindCopies = True,
    crop: Crop = None,
    reduce: Reduce = None,
    colour: Colour = None,
    bit_depth: BitDepth = 8,
    skip_unreadable: SkipUnreadable = False,
    beside: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of an earlier fit that the page compares with; may be given again."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a fit in the folder stopped.")] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Turn photos into the smallest gauge within the budgets, and a page that proves it."""
    check_choice(mixed, "--mixed", MIXED)
    try:
        from gonogo.fitting.api import budgets_from
        from gonogo.fitting.fit import fit
        from gonogo.fitting.request import FitRequest
    except ImportError as error:
        raise missing_train_extra(error) from error
    options = data_options(
        good=good,
        group_by=group_by,
        groups=groups,
        crop=crop,
        reduce=reduce,
        size=None,
        colour=colour,
        photos=photos,
        format=format_,
        task=task,
        mixed=mixed,
        find_copies=find_copies,
        bit_depth=bit_depth,
        skip_unreadable=skip_unreadable,
    )
    budgets = budgets_from(
        max_escape=max_escape,
        confidence=confidence,
        max_overkill=max_overkill,
        max_latency_ms=max_latency_ms,
        max_size_kb=max_size_kb,
    )
    with Console(as_json) as console:
        request = FitRequest(
            data,
            out,
            budgets,
            minutes,
            trials,
            weights_source(weights),
            options,
            storage,
            seed,
            resume,
            force,
            tuple(beside or ()),
        )
        found = fit(request, say=console.note, progress=console.progress, report=console.within_job)
        _show(console, found)
        console.result(found.to_json())
        if found.outcome.unmet:
            more = len(found.outcome.unmet) - 1
            also = f" (and {more} more)" if more else ""
            raise BarNotMetError(f"{found.outcome.unmet[0].in_words}{also}")


def _show(console: Console, found: Fitted) -> None:
    document = found.to_json()
    val, best = document["val"], document["answers_with"]
    rows = [("network", f"{document['chosen']['is']}; {document['params']:,} parameters")]
    if val["escape_rate"] is None:
        rows.append(("sorted right, parts kept aside", _rate(val["accuracy"])))
    else:
        rows.append(("lost good photos, parts kept aside", _rate(val["overkill_rate"])))
        rows.append(("ROC AUC there", f"{val['auc']['value']:.4f}"))
    rows += [
        ("camera pixels to verdict", f"{best['p50_ms']:.3f} ms, one thread, {best['runtime']}"),
        ("file", f"{best['size_bytes'] / 1000:.1f} kB, {best['precision']}"),
        ("file against network", f"{document['max_abs_diff']:.1e} at most"),
    ]
    console.table(
        ("what", "value"), rows, f"After {found.seconds / 60:.1f} minutes and {len(document['tried'])} networks"
    )
    show_promise(console, val)
    for unmet in found.outcome.unmet:
        console.line(unmet.in_words)
    console.line(f"gauge:  {document['gauge']}")
    console.line(f"report: {document['report']}")


def _rate(rate: dict[str, float]) -> str:
    return f"{rate['value']:.1%} ({rate['low']:.1%} to {rate['high']:.1%})"
