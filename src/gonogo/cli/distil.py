"""``gonogo distil``: a small network that learns from a larger one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    Threads,
    WeightsFile,
    With,
    data_options,
    given,
    recipe_values,
    weights_source,
)
from gonogo.errors import BarNotMetError, UsageError, did_you_mean

if TYPE_CHECKING:
    from gonogo.compress.distil import DistilRequest
    from gonogo.compress.teachers import TeacherRequest

WHATS = ("logits", "features", "both")


def run(
    teacher: Annotated[
        str,
        typer.Argument(
            help="Who teaches: a finished run, or with --weights an architecture such as stump, or timm:NAME."
        ),
    ],
    student: Annotated[
        str, typer.Argument(help="Who learns: an architecture, from nothing, or a finished run, from its weights.")
    ],
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder to write.")] = Path("distilled"),
    what: Annotated[
        str | None,
        typer.Option(
            help="What is taught: logits, features or both; of a run its logits, of a backbone its features, unless "
            "given."
        ),
    ] = None,
    teacher_with: Annotated[
        list[str] | None, typer.Option("--teacher-with", help="Option of the teacher, such as cut=12; may be repeated.")
    ] = None,
    weights: WeightsFile = None,
    teacher_size: Annotated[
        str | None, typer.Option(help="Pixels that a backbone sees: 112 for the shorter side, or 112x280.")
    ] = None,
    teacher_colour: Annotated[str | None, typer.Option(help="What a backbone sees: grey or rgb.")] = None,
    temperature: Annotated[float, typer.Option(help="Softens the teacher's answers.")] = 4.0,
    teaching: Annotated[float, typer.Option(help="Weight of its answers beside the labels, 0 to 1.")] = 0.9,
    axes: Annotated[int, typer.Option(help="Of its features, those along which they vary most; so many.")] = 8,
    features_weight: Annotated[float, typer.Option(help="Weight of its features beside the other losses.")] = 1.0,
    with_: With = None,
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
    reject_unknown: RejectUnknown = True,
    recipe: RecipeFile = None,
    set_: Set = None,
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
    """Let a small network learn from a larger one: from its answers, from what it sees, or from both."""
    check_choice(device, "--device", ("auto", "cpu", "cuda"))
    check_choice(what, "--what", WHATS)
    flags = {"epochs": epochs, "batch_size": batch_size, "lr": lr, "seed": seed, "threads": threads}
    values = recipe_values(recipe, set_, flags)
    decision = given(
        max_escape=max_escape,
        max_overkill=max_overkill,
        confidence=confidence,
        cost_escape=cost_escape,
        cost_overkill=cost_overkill,
        cost_review=cost_review,
        prevalence=prevalence,
    )
    try:
        from gonogo.compress.distil import DistilRequest, distil
        from gonogo.train.teacher import Teaching
        from gonogo.train.train import TrainRequest
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
    arch, goes_on = _student(student)
    changes = key_values(with_ or [], "--with")
    # The weights given are the teacher's: a student learns from nothing, or from those of its run.
    learning = TrainRequest(
        data, out, arch, changes, values, options, decision, device, resume, force, None, reject_unknown
    )
    telling = _teacher(teacher, teacher_with, weights, teacher_size, teacher_colour)
    weighed = Teaching(temperature, teaching)
    request = DistilRequest(telling, learning, goes_on, what, weighed, axes, features_weight)  # type: ignore[arg-type]
    with Console(as_json) as console:
        if dry_run:
            _show_plan(console, request)
            return
        finished = distil(request, progress=console.progress, report=console.epoch, note=console.note)
        _show(console, out, finished.metrics)


def _teacher(
    name: str, options: list[str] | None, weights: str | None, size: str | None, colour: str | None
) -> TeacherRequest:
    """Return who is to teach."""
    from gonogo.compress.teachers import TeacherRequest
    from gonogo.data.geometry import parse_size

    check_choice(colour, "--teacher-colour", ("grey", "rgb"))
    changes, pixels = key_values(options or [], "--teacher-with"), parse_size(size) if size else None
    return TeacherRequest(name, changes, weights_source(weights), pixels, colour)  # type: ignore[arg-type]  # checked


def _student(name: str) -> tuple[str, Path | None]:
    """Return the architecture that is to learn, or the run folder that is to learn on."""
    from gonogo.models import ARCHITECTURES

    if name in ARCHITECTURES:
        return name, None
    if not Path(name).exists():
        hint = did_you_mean(name, ARCHITECTURES)
        raise UsageError(f"student '{name}' is neither a run folder nor an architecture; {hint}")
    return "", Path(name)


def _show_plan(console: Console, request: DistilRequest) -> None:
    """Print what would be done."""
    from gonogo.compress.distil import plan_distillation
    from gonogo.config import toml_text

    found = plan_distillation(request, progress=console.progress, note=console.note)
    tables = found.planned.config.to_tables()
    console.line(toml_text(tables).rstrip())
    console.result({"would_write": str(request.student.out), **tables})


def _show(console: Console, out: Path, metrics: dict[str, Any]) -> None:
    found, figures, mark = metrics["distilled"], metrics["val"], leaky_mark(metrics)
    console.line(
        f"{metrics['arch']}: {metrics['params']:,} parameters, {metrics['macs'] / 1e6:.2f} M multiply-adds, taught "
        f"{_WORDS[found['what']]} ({found['teacher_params']:,}, {found['teacher_macs'] / 1e6:.2f} M)"
    )
    if found["teacher_accuracy"] is not None:
        console.line(
            f"on validation the teacher's accuracy is {found['teacher_accuracy']:.1%}{mark}; both answer alike to "
            f"{found['agreement']:.1%}{mark}"
        )
    if figures["escape_rate"] is not None:
        console.line(
            f"on validation: escape {percent(figures['escape_rate'])}{mark}, overkill "
            f"{percent(figures['overkill_rate'])}{mark}"
        )
    show_promise(console, figures)
    console.line(f"accuracy {percent(figures['accuracy'])}{mark}")
    console.line(f"run: {out}   next: gonogo eval {out}   gonogo export {out}")
    names = ("arch", "params", "macs", "images_per_second", "val", "novelty", "refused", "unmet")
    facts = {name: metrics[name] for name in names}
    console.result({"run": str(out), "leaky": metrics.get("leaky"), **facts, **found})
    unmet = metrics["refused"] or "; ".join(metrics["unmet"])
    if unmet:
        raise BarNotMetError(unmet)


_WORDS = {
    "logits": "the answers of a teacher",
    "features": "what a teacher sees",
    "both": "the answers of a teacher and what it sees",
}
