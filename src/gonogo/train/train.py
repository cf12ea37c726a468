"""From photos to a run: prepare, train, choose the threshold on validation, write everything down."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

from gonogo.errors import RunError, UsageError
from gonogo.evaluate.good_alone import GoodLimit, limit_from
from gonogo.evaluate.options import policy_from
from gonogo.evaluate.policies import MaxEscape, Policy, check_policy
from gonogo.files import check_writable, remove_leftovers
from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import ModelSpec, Network, make_spec
from gonogo.models.layers.statistics_head import StatisticsHead
from gonogo.models.pretrained import PretrainedNetwork
from gonogo.models.pruned import Pruning
from gonogo.models.surgery import costs_of
from gonogo.splitting import Progress
from gonogo.train.automatic import Left, choose_options, without_automatic
from gonogo.train.build import build_network, check_whole
from gonogo.train.checkpoint import Progress as Learning
from gonogo.train.checkpoint import copy_weights, predict_probs
from gonogo.train.features import batch_size
from gonogo.train.good_alone import FittedDistance, check_request, fit_distance, with_axes
from gonogo.train.listing import Listed, list_photos
from gonogo.train.loader import Loader
from gonogo.train.loop import Step, Trainer
from gonogo.train.novelty import fit_novelty
from gonogo.train.outcome import outcome
from gonogo.train.prepare import DataOptions, Prepared, prepare
from gonogo.train.progressive import check_sizes
from gonogo.train.recipe import Recipe, fixed_epoch, resolve_recipe
from gonogo.train.run import Run, RunConfig
from gonogo.train.transfer import (
    Weights,
    WeightsSource,
    examples_of,
    fit_network,
    is_frozen,
    predict_examples,
    read_pretrained,
    with_levels,
)
from gonogo.types import Float32Array


@dataclass(frozen=True)
class TrainRequest:
    """What to train.

    Attributes:
        data: a folder of photos or a manifest file.
        out: the run folder to write.
        arch: a name from the registry.
        arch_options: changes to its widths and the like.
        recipe: changes to the recipe.
        options: what is said about the data.
        decision: how the threshold is chosen: the arguments of `policy_from` that were given.
        device: of Lightning Fabric: "auto", "cpu" or "cuda".
        resume: go on where `out` stopped.
        force: replace `out`.
        reject_unknown: fit what sends photos unlike everything in training to review.
        surgery: names of what is done to the network before it learns.
        weights: of an architecture that stands on pretrained ones: a file, or "hub" to fetch the published ones.
    """

    data: Path
    out: Path
    arch: str = "taper"
    arch_options: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    options: DataOptions = field(default_factory=DataOptions)
    decision: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    resume: bool = False
    force: bool = False
    weights: WeightsSource = None
    reject_unknown: bool = True
    surgery: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A training that can start: everything was read and checked, nothing written.

    Attributes:
        config: what ``run.toml`` will hold.
        prepared: the photos.
        network: with its fresh weights.
        policy: how the threshold is chosen.
        tried: what was tried for options that were left to validation, as JSON.
        reject_unknown: fit what sends photos unlike everything in training to review.
    """

    config: RunConfig
    prepared: Prepared
    network: Network
    policy: Policy | GoodLimit
    tried: list[dict[str, Any]]
    reject_unknown: bool


def plan(request: TrainRequest, *, progress: Progress | None = None, note: Callable[[str], None] | None = None) -> Plan:
    """Read the photos, resolve every option and build the network; write no run.

    Args:
        request: what to train.
        progress: called while photos are read and reduced.
        note: called with each line the user should know.

    Raises:
        GonogoError: the data, the options or the folder cannot be used.
    """
    architecture = ARCHITECTURES.get(request.arch)
    options = without_automatic(request.arch, request.arch_options)
    architecture.options(options)
    _check_surgery(request, options)
    recipe = resolve_recipe(architecture.recipe, request.recipe)
    listed = list_photos(request.data, request.options, may_be_good=True)
    policy = _how_to_decide(request, listed)
    if isinstance(policy, MaxEscape):
        recipe = fixed_epoch(recipe, request.recipe, "--max-escape")
    weights = read_pretrained(request.arch, request.weights, options)
    if not recipe.epochs and (not weights.tensors or architecture.needs_weights):
        raise UsageError(
            "epochs=0 keeps a network as its weights file has it, classifier and all, found "
            + ("a head that is to be fitted" if weights.tensors else "no --weights")
            + "; give 1 epoch or more"
        )
    check_run_folder(request.out, resume=request.resume, force=request.force)
    torch.set_num_threads(recipe.threads)
    prepared = prepare(
        request.data,
        request.options,
        listed=listed,
        default_colour=architecture.colour,
        seed=recipe.seed,
        progress=progress,
    )
    if not isinstance(policy, GoodLimit):
        check_policy(prepared.task, policy)
    if note is not None:
        for line in prepared.notes:
            note(line)
    spec = make_spec(
        request.arch, len(prepared.task.classes), prepared.geometry.network_channels, options, request.surgery
    )
    prepared = with_levels(prepared, spec, weights.tensors)
    tried: list[dict[str, Any]] = []
    if len(options) < len(request.arch_options):
        # A promise is made on the validation parts: then nothing is chosen on them.
        splits = ("train",) if isinstance(policy, MaxEscape) else ("train", "val")
        left = Left(request.arch_options, splits, request.options.fixes_size, recipe, request.device)
        spec, prepared, tried = choose_options(left, prepared, spec, weights.tensors, note)
    if prepared.good_alone:
        spec = with_axes(spec, build_network(spec, prepared.geometry, weights, recipe.seed), prepared)
    network = build_network(spec, prepared.geometry, weights, recipe.seed)
    if not recipe.epochs:
        check_whole(network, spec, prepared.geometry, recipe.seed)
    check_sizes(network, recipe, prepared.geometry.network_channels, prepared.geometry.input_size)
    if note is not None:
        for cost in costs_of(spec, prepared.geometry.input_size):
            note(cost.in_words())
        if not recipe.epochs:
            note("nothing is learnt; if the weights learnt from these photos elsewhere, every figure here is too good")
    config = _config(request, prepared, spec, recipe, weights)
    return Plan(config, prepared, network, policy, tried, request.reject_unknown)


def _check_surgery(request: TrainRequest, options: Mapping[str, Any]) -> None:
    """Refuse an unknown surgery, one that changes nothing, and one beside options that are left to the parts."""
    if not request.surgery:
        return
    if len(options) < len(request.arch_options):
        raise UsageError("--surgery changes a network whose options are given, found 'auto' among them; name the value")
    architecture = ARCHITECTURES.get(request.arch)
    with torch.device("meta"):
        make_spec(request.arch, 2, 3 if architecture.colour == "rgb" else 1, options, request.surgery).build()


def _how_to_decide(request: TrainRequest, listed: Listed) -> Policy | GoodLimit:
    """Return how the threshold is chosen; of good parts alone, refuse what cannot be learnt from them."""
    if request.arch_options.get("axes"):
        raise UsageError("axes is found on the photos, and only where there is no defect to learn from; leave it out")
    if not listed.good_alone:
        return policy_from(**request.decision)
    if request.surgery:
        raise UsageError(
            "--surgery adds layers that learn from defects, and there are none to learn from; leave it out"
        )
    check_request(request.arch, request.arch_options, request.recipe, str(request.data), str(listed.task.good))
    return limit_from(**request.decision)


def _config(request: TrainRequest, prepared: Prepared, spec: ModelSpec, recipe: Recipe, weights: Weights) -> RunConfig:
    return RunConfig(
        data=str(request.data),
        fingerprint=prepared.manifest.fingerprint,
        options=request.options,
        task=prepared.task,
        geometry=prepared.geometry,
        model=spec,
        recipe=recipe,
        decision=dict(request.decision),
        leaky={name: vars(rate) for name, rate in prepared.leaky.items()} or None,
        weights=weights.facts,
    )


def train(
    request: TrainRequest,
    *,
    progress: Progress | None = None,
    report: Callable[[Step], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> Run:
    """Train and write the run.

    Args:
        request: what to train.
        progress: called while photos are read and reduced.
        report: called after each batch and epoch.
        note: called with each line the user should know.

    Returns:
        The finished run; its ``metrics.json`` holds the figures on validation, and why it is refused, if it is.

    Raises:
        GonogoError: the data, the options or the folder cannot be used; nothing is written then.
        BarNotMetError: the loss left the numbers.
    """
    planned = plan(request, progress=progress, note=note)
    run = Run(request.out)
    if begin(run, planned, resume=request.resume):
        _fit(run, planned, request.device, report)
    return run


def begin(run: Run, planned: Plan, *, resume: bool, history: Sequence[Pruning] = ()) -> bool:
    """Write a run's configuration, or see that it began with the same one; say whether anything is left to do.

    Args:
        run: in a folder that `check_run_folder` has passed; what is there is replaced unless it is gone on with.
        planned: the training.
        resume: go on where the run stopped.
        history: what was taken out of the network as it was built.

    Raises:
        RunError: it began with other data or settings.
    """
    if resume:
        check_same_config(run, planned.config)
        remove_leftovers(run.path)
        if run.is_finished:
            return False
    elif run.path.exists():
        shutil.rmtree(run.path)
    run.write_config(planned.config, planned.prepared.manifest, history)
    return True


def check_run_folder(out: Path, *, resume: bool, force: bool) -> None:
    """See that a run can be written, found out now and not after an hour of training.

    Raises:
        UsageError: the folder is in the way, holds no run to resume, or cannot be written.
    """
    if resume:
        if not (out / "run.toml").is_file():
            raise UsageError(f"{out} holds no run to resume; leave --resume out")
    elif out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file, expected a folder for the run; give another name")
    elif out.is_dir() and any(not _is_leftover(path.name) for path in out.iterdir()):
        if not force:
            raise UsageError(f"{out} exists; give another name, --resume to go on with it, or --force to replace it")
        if not (out / "run.toml").is_file():
            raise UsageError(f"{out} is not a run, so --force does not delete it; give another name")
    check_writable(out)


def _is_leftover(name: str) -> bool:
    """Say whether a start that was killed left this file."""
    return name.startswith(".") and name.endswith(".tmp")


def check_same_config(run: Run, config: RunConfig) -> None:
    """Refuse to go on with other data or settings than the run began with."""
    before, now = run.config.to_tables(), config.to_tables()
    for table, values in now.items():
        if table in ("gonogo", "schema") or before.get(table) == values:
            continue
        for key, value in values.items():
            old = before[table].get(key)
            if old != value:
                raise RunError(
                    f"{run.path} began with {table}.{key} = {old}, now it is {value}; "
                    "resume with the same data and options, or train anew with --force"
                )
        raise RunError(f"{run.path} began with another [{table}]; train anew with --force")


def learn(
    network: Network,
    prepared: Prepared,
    recipe: Recipe,
    fabric: Fabric,
    checkpoint: Path,
    pretrained: bool = False,
    report: Callable[[Step], None] | None = None,
) -> Learning:
    """Train a network on the photos of train; where its body is learnt already, fit its head, then what is unfrozen.

    A network that only started from weights learnt elsewhere learns on as a whole, as one of fresh weights does.

    Args:
        network: with its fresh or pretrained weights.
        prepared: the photos; those of val choose the epoch where the recipe keeps the best one, otherwise nothing.
        recipe: how.
        fabric: device and precision.
        checkpoint: where the state goes after each epoch; the training goes on from it if it is there.
        pretrained: weights learnt elsewhere were put in.
        report: called after each batch and epoch.

    Raises:
        BarNotMetError: the loss left the numbers.
    """
    if pretrained and isinstance(network, PretrainedNetwork):
        fitted = fit_network(network, prepared, recipe.seed, fabric.device)
        if is_frozen(network):
            return fitted
    train, val = (loader(prepared, split, fabric) for split in ("train", "val"))
    return Trainer(network, recipe, train, val, fabric, checkpoint, report).fit()


def answers(network: Network, prepared: Prepared, split: str, fabric: Fabric) -> Float32Array:
    """Return (M, K) class probabilities of a split's photos; of a frozen network from the features remembered."""
    if is_frozen(network) and isinstance(network.head, StatisticsHead):
        return np.asarray(predict_examples(network, examples_of(network, prepared, split, fabric.device)).numpy())
    batches = loader(prepared, split, fabric).batches(batch_size(prepared.geometry.input_size))
    return np.asarray(predict_probs(network, batches).numpy())


def loader(prepared: Prepared, split: str, fabric: Fabric) -> Loader:
    """Return the photos of a split in batches, on the device."""
    rows = prepared.rows(split)
    labels, parts = prepared.manifest.labels[rows], prepared.parts[rows]
    return Loader(prepared.pixels, rows, labels, prepared.geometry, fabric.device, parts)


def _fit(run: Run, planned: Plan, device: str, report: Callable[[Step], None] | None) -> None:
    config, prepared, network = planned.config, planned.prepared, planned.network
    fabric = Fabric(accelerator=device, devices=1, precision=config.recipe.precision)
    known = None
    if prepared.good_alone:
        # The distance that decides would hold back as unknown what it calls a defect.
        progress, known = fit_distance(network, prepared, config.recipe.seed, fabric.device)
    else:
        progress = learn(network, prepared, config.recipe, fabric, run.checkpoint, bool(config.weights), report)
    finish(run, planned, progress, fabric, known)


def finish(
    run: Run, planned: Plan, progress: Learning, fabric: Fabric, known: FittedDistance | None = None, **more: Any
) -> None:
    """Ask a trained network about the validation photos, fit what tells the unknown, and write everything down.

    Args:
        run: its configuration is written already.
        planned: the training.
        progress: its history.
        fabric: device and precision.
        known: what a distance from good parts rests on; None for other networks.
        more: for ``metrics.json``.
    """
    config, prepared, network = planned.config, planned.prepared, planned.network
    run.write_history(progress.history)
    run.write_weights(copy_weights(network))
    pred_probs = answers(network, prepared, "val", fabric)
    novelty = None
    if planned.reject_unknown and not prepared.good_alone:
        novelty = fit_novelty(network, prepared, config.recipe.seed, fabric.device)
    if novelty is not None:
        run.write_novelty(novelty.novelty)
    network.cpu()
    run.write_predictions(prepared.manifest.select("val"), pred_probs)
    run.write_metrics({**outcome(planned, progress, pred_probs, novelty, known), **more})
    run.checkpoint.unlink(missing_ok=True)
