"""``gonogo compare``: several ways to train on the same folds, ranked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    Prevalence,
    RecipeFile,
    Reduce,
    Seed,
    Set,
    Size,
    Threads,
    WeightsFile,
    With,
    data_options,
    given,
    recipe_values,
    weights_source,
)

if TYPE_CHECKING:
    from gonogo.evaluate.comparison import Difference
    from gonogo.train.compare import Compared


def run(
    data: Data,
    imbalance: Annotated[
        str,
        typer.Option(
            help="Remedies to compare: all, or some of none, undersample, oversample, class-weights, focal and "
            "logit-adjustment, with commas between them."
        ),
    ] = "none",
    arch: Annotated[
        str, typer.Option(help="Architectures to compare, with commas between them; 'gonogo models' lists them.")
    ] = "taper",
    folds: Annotated[int, typer.Option(help="Shares of whole parts, each held out once.")] = 5,
    repeats: Annotated[int, typer.Option(help="How often, each time with other folds and another seed.")] = 1,
    by: Annotated[
        str | None,
        typer.Option(
            help="What ranks them: auc, balanced-accuracy, overkill (with --max-escape) or cost (with both costs)."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the ranking, every answer, and what --resume needs.")
    ] = None,
    with_: With = None,
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
    weights: WeightsFile = None,
    colour: Colour = None,
    bit_depth: BitDepth = 8,
    max_escape: MaxEscape = None,
    confidence: Confidence = None,
    cost_escape: CostEscape = None,
    cost_overkill: CostOverkill = None,
    cost_review: CostReview = None,
    prevalence: Prevalence = None,
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
    """Train several ways on the same folds of whole parts; rank them, or say that the data cannot tell them apart."""
    check_choice(device, "--device", ("auto", "cpu", "cuda"))
    flags = {"epochs": epochs, "batch_size": batch_size, "lr": lr, "seed": seed, "threads": threads}
    values = recipe_values(recipe, set_, flags)
    decision = given(
        max_escape=max_escape,
        confidence=confidence,
        cost_escape=cost_escape,
        cost_overkill=cost_overkill,
        cost_review=cost_review,
        prevalence=prevalence,
    )
    try:
        from gonogo.train.candidates import candidates_for
        from gonogo.train.compare import CompareRequest, compare, plan_comparison
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
    changes = key_values(with_ or [], "--with")
    ways = candidates_for(arch, imbalance, arch_options=changes, recipe=values, weights=weights_source(weights))
    request = CompareRequest(data, ways, out, folds, repeats, by, options, decision, device, resume, force)
    with Console(as_json) as console:
        if dry_run:
            plan = plan_comparison(request, progress=console.progress, note=console.note)
            names = ", ".join(entrant.name for entrant in plan.entrants)
            trainings = len(plan.entrants) * folds * repeats
            console.line(f"would compare {names} by {plan.by}: {trainings} trainings")
            console.result({"would_write": None if out is None else str(out), **plan.to_tables()})
            return
        found = compare(
            request, progress=console.progress, note=console.note, ended=console.job, report=console.within_job
        )
        _show(console, found)


def _show(console: Console, found: Compared) -> None:
    from gonogo.evaluate.comparison_words import TITLES, shown
    from gonogo.evaluate.held_out import BALANCED, ESCAPE

    comparison = found.comparison
    by, others = comparison.by, [name for name in comparison.standings[0].figures if name != comparison.by]
    if ESCAPE in others and BALANCED in others:
        others.remove(BALANCED)  # escape and overkill say the same

    def figure(rate: Any, name: str) -> str:
        return f"{shown(name, rate.value)} ({shown(name, rate.low)}, {shown(name, rate.high)})"

    def difference(own: Difference | None) -> str:
        return "-" if own is None else f"{shown(by, own.value)} ({shown(by, own.low)}, {shown(by, own.high)})"

    against = [f"against {comparison.baseline}"] if comparison.baseline else []
    console.table(
        ("trained with", TITLES[by], "to the first", *against, *(TITLES[name] for name in others)),
        (
            (
                row.name,
                figure(row.figures[by], by),
                difference(row.from_best),
                *([difference(row.from_baseline)] if against else []),
                *(shown(name, row.figures[name].value or 0.0) for name in others),
            )
            for row in comparison.standings
        ),
        f"{len(found.plan.prepared.manifest):,} photos, each held out, with 95 % intervals",
    )
    for line in found.sentences:
        console.line(line)
    if found.plan.request.out is not None:
        console.line(f"written: {found.plan.request.out}")
    console.result(found.to_json())
