"""Distilling: who may teach whom what, and that the run that comes out is one like any other."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save_file

from gonogo.compress.distil import DistilRequest, Watcher, distil, plan_distillation
from gonogo.compress.prune.graph import find_groups, removal
from gonogo.compress.teachers import TeacherRequest
from gonogo.data.geometry import Geometry
from gonogo.errors import RunError, UsageError
from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import PoolingHead, make_spec
from gonogo.models.pruned import apply
from gonogo.train.checkpoint import copy_weights
from gonogo.train.distil import Pupil
from gonogo.train.loop import Step
from gonogo.train.prepare import DataOptions
from gonogo.train.run import Run
from gonogo.train.train import TrainRequest, train
from tests.helpers import tree, write_kinds, write_plates
from tests.helpers_weights import write_weights

QUICK = {"epochs": 2, "batch_size": 8, "seed": 0}
PAIRS = DataOptions(group_by="2", find_copies=False)


@pytest.fixture(scope="module")
def teacher(plates: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that answers all plates well. Read it, never write to it."""
    folder = tmp_path_factory.mktemp("teacher") / "run"
    train(TrainRequest(plates, folder, "taper-wide", recipe=QUICK | {"epochs": 8, "keep": "last"}, options=PAIRS))
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "mobilenet_v2.pth")


def request_for(teacher: Any, plates: Path, out: Path, student: dict[str, Any] | None = None, **more: Any):
    learning: dict[str, Any] = {"recipe": QUICK, "options": PAIRS} | (student or {})
    telling = teacher if isinstance(teacher, TeacherRequest) else TeacherRequest(str(teacher))
    return DistilRequest(telling, TrainRequest(plates, out, **learning), **more)


def test_a_student_of_a_run_is_a_run_like_any_other(teacher: Path, plates: Path, tmp_path: Path):
    before = tree(teacher)
    run = distil(request_for(teacher, plates, tmp_path / "small", {"recipe": QUICK | {"epochs": 8}}))
    assert {path.name for path in run.path.iterdir()} == {path.name for path in teacher.iterdir()}
    assert tree(teacher) == before
    assert run.config.made_from["teacher"] == "run"
    assert run.config.made_from["what"] == "logits"
    found, (labels, probs) = run.metrics["distilled"], run.read_predictions()
    assert found["teacher_params"] == Run.open(teacher).metrics["params"] == 26_458
    assert run.metrics["params"] == 6_014
    told = Run.open(teacher).read_predictions()[1].argmax(1)
    assert found["teacher_accuracy"] == np.mean(told == labels)
    assert found["agreement"] == np.mean(told == probs.argmax(1)) == 1.0
    assert Run.open(run.path).deployed().network.head.pooled_width == 16


@pytest.mark.parametrize("what", ["logits", "features", "both"])
def test_a_teacher_of_other_pixels_teaches_everything(what: Any, teacher: Path, plates: Path, tmp_path: Path):
    notes: list[str] = []
    request = request_for(
        teacher, plates, tmp_path / "small", {"options": replace(PAIRS, reduce=2, colour="rgb")}, what=what
    )
    run = distil(request, note=notes.append)
    assert run.config.geometry.input_size == (32, 32)
    shared = "the teacher sees each photo turned and lit as the student does, at 64x64 pixels beside 32x32"
    assert (shared in notes) == (what != "features")
    assert run.metrics["distilled"]["what"] == what
    assert run.metrics["distilled"]["teacher_accuracy"] == 1.0


def test_a_backbone_teaches_what_it_sees(weights: Path, plates: Path, tmp_path: Path):
    telling = TeacherRequest("stump", {"cut": "3"}, weights, size=(96,))
    run = distil(request_for(telling, plates, tmp_path / "small"))
    found = run.metrics["distilled"]
    assert (found["what"], found["agreement"], found["teacher_accuracy"]) == ("features", None, None)
    assert run.config.made_from["teacher_options"] == {"cut": "3"}
    assert run.config.made_from["teacher_size"] == [96]
    assert run.config.weights == {}
    assert run.load_network().head.pooled_width == 16
    with pytest.raises(UsageError, match="features and no answers about defect, ok; give --what features"):
        distil(request_for(telling, plates, tmp_path / "more", what="logits"))
    assert not (tmp_path / "more").exists()


def test_a_backbone_of_timm_teaches_in_colour(plates: Path, tmp_path: Path):
    network = make_spec("timm", 2, 3, {"backbone": "mobilenetv2_035"}).build()
    state = {name.removeprefix("model."): value for name, value in network.body.state_dict().items()}
    save_file(state, tmp_path / "timm.safetensors")
    telling = TeacherRequest("timm:mobilenetv2_035", {}, tmp_path / "timm.safetensors")
    found = plan_distillation(request_for(telling, plates, tmp_path / "out"))
    assert found.seen.geometry.colour == "rgb"
    assert found.planned.prepared.geometry.colour == "grey"
    assert found.seen.geometry.input_size == found.planned.prepared.geometry.input_size == (64, 64)
    assert found.planned.config.made_from["teacher"] == "timm:mobilenetv2_035"


def test_a_run_learns_on_from_its_weights_in_its_own_split(teacher: Path, plates: Path, tmp_path: Path):
    first = distil(request_for(teacher, plates, tmp_path / "first"))
    on = {"options": DataOptions(), "recipe": {"epochs": 1, "lr": 1e-7, "schedule": "constant"}}
    second = distil(request_for(teacher, plates, tmp_path / "second", on, goes_on=first.path))
    assert second.config.made_from["student"] == "first"
    assert second.config.fingerprint == first.config.fingerprint
    assert (second.config.recipe.lr, second.config.recipe.batch_size) == (1e-7, 8)
    ours, theirs = (run.load_network().state_dict() for run in (first, second))
    moved = max(float((ours[name] - theirs[name]).abs().max()) for name in ours if name.endswith("weight"))
    assert 0 < moved < 1e-4
    with pytest.raises(UsageError, match="leave out what says something of these, such as --with"):
        distil(request_for(teacher, plates, tmp_path / "third", {"arch_options": {"hidden": 4}}, goes_on=first.path))
    with pytest.raises(UsageError, match="is what is learnt from"):
        distil(request_for(teacher, plates, first.path, on | {"force": True}, goes_on=first.path))


def test_a_pruned_run_learns_on_and_stays_as_small(teacher: Path, plates: Path, tmp_path: Path):
    shutil.copytree(teacher, tmp_path / "pruned")
    pruned = Run(tmp_path / "pruned")
    network = pruned.load_network()
    groups = find_groups(network, 1, (64, 64), "taper-wide")
    history = [removal({group: np.arange(group.width // 2) for group in groups}, criterion="l2")]
    apply(network, history[0])
    pruned.write_history_of_prunings(pruned.config, history)
    pruned.write_weights(copy_weights(network))
    on = {"options": DataOptions(), "recipe": {"epochs": 1, "batch_size": 8}}
    for what in ("logits", "both"):
        run = distil(request_for(teacher, plates, tmp_path / what, on, goes_on=pruned.path, what=what))
        assert [step.to_json() for step in run.history] == [step.to_json() for step in history]
        shapes = {name: value.shape for name, value in run.load_network().state_dict().items()}
        assert shapes == {name: value.shape for name, value in network.state_dict().items()}
        assert run.metrics["params"] < 10_000 < run.metrics["distilled"]["teacher_params"]


@pytest.mark.usefixtures("empty_cache")  # the first training computes what the others find in the cache
@pytest.mark.parametrize("changes", [{}, {"reduce": 2}])
def test_killed_and_gone_on_with_it_ends_with_the_same_bits(
    changes: dict[str, Any], teacher: Path, plates: Path, tmp_path: Path
):
    def kill(step: Step) -> None:
        if step.epoch == 2 and step.row is None:
            raise KeyboardInterrupt

    student = {"recipe": QUICK | {"epochs": 3}, "options": replace(PAIRS, **changes)}
    what: Any = "both" if changes else "logits"
    whole = distil(request_for(teacher, plates, tmp_path / "whole", student, what=what))
    request = request_for(teacher, plates, tmp_path / "killed", student, what=what)
    with pytest.raises(KeyboardInterrupt):
        distil(request, report=kill)
    assert Run(tmp_path / "killed").checkpoint.is_file()
    again = distil(replace(request, student=replace(request.student, resume=True)))
    assert (again.path / "model.safetensors").read_bytes() == (whole.path / "model.safetensors").read_bytes()


def test_a_run_goes_on_only_with_what_it_began_with(teacher: Path, plates: Path, tmp_path: Path):
    request = request_for(teacher, plates, tmp_path / "small")
    done = tree(distil(request).path)
    again = replace(request, student=replace(request.student, resume=True))
    assert tree(distil(again).path) == done
    with pytest.raises(RunError, match=r"began with made_from.what = logits, now it is both"):
        distil(replace(again, what="both"))
    assert tree(tmp_path / "small") == done


def test_a_teacher_that_knows_the_photos_held_out_is_refused(teacher: Path, plates: Path, tmp_path: Path):
    request = request_for(teacher, plates, tmp_path / "small", {"recipe": QUICK | {"seed": 5}})
    with pytest.raises(UsageError, match=r"learnt from \d+ of the \d+ photos held out here, such as .*manifest.csv"):
        distil(request)
    own = DataOptions(photos=str(plates), find_copies=False)
    table = request_for(teacher, teacher / "manifest.csv", tmp_path / "small", {"options": own})
    assert distil(table).config.fingerprint == Run.open(teacher).config.fingerprint


def test_a_teacher_of_other_classes_teaches_only_what_it_sees(teacher: Path, tmp_path: Path):
    kinds = write_kinds(tmp_path / "kinds", 12)
    options = replace(PAIRS, good="none")
    request = request_for(teacher, kinds, tmp_path / "small", {"options": options})
    with pytest.raises(UsageError, match="tells defect, ok apart, and these photos show hole, plain sheet, speckle"):
        distil(request)
    run = distil(replace(request, what="features"))
    assert run.metrics["distilled"]["teacher_accuracy"] is None


@pytest.mark.parametrize(
    ("student", "more", "words"),
    [
        ({"recipe": QUICK | {"mixup_alpha": 0.2}}, {"what": "features"}, "a teacher saw whole photos"),
        ({"recipe": QUICK | {"mixup_alpha": 0.2}, "options": replace(PAIRS, reduce=2)}, {}, "a teacher saw whole"),
        ({"recipe": QUICK | {"cutout_percent": 9}, "options": replace(PAIRS, reduce=2)}, {}, "cutout_percent=9 covers"),
        ({"arch": "stump"}, {}, "a student learns from nothing, and architecture 'stump' stands on weights"),
        ({"arch": "vit-study", "options": replace(PAIRS, size=(32, 32))}, {"what": "features"}, "found FlattenHead"),
    ],
)
def test_what_cannot_be_taught_is_refused(
    student: dict[str, Any], more: dict[str, Any], words: str, teacher: Path, plates: Path, tmp_path: Path
):
    with pytest.raises(UsageError, match=words):
        distil(request_for(teacher, plates, tmp_path / "out", student, **more))
    assert not (tmp_path / "out").exists()


def test_photos_of_another_camera_are_refused(teacher: Path, tmp_path: Path):
    larger = write_plates(tmp_path / "photos", 12, size=80)
    with pytest.raises(UsageError, match=r"takes photos of 64x64 pixels, 1 channels of 8 bits, found 80x80 pixels"):
        distil(request_for(teacher, larger, tmp_path / "out"))


@pytest.mark.parametrize("values", [{"axes": 0}, {"weight": 0.0}, {"weight": float("nan")}])
def test_values_out_of_range_are_refused(values: dict[str, Any], plates: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="--axes"):
        request_for("run", plates, tmp_path / "out", **values)


CHANGES = {"timm": {"backbone": "mobilenetv2_035"}, "nasnet-mobile": {"filters": 8}}


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_every_architecture_has_features_to_teach_and_learns_some_or_says_why_not(name: str):
    architecture = ARCHITECTURES.get(name)
    size = architecture.size if max(architecture.size) < 100 else (96, 96)
    colour = architecture.colour or "grey"
    levels = (0.0,) * 3 if colour == "rgb" else (0.0,)
    geometry = Geometry(*size, colour=colour, mean=levels, std=tuple(1.0 for _ in levels))
    network = make_spec(name, 2, len(levels), CHANGES.get(name, {})).build()
    watcher = Watcher(network, geometry)
    assert watcher.head.classifier.in_features >= 2 * len(watcher.head.statistics)
    if isinstance(network.head, PoolingHead):
        assert Pupil(network, 3).head.guess.in_features == network.head.pooled_width
    else:
        with pytest.raises(UsageError, match=f"found {type(network.head).__name__}; give a taper"):
            Pupil(network, 3)
