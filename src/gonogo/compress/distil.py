"""Distilling: a small network learns from a larger one, by its answers (Hinton et al. 2015) or by what it sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from gonogo.compress.teachers import RunTeacher, Teacher, TeacherRequest, find_teacher
from gonogo.config import to_dict
from gonogo.data.geometry import Geometry
from gonogo.errors import UsageError
from gonogo.evaluate.options import policy_from
from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import Network, count_frozen, count_parameters
from gonogo.models.cost import count_macs, dry_run
from gonogo.models.layers.statistics_head import STATISTICS, StatisticsHead
from gonogo.models.pruned import Pruning
from gonogo.splitting import Progress
from gonogo.train.checkpoint import Progress as Learning
from gonogo.train.distil import AXES, WEIGHT, Answering, Lesson, check_unmixed, learn_taught, pooling_head
from gonogo.train.loop import Step
from gonogo.train.prepare import DataOptions, Prepared
from gonogo.train.recipe import resolve_recipe
from gonogo.train.reopen import reopen
from gonogo.train.run import Run
from gonogo.train.teacher import Teaching, learn_from
from gonogo.train.train import Plan, TrainRequest, answers, begin, check_run_folder, finish, plan
from gonogo.train.transfer import examples_of, is_frozen
from gonogo.train.views import Reframed

What = Literal["logits", "features", "both"]
WHATS: tuple[What, ...] = ("logits", "features", "both")


@dataclass(frozen=True)
class DistilRequest:
    """Who learns what from whom.

    Attributes:
        teacher: who teaches.
        student: who learns, as for a training; its `weights` are none, since those of `teacher` are the teacher's.
        goes_on: a finished run that learns on from its weights, in its own split and geometry; what `student` says of
            network and data is left out then.
        what: the teacher's logits, its features, or both; the logits of a run and the features of a backbone unless
            given.
        teaching: how much its logits weigh.
        axes: of its features, at most: those along which they vary most.
        weight: of the features, beside the other losses.
    """

    teacher: TeacherRequest
    student: TrainRequest
    goes_on: Path | None = None
    what: What | None = None
    teaching: Teaching = field(default_factory=Teaching)
    axes: int = AXES
    weight: float = WEIGHT

    def __post_init__(self) -> None:
        if self.axes < 1 or not 0 < self.weight <= 1000:
            raise UsageError(
                f"found --axes {self.axes} and --features-weight {self.weight:g}, expected 1 or more, and above 0 to "
                "1000"
            )


@dataclass(frozen=True)
class Distillation:
    """A distillation that can start: everything was read and checked, nothing written.

    Attributes:
        planned: the student's training.
        history: of the student's prunings.
        teacher: its network, in evaluation.
        seen: the photos as the teacher sees them.
        what: is taught.
        order: (K,) the place of each of the student's classes among the teacher's; None where it has none.
    """

    planned: Plan
    history: tuple[Pruning, ...]
    teacher: Network
    seen: Prepared
    what: What
    order: tuple[int, ...] | None

    @property
    def shares_pixels(self) -> bool:
        """Whether teacher and student see the same pixels."""
        return self.seen.geometry.pixels_key == self.planned.prepared.geometry.pixels_key


def distil(
    request: DistilRequest,
    *,
    progress: Progress | None = None,
    report: Callable[[Step], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> Run:
    """Let a student learn from a teacher, and write its run.

    Args:
        request: who learns what from whom.
        progress: called while photos are read and reduced.
        report: called after each batch and epoch.
        note: called with each line the user should know.

    Raises:
        GonogoError: teacher, student, photos or options cannot be used; nothing is written then.
        BarNotMetError: the loss left the numbers.
    """
    found = plan_distillation(request, progress=progress, note=note)
    run = Run(request.student.out)
    if not begin(run, found.planned, resume=request.student.resume, history=found.history):
        return run
    fabric = Fabric(accelerator=request.student.device, devices=1, precision=found.planned.config.recipe.precision)
    learnt = _learn(request, found, fabric, run.checkpoint, report)
    figures = _figures(found, fabric)
    finish(run, found.planned, learnt, fabric, distilled=figures)
    return run


def plan_distillation(
    request: DistilRequest, *, progress: Progress | None = None, note: Callable[[str], None] | None = None
) -> Distillation:
    """Read and check everything; write nothing. Arguments and errors as of `distil`."""
    teacher = find_teacher(request.teacher)
    what = request.what or ("logits" if teacher.classes else "features")
    _check_folders(request, teacher)
    planned, history = _student(request, progress, note)
    order = _order(teacher, planned, what, request)
    network, prepared = planned.network, planned.prepared
    if prepared.good_alone:
        raise UsageError("there is no defect in these photos that a teacher could tell; give photos of some")
    if is_frozen(network):
        raise UsageError("the student stands on frozen weights, and nothing but its head would learn; give another one")
    if what != "logits":
        check_unmixed(planned.config.recipe)
        pooling_head(network)
    teaching, seen = teacher.open(prepared, progress)
    made_from = {"command": "distil", **teacher.facts, **_how(request, what)}
    planned = replace(planned, config=replace(planned.config, made_from=made_from))
    found = Distillation(planned, history, teaching, seen, what, order)
    if not found.shares_pixels and what != "features":
        _check_other_view(found)
        if note is not None:
            note(_sizes(found))
    return found


def _how(request: DistilRequest, what: What) -> dict[str, Any]:
    """Return what ``run.toml`` says of how it was taught."""
    how: dict[str, Any] = {"what": what}
    if request.goes_on is not None:
        how["student"] = request.goes_on.resolve().name
    if what != "features":
        how |= vars(request.teaching)
    if what != "logits":
        how |= {"axes": request.axes, "features_weight": request.weight}
    return how


def _check_folders(request: DistilRequest, teacher: Teacher) -> None:
    out = request.student.out
    originals = [request.goes_on] if request.goes_on else []
    originals += [teacher.run.path] if isinstance(teacher, RunTeacher) else []
    for original in originals:
        if out.resolve() == original.resolve():
            raise UsageError(f"{out} is what is learnt from; give another folder for the distilled run")
    check_run_folder(out, resume=request.student.resume, force=request.student.force)


def _student(
    request: DistilRequest, progress: Progress | None, note: Callable[[str], None] | None
) -> tuple[Plan, tuple[Pruning, ...]]:
    """Plan the training of a student, from nothing or from its run."""
    if request.goes_on is not None:
        return _going_on(request.goes_on, request.student, progress)
    architecture = ARCHITECTURES.get(request.student.arch)
    if architecture.needs_weights:
        raise UsageError(
            f"a student learns from nothing, and architecture '{request.student.arch}' stands on weights learnt "
            "elsewhere; train it, and give its run folder"
        )
    return plan(request.student, progress=progress, note=note), ()


def _going_on(path: Path, student: TrainRequest, progress: Progress | None) -> tuple[Plan, tuple[Pruning, ...]]:
    run = Run.open(path)
    if student.arch_options or student.surgery or student.options != DataOptions():
        raise UsageError(
            f"the student {path} is a run, with its own network, split and geometry; leave out what says something of "
            "these, such as --with, --size or --good"
        )
    if run.metrics.get("good_alone") is not None:
        raise UsageError(f"the student {path} is a distance from good parts, which learns no answers; give another one")
    recipe = resolve_recipe(to_dict(run.config.recipe), student.recipe)
    if not recipe.epochs:
        raise UsageError("epochs=0 learns nothing; give 1 epoch or more")
    decision = dict(student.decision) or run.config.decision
    policy = policy_from(**decision)
    torch.set_num_threads(recipe.threads)
    prepared = reopen(run, student.data, progress)
    config = replace(run.config, recipe=recipe, decision=decision)
    rejects_unknown = student.reject_unknown and run.metrics.get("novelty") is not None
    return Plan(config, prepared, run.load_network(), policy, [], rejects_unknown), run.history


def _order(teacher: Teacher, planned: Plan, what: What, request: DistilRequest) -> tuple[int, ...] | None:
    """Return where the student's classes stand among the teacher's.

    Raises:
        UsageError: its answers are wanted, and they are about other classes.
    """
    own, classes = planned.prepared.task.classes, teacher.classes
    if classes is not None and set(classes) == set(own):
        return tuple(classes.index(name) for name in own)
    if what == "features":
        return None
    name = request.teacher.name
    if classes is None:
        raise UsageError(
            f"the teacher {name} has features and no answers about {', '.join(own)}; give --what features, or train it "
            "on these photos first and give its run folder"
        )
    raise UsageError(
        f"the teacher {name} tells {', '.join(classes)} apart, and these photos show {', '.join(own)}; give one of the "
        "same classes, or --what features to learn what it sees alone"
    )


def _check_other_view(found: Distillation) -> None:
    """Refuse a recipe whose views a teacher of other pixels cannot share."""
    recipe = found.planned.config.recipe
    check_unmixed(recipe)
    if recipe.cutout_percent:
        raise UsageError(
            f"a teacher of other pixels would see what cutout_percent={recipe.cutout_percent:g} covers; leave it out"
        )


def _sizes(found: Distillation) -> str:
    (h, w), (height, width) = (p.geometry.input_size for p in (found.planned.prepared, found.seen))
    return f"the teacher sees each photo turned and lit as the student does, at {width}x{height} pixels beside {w}x{h}"


class _InOrder(nn.Module):
    """A teacher whose logits stand in its pupil's order."""

    def __init__(self, teacher: nn.Module, order: tuple[int, ...]) -> None:
        super().__init__()
        self.teacher, self.order = teacher, list(order)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.teacher(inputs)[:, self.order]
        return logits


class Watcher(Network):
    """A teacher's body, and the statistics of what comes out of it; its classifier is never asked."""

    def __init__(self, teacher: Network, geometry: Geometry) -> None:
        super().__init__()
        shape = (1, geometry.network_channels, *geometry.input_size)
        statistics = teacher.head.statistics if isinstance(teacher.head, StatisticsHead) else STATISTICS
        self.body, self.fixed_size = teacher.body, teacher.fixed_size
        self.head = StatisticsHead(dry_run(teacher.body, shape).shape[1], 2, statistics)


def _learn(
    request: DistilRequest,
    found: Distillation,
    fabric: Fabric,
    checkpoint: Path,
    report: Callable[[Step], None] | None,
) -> Learning:
    planned = found.planned
    network, prepared, recipe = planned.network, planned.prepared, planned.config.recipe
    lesson = None if found.what == "logits" else _lesson(request, found, fabric)
    if found.what == "features":
        return learn_taught(network, prepared, recipe, lesson, fabric, checkpoint, report)
    assert found.order is not None
    teacher: nn.Module = _InOrder(found.teacher, found.order)
    if lesson is None and found.shares_pixels:
        teacher = Reframed(teacher, found.seen.geometry, prepared.geometry)
        return learn_from(network, teacher, prepared, recipe, request.teaching, fabric, checkpoint, report)
    answering = Answering(teacher, found.seen, request.teaching)
    return learn_taught(network, prepared, recipe, lesson, fabric, checkpoint, report, answering)


def _lesson(request: DistilRequest, found: Distillation, fabric: Fabric) -> Lesson:
    watcher = Watcher(found.teacher, found.seen.geometry)
    features = examples_of(watcher, found.seen, "train", fabric.device).features
    return Lesson.of(features, request.axes, request.weight)


def _figures(found: Distillation, fabric: Fabric) -> dict[str, Any]:
    """Return what ``metrics.json`` says of teacher and student on validation."""
    geometry, teacher = found.seen.geometry, found.teacher
    figures: dict[str, Any] = {
        "what": found.what,
        "teacher_params": sum(count_parameters(teacher)) + count_frozen(teacher),
        "teacher_macs": count_macs(teacher, geometry.network_channels, geometry.input_size),
        "teacher_accuracy": None,
        "agreement": None,
    }
    if found.order is None:
        return figures
    teacher.to(fabric.device)
    told = answers(teacher, found.seen, "val", fabric)[:, list(found.order)].argmax(1)
    ours = answers(found.planned.network, found.planned.prepared, "val", fabric).argmax(1)
    labels = found.planned.prepared.manifest.select("val").labels
    return figures | {
        "teacher_accuracy": float(np.mean(told == labels)),
        "agreement": float(np.mean(told == ours)),
    }
