"""Pruning a run: a smaller network, fitted to or taught by the one it comes from, timed against it, held to a gate."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from gonogo.compress.prune.cost import CostModel
from gonogo.compress.prune.importance import CRITERIA
from gonogo.compress.prune.patient import Patient, estimate, fit_again, open_patient
from gonogo.compress.prune.schedule import Limits, Scope
from gonogo.compress.prune.surgeon import Surgeon, remove_blocks
from gonogo.compress.prune.target import Target
from gonogo.compress.prune.verdict import check_faster, costs, hold_against
from gonogo.compress.prune.widths import fast_multiple
from gonogo.config import to_dict
from gonogo.errors import UsageError
from gonogo.evaluate.options import policy_from
from gonogo.files import remove_leftovers, sha256
from gonogo.models.architecture import Network
from gonogo.models.pruned import Pruning, apply, removable_blocks
from gonogo.splitting import Progress
from gonogo.train.checkpoint import Progress as Learning
from gonogo.train.loop import Step
from gonogo.train.recipe import Recipe, resolve_recipe
from gonogo.train.run import Run, RunConfig
from gonogo.train.teacher import FINE_TUNING, STEADIED, Teaching, learn_from
from gonogo.train.train import Plan, check_run_folder, check_same_config, finish
from gonogo.train.transfer import fit_network, is_frozen


@dataclass(frozen=True)
class PruneRequest:
    """What to prune, and how far.

    Attributes:
        run: a finished run, which stays as it is.
        out: the run to write.
        target: what is left at most.
        data: where the run's photos are now; None where they were.
        criterion: a name from the registry; None for what others cannot reconstruct where layers are fitted again, and
            for the sum of squared weights elsewhere.
        max_drop: points that may be lost on validation.
        blocks: residual blocks to take out before any channel.
        steps: the target is reached in so many steps, with learning in between.
        scope: whether channels compete with those of all layers or of their own; None for what they are worth where
            nothing learns again, and for their own layer elsewhere.
        refit: fit the layers that read channels which went again by least squares. None: where the body is frozen, so
            that nothing of it learns again and only the head is fitted, as it was.
        streams: whether channels that several blocks add to may go.
        multiple: widths are rounded up to it; None to measure what is fast here.
        floor: share of its channels that every layer keeps.
        recipe: changes to how it learns again.
        teaching: how much it listens to the network that it comes from.
        device: of Lightning Fabric.
        resume: go on where `out` stopped.
        force: replace `out`.
    """

    run: Path
    out: Path
    target: Target
    data: Path | None = None
    criterion: str | None = None
    max_drop: float = 0.5
    blocks: int = 0
    steps: int = 1
    scope: Scope | None = None
    refit: bool | None = None
    streams: bool = False
    multiple: int | None = None
    floor: float = 0.1
    recipe: Mapping[str, Any] = field(default_factory=dict)
    teaching: Teaching = field(default_factory=Teaching)
    device: str = "cpu"
    resume: bool = False
    force: bool = False


@dataclass(frozen=True)
class Pruned:
    """What came out.

    Attributes:
        run: that was written.
        figures: before and after, as ``metrics.json`` has them.
    """

    run: Run
    figures: dict[str, Any]


def prune(
    request: PruneRequest,
    *,
    progress: Progress | None = None,
    report: Callable[[Step], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> Pruned:
    """Prune a run and write the pruned one; the original stays as it is.

    Args:
        request: what to prune.
        progress: called while photos are read.
        report: called after each batch and epoch.
        note: called with each line the user should know.

    Raises:
        GonogoError: the run, the photos or the options cannot be used; nothing is written then.
        BarNotMetError: the target is out of reach, or what meets it is not faster; nothing is written then.
    """
    _check(request)
    check_run_folder(request.out, resume=request.resume, force=request.force)
    recipe = _recipe(request)
    torch.set_num_threads(recipe.threads)
    patient = open_patient(request.run, request.data, recipe.seed, progress)
    request = resolved(request, patient.network)
    config = _config(request, patient, recipe)
    run, fabric = Run(request.out), Fabric(accelerator=request.device, devices=1, precision=recipe.precision)
    done = _resumed(run, config, patient) if request.resume else ()
    if request.resume and run.is_finished:
        return Pruned(run, run.metrics["pruning"])
    _check_blocks(request, patient)
    surgeon = surgeon_of(request, patient, note)
    network, history, times = copy.deepcopy(patient.network), list(patient.run.history), None
    for step in range(1, request.steps + 1):
        before = copy.deepcopy(network).cpu().eval()
        if step <= len(done):
            apply(network, done[step - 1])
            history.append(done[step - 1])
        else:
            history.append(_operate(request, patient, surgeon, network, step))
            if step == request.steps:
                times = check_faster(patient, network)
            if step == 1:
                shutil.rmtree(run.path, ignore_errors=True)
            run.write_config(config, patient.prepared.manifest, history)
        if request.refit:
            fit_again(patient, network, before, history[-1])
        else:
            estimate(network, patient.prepared, fabric)
        learnt = _learn(request, patient, network, recipe, fabric, _checkpoint(run, step), report)
    planned = Plan(config, patient.prepared, network, policy_from(**config.decision), [], _rejects_unknown(patient))
    figures = {"criterion": request.criterion, "target": str(request.target)}
    figures |= hold_against(patient, surgeon, network, fabric, request.max_drop, times)
    more: dict[str, Any] = {"refused": figures["refused"]} if figures["refused"] else {}
    finish(run, planned, learnt, fabric, pruning=figures, **more)
    for step in range(1, request.steps + 1):
        _checkpoint(run, step).unlink(missing_ok=True)
    return Pruned(run, figures)


def plan_pruning(
    request: PruneRequest, *, progress: Progress | None = None, note: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Do the first step of a pruning in memory and measure it; learn nothing, write nothing. Errors as of `prune`."""
    _check(request)
    check_run_folder(request.out, resume=request.resume, force=request.force)
    patient = open_patient(request.run, request.data, _recipe(request).seed, progress)
    request = resolved(request, patient.network)
    _check_blocks(request, patient)
    surgeon = surgeon_of(request, patient, note)
    network = copy.deepcopy(patient.network)
    _operate(request, patient, surgeon, network, 1)
    return costs(surgeon, network, patient.times(original=patient.network, pruned=network))


def resolved(request: PruneRequest, network: Network) -> PruneRequest:
    """Return the request with what was left to the network.

    Raises:
        UsageError: a recipe, where nothing learns again.
    """
    frozen = is_frozen(network)
    fits = frozen if request.refit is None else request.refit
    if frozen and fits and set(request.recipe) - {"seed", "threads"}:
        names = ", ".join(sorted(set(request.recipe) - {"seed", "threads"}))
        raise UsageError(
            f"found {names}, and nothing of a frozen network learns again: its layers are fitted; leave the recipe "
            "out, or give --no-refit to let all of it learn"
        )
    criterion = request.criterion or ("reconstruction" if fits else "l2")
    scope = request.scope or ("worth" if fits and frozen else "layer")
    return replace(request, refit=fits, criterion=criterion, scope=scope)


def _learn(
    request: PruneRequest,
    patient: Patient,
    network: Network,
    recipe: Recipe,
    fabric: Fabric,
    checkpoint: Path,
    report: Callable[[Step], None] | None,
) -> Learning:
    """Let what is left learn from the original; of a frozen network whose layers were fitted, fit the head alone."""
    if request.refit and is_frozen(network):
        return fit_network(network, patient.prepared, recipe.seed, fabric.device)
    network.to(fabric.device).requires_grad_(True)
    teacher = copy.deepcopy(patient.network)
    return learn_from(network, teacher, patient.prepared, recipe, request.teaching, fabric, checkpoint, report)


def _operate(request: PruneRequest, patient: Patient, surgeon: Surgeon, network: Network, step: int) -> Pruning:
    """Take blocks and channels out of the network, in place; return what went."""
    network.cpu().eval()
    evidence = replace(patient.evidence, network=network)
    blocks: tuple[str, ...] = ()
    if step == 1 and request.blocks:
        blocks = remove_blocks(network, evidence, request.blocks)
        evidence = replace(evidence)  # maps were of the network before
    return replace(surgeon.operate(network, evidence, request.target.at(step, request.steps)), blocks=blocks)


def surgeon_of(request: PruneRequest, patient: Patient, note: Callable[[str], None] | None) -> Surgeon:
    """Return who takes channels out of a patient as it was asked for."""
    request = resolved(request, patient.network)
    assert request.criterion is not None and request.scope is not None
    config = patient.run.config
    multiple = request.multiple or fast_multiple()
    if request.multiple is None and note is not None:
        note(f"widths in multiples of {multiple}, which is measured to be fast on this machine; --round gives another")
    size, channels = config.geometry.input_size, config.geometry.network_channels
    return Surgeon(
        arch=config.model.arch,
        in_channels=channels,
        size=size,
        criterion=request.criterion,
        limits=Limits(multiple, request.floor, request.scope),
        streams=request.streams,
        features=not (request.refit and is_frozen(patient.network)),
        whole=CostModel(patient.network, channels, size),
        timer=lambda network: patient.times(pruned=network)["pruned"].p50_ms,
        whole_ms=patient.times(original=patient.network)["original"].p50_ms if request.target.is_time else 0.0,
    )


def _config(request: PruneRequest, patient: Patient, recipe: Recipe) -> RunConfig:
    made_from = {
        "command": "prune",
        "run": request.run.resolve().name,
        "weights_sha256": sha256(request.run / "model.safetensors"),
        "criterion": request.criterion,
        "target": str(request.target),
        "max_drop": request.max_drop,
        "blocks": request.blocks,
        "steps": request.steps,
        "scope": request.scope,
        "refit": request.refit,
        "streams": request.streams,
        "floor": request.floor,
        **vars(request.teaching),
    }
    return replace(patient.run.config, recipe=recipe, made_from=made_from)


def _recipe(request: PruneRequest) -> Recipe:
    steadied = STEADIED if request.teaching.maps else {}
    return resolve_recipe(to_dict(Run.open(request.run).config.recipe), FINE_TUNING, steadied, request.recipe)


def _check(request: PruneRequest) -> None:
    if request.criterion is not None:
        CRITERIA.get(request.criterion)
    if request.steps < 1 or request.blocks < 0 or not 0 < request.floor <= 1:
        raise UsageError("expected --steps 1 or more, --blocks 0 or more, and --floor above 0 and at most 1")
    if request.out.resolve() == request.run.resolve():
        raise UsageError(f"{request.out} is the original; give another folder for the pruned run")


def _check_blocks(request: PruneRequest, patient: Patient) -> None:
    there = len(removable_blocks(patient.network))
    if request.blocks > there:
        arch = patient.run.config.model.arch
        raise UsageError(f"found --blocks {request.blocks}, and '{arch}' can do without {there} blocks at most")


def _resumed(run: Run, config: RunConfig, patient: Patient) -> tuple[Pruning, ...]:
    """Return the steps that were taken already."""
    check_same_config(run, config)
    remove_leftovers(run.path)
    return run.history[len(patient.run.history) :]


def _rejects_unknown(patient: Patient) -> bool:
    return patient.run.metrics.get("novelty") is not None


def _checkpoint(run: Run, step: int) -> Path:
    return run.path / f"step{step}.safetensors"
