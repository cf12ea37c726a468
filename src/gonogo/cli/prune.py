"""``gonogo prune``: a smaller and faster network from a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gonogo.cli.console import Console, leaky_mark
from gonogo.cli.options import AsJson, DryRun, Force, check_choice, missing_train_extra
from gonogo.cli.training import BatchSize, Device, Epochs, LearningRate, RecipeFile, Seed, Set, Threads, recipe_values
from gonogo.errors import BarNotMetError, UsageError
from gonogo.files import check_new_file

if TYPE_CHECKING:
    from gonogo.compress.prune.prune import PruneRequest


def run(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run; it stays as it is.")],
    data: Annotated[
        Path | None, typer.Argument(help="Where the run's photos are now; where they were, unless given.")
    ] = None,
    target: Annotated[
        str, typer.Option(help="What is left at most: macs=0.5, params=0.3, latency=0.5 or latency_ms=2.")
    ] = "macs=0.5",
    criterion: Annotated[
        str | None,
        typer.Option(
            help="What makes a channel matter: l1, l2, bn-scale, taylor, leave-one-out, rank, entropy, zeros, "
            "separability, fpgm, lamp, hessian, reconstruction or random; 'all' ranks them and writes nothing. "
            "Unless given, reconstruction for frozen networks, l2 for others."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder to write.")] = Path("pruned"),
    max_drop: Annotated[
        float, typer.Option(help="Points that may be lost on validation: of accuracy, or of AUC.")
    ] = 0.5,
    blocks: Annotated[int, typer.Option(help="Residual blocks to take out first, those that are missed least.")] = 0,
    steps: Annotated[int, typer.Option(help="Prune and learn so many times.")] = 1,
    scope: Annotated[
        str | None,
        typer.Option(
            help="Channels compete within their layer (layer), by their scores (global), or by what is lost without "
            "them for what they cost (worth, of frozen networks unless given)."
        ),
    ] = None,
    refit: Annotated[
        bool | None,
        typer.Option(
            "--refit/--no-refit",
            help="Fit layers that read channels which went again, by least squares. Of frozen networks unless given: "
            "then nothing of the body learns.",
        ),
    ] = None,
    streams: Annotated[bool, typer.Option("--streams", help="Prune channels too that several blocks add to.")] = False,
    round_: Annotated[
        str, typer.Option("--round", help="Widths are multiples of this; auto: measured to be fast here.")
    ] = "auto",
    floor: Annotated[float, typer.Option(help="Share of its channels that every layer keeps.")] = 0.1,
    temperature: Annotated[float, typer.Option(help="Softens the answers of the original, which teaches.")] = 4.0,
    teaching: Annotated[float, typer.Option(help="Weight of the original's answers beside the labels, 0 to 1.")] = 0.9,
    maps: Annotated[float, typer.Option(help="Weight of the original's maps beside its answers; 0 for none.")] = 0.0,
    sensitivity: Annotated[
        Path | None, typer.Option(help="Page to draw: how much each layer minds losing channels; nothing is pruned.")
    ] = None,
    recipe: RecipeFile = None,
    set_: Set = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    lr: LearningRate = None,
    seed: Seed = None,
    threads: Threads = None,
    device: Device = "cpu",
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the folder stopped.")] = False,
    force: Force = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take out channels and blocks, fit or teach the rest to answer as before, time both; refuse what does not pay."""
    if scope is not None:
        check_choice(scope, "--scope", ("layer", "global", "worth"))
    check_choice(device, "--device", ("auto", "cpu", "cuda"))
    flags = {"epochs": epochs, "batch_size": batch_size, "lr": lr, "seed": seed, "threads": threads}
    values = recipe_values(recipe, set_, flags)
    try:
        from gonogo.compress.prune.prune import PruneRequest, plan_pruning, prune
        from gonogo.compress.prune.target import read_target
        from gonogo.train.teacher import Teaching
    except ImportError as error:
        raise missing_train_extra(error) from error
    request = PruneRequest(
        run=run_folder,
        out=out,
        target=read_target(target),
        data=data,
        criterion=criterion,
        max_drop=max_drop,
        blocks=blocks,
        steps=steps,
        scope=scope,  # type: ignore[arg-type]  # checked above
        streams=streams,
        refit=refit,
        multiple=_multiple(round_),
        floor=floor,
        recipe=values,
        teaching=Teaching(temperature, teaching, maps),
        device=device,
        resume=resume,
        force=force,
    )
    with Console(as_json) as console:
        if sensitivity is not None:
            _draw(console, request, sensitivity)
            return
        if criterion == "all":
            _rank(console, request)
            return
        if dry_run:
            found = plan_pruning(request, progress=console.progress, note=console.note)
            console.line(f"would write {out}: " + _in_words(found))
            console.result({"would_write": str(out), **found})
            return
        pruned = prune(request, progress=console.progress, report=console.epoch, note=console.note)
        _show(console, pruned.run.metrics, out)


def _multiple(text: str) -> int | None:
    """Read what stands behind --round."""
    if text == "auto":
        return None
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"found --round {text}, expected auto, or a whole number such as 8")
    return int(text)


def _draw(console: Console, request: PruneRequest, page: Path) -> None:
    """Draw how much each layer minds losing channels; prune nothing."""
    from gonogo.compress.prune.sensitivity import SHARES, sensitivities
    from gonogo.report.sensitivity import write_sensitivity_page

    check_new_file(page)
    criterion = request.criterion or "l2"
    rows = sensitivities(request, progress=console.progress)
    write_sensitivity_page(page, rows, request.run.resolve().name, criterion)
    console.table(
        ("layer", "channels", *(f"{share:.0%} silent" for share in SHARES)),
        ((row.layer, str(row.channels), *(f"{kept:.1%}" for kept in row.agreement)) for row in rows),
        "training photos still answered as before, where a layer alone loses channels",
    )
    console.line(f"page: {page}")
    console.result({"page": str(page), "criterion": criterion, "rows": [vars(row) for row in rows]})


def _rank(console: Console, request: PruneRequest) -> None:
    """Rank the criteria; write nothing."""
    from gonogo.compress.prune.ranking import rank_criteria

    rows = rank_criteria(request, progress=console.progress)
    console.table(
        ("criterion", "accuracy", "against random (95 % interval)", ""),
        (
            (
                row["criterion"],
                f"{row['accuracy']:.1%}",
                "-" if row["gain"] is None else f"{row['gain']:+.1f} ({row['low']:+.1f} to {row['high']:+.1f})",
                row["says"],
            )
            for row in rows
        ),
        f"pruned to {request.target}, BatchNorm estimated anew, nothing learnt; points on validation",
    )
    console.result({"target": str(request.target), "rows": rows})


def _in_words(found: dict[str, Any]) -> str:
    return (
        f"{found['macs_before'] / 1e6:,.2f} -> {found['macs_after'] / 1e6:,.2f} M multiply-adds "
        f"({found['macs_after'] / found['macs_before']:.1%}), {found['params_before']:,} -> {found['params_after']:,} "
        f"parameters, {found['p50_ms_before']:.3f} -> {found['p50_ms_after']:.3f} ms "
        f"({found['p50_ms_before'] / found['p50_ms_after']:.2f}x)"
    )


def _show(console: Console, metrics: dict[str, Any], out: Path) -> None:
    found = metrics["pruning"]
    drop, mark = found["drop"], leaky_mark(metrics)
    console.line(f"{metrics['arch']} pruned by {found['criterion']} to {found['target']}: " + _in_words(found))
    console.line(
        f"on validation {drop['measure']} {drop['before']:.4f} -> {drop['after']:.4f}{mark}: {drop['value']:.2f} "
        f"points lost (95 % interval {drop['low']:.2f} to {drop['high']:.2f}, {drop['n']:,} {drop['unit']})"
    )
    console.line("points lost by class: " + ", ".join(f"{name} {lost:.1f}" for name, lost in drop["classes"].items()))
    names = ("arch", "params", "macs", "images_per_second", "val", "unmet")
    console.result({"run": str(out), **{name: metrics[name] for name in names}, **found, "refused": metrics["refused"]})
    if metrics["refused"]:
        raise BarNotMetError(metrics["refused"])
    console.line(f"run: {out}   next: gonogo eval {out}   gonogo export {out}")
