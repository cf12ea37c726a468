"""Run a study that compares networks on two divisions of the same photos; what is done is kept and taken up again."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gonogo import __version__
from gonogo.advise.two_by_two import Cell
from gonogo.config import to_dict
from gonogo.data.geometry import Geometry
from gonogo.errors import UsageError
from gonogo.evaluate.comparison import compare_held_out
from gonogo.files import check_new_folder, check_writable, remove_leftovers, write_text
from gonogo.models import ARCHITECTURES
from gonogo.splitting import Progress
from gonogo.studies import published
from gonogo.studies.board import Board, Entry, Row, as_csv
from gonogo.studies.board_page import show
from gonogo.studies.contenders import Cost, costs, find_weights
from gonogo.studies.latency import Latency, latencies
from gonogo.studies.paradox import paradox
from gonogo.studies.request import Ended, Note, StudyRequest, chosen
from gonogo.studies.two_splits import HONEST, PUBLISHED, TESTED, TwoSplits
from gonogo.train.candidates import Entrant
from gonogo.train.folds import Course
from gonogo.train.jobs import Job, Training, train_all
from gonogo.train.prepare import read_photos
from gonogo.train.told import told_by_photos
from gonogo.types import Float32Array, UInt8Array
from gonogo.workers import cores

MARKER, CSV_NAME, JSON_NAME, PAGE_NAME, COSTS_NAME = "study.toml", "study.csv", "study.json", "study.html", "costs.json"
PARADOX_NAME = "two_by_two.json"
TURNS, QUICK_TURNS = 8, 2
QUICK_FOLDS = 2
MINUTES = 55.0  # unless given, and not on a GPU
BATCHES, COUNTS = (1, 10, 32, 100), (100, 400)


@dataclass(frozen=True)
class Plan:
    """A study that can start.

    Attributes:
        board: what it compares.
        request: what was asked.
        entries: the networks that take part.
        weights: name to the file of pretrained weights that is at hand.
        splits: the photos.
        notes: what the user should know.
    """

    board: Board
    request: StudyRequest
    entries: tuple[Entry, ...]
    weights: dict[str, Path]
    splits: TwoSplits
    notes: tuple[str, ...]

    def sees(self, entry: Entry) -> dict[str, Any]:
        """Return the changes to the options that this network's photos need."""
        whole = entry.whole if entry.whole is not None else entry.sees
        return dict(whole if self.request.full else entry.sees)

    def geometry(self, entry: Entry) -> Geometry:
        """Return the way from the camera to a network."""
        colour = ARCHITECTURES.get(entry.contender.arch).colour
        return self.splits.geometry(self.sees(entry), colour)

    def why_not(self, entry: Entry) -> str:
        """Say why a network is not trained here; empty where it is."""
        if entry.contender.is_pretrained and entry.name not in self.weights:
            return "cost alone: its accuracy needs its pretrained weights, --weights FILE"
        if entry.heavy and not self.request.full:
            return "cost alone: training it takes a GPU, --full"
        return ""


def run_board(
    board: Board,
    request: StudyRequest,
    *,
    progress: Progress | None = None,
    note: Note | None = None,
    ended: Ended | None = None,
) -> dict[str, Any]:
    """Count, time, train and compare the networks, and write a page.

    Args:
        board: what the study compares.
        request: what was asked.
        progress: called while photos are read.
        note: called with each line the user should know.
        ended: called after each training.

    Returns:
        What ``gonogo study --json`` prints.

    Raises:
        GonogoError: the data, the weights or the folder cannot be used; nothing is written then.
    """
    started = time.monotonic()
    plan = _plan(board, request, progress)
    for line in plan.notes:
        if note is not None:
            note(line)
    _open_folder(request, plan)
    cost, latency = _costs(plan)
    minutes = request.minutes or (None if request.full else MINUTES)
    deadline = None if minutes is None else started + 60 * minutes
    answers = _train(plan, cost, deadline, progress, ended)
    rows = _rows(plan, cost, latency, answers)
    cells: tuple[Cell, ...] = ()
    if board.augmented and not request.quick and (deadline is None or time.monotonic() < deadline):
        cells = paradox(plan.splits, board.augmented, request.out / PARADOX_NAME, progress)
    document = {
        "study": board.study,
        "data": str(request.data),
        "photos": len(plan.splits.photos.linked),
        "rows": [line for row in rows for line in row.to_json(board.study)],
        "two_by_two": [cell.to_json() for cell in cells],
        "notes": list(plan.notes),
    }
    verdict = show(request.out / PAGE_NAME, board, rows, cells, plan.splits, plan.notes, quick=request.quick)
    document |= {"verdict": verdict, "page": str(request.out / PAGE_NAME)}
    write_text(request.out / CSV_NAME, as_csv(rows))
    write_text(request.out / JSON_NAME, json.dumps(document, indent=2) + "\n")
    return document


def _plan(board: Board, request: StudyRequest, progress: Progress | None) -> Plan:
    _check(request)
    names = {contender.name for contender in chosen(board.contenders, request.only)}
    first_look = request.quick and not request.only
    entries = tuple(entry for entry in board.entries if entry.name in names and (entry.quick or not first_look))
    weights = find_weights(tuple(entry.contender for entry in entries), request.weights)
    asked, notes = request.options, list[str]()
    if asked.mixed == "refuse" and board.mixed != "refuse":
        asked = replace(asked, mixed=board.mixed)
        notes.append(f"photos with boxes of several classes, if any: as with --mixed {board.mixed}; give another rule")
    told = told_by_photos(request.data, asked, progress)
    options = told.options
    notes += told.notes
    if request.quick:
        notes.append(
            f"a first look: {len(entries)} of {len(board.entries)} networks, and what learns from nothing learns for "
            f"{board.quick_epochs} epochs, far too few"
        )
    photos = read_photos(request.data, options, progress=progress)
    folds = request.folds or (QUICK_FOLDS if request.quick else board.folds)
    splits = TwoSplits.of(photos, options, folds, test=board.test)
    plan = Plan(board, request, entries, weights, splits, tuple(notes))
    with torch.device("meta"):
        for entry in entries:  # photos that are too small for one are named before anything is written
            entry.contender.build(photos.task, plan.geometry(entry))
    return plan


def _check(request: StudyRequest) -> None:
    if request.minutes is not None and request.minutes <= 0:
        raise UsageError(f"found --minutes {request.minutes:g}, expected more than 0")
    if request.full and request.quick:
        raise UsageError("--full and --quick ask for opposites; leave one of them out")
    if request.full and not torch.cuda.is_available():
        raise UsageError("--full trains every network on a GPU, and there is none here; leave --full out")
    if not request.resume:
        check_new_folder(request.out, force=request.force, marker=MARKER)
    elif not (request.out / MARKER).is_file():
        raise UsageError(f"{request.out} holds no study to resume; leave --resume out")
    else:
        check_writable(request.out)


def _open_folder(request: StudyRequest, plan: Plan) -> None:
    """Make the folder, and first the file that makes it ours: a study that is killed here can be taken up again."""
    if request.out.exists() and not request.resume:
        shutil.rmtree(request.out)
    request.out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(request.out)
    write_text(request.out / MARKER, f'study = "{plan.board.study}"\ngonogo = "{__version__}"\n')


def _costs(plan: Plan) -> tuple[dict[str, Cost], dict[str, Latency]]:
    """Count and time the networks; those of an earlier run where the same ones were timed."""
    seen = [(entry.contender, plan.geometry(entry)) for entry in plan.entries]
    asked = {contender.name: to_dict(geometry) | dict(contender.options) for contender, geometry in seen}
    path = plan.request.out / COSTS_NAME
    if plan.request.resume and path.is_file():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["asked"] == json.loads(json.dumps(asked)):
            return _unpacked(kept)
    with tempfile.TemporaryDirectory() as folder:
        quick = plan.request.quick
        cost = costs(seen, plan.splits.photos.task, Path(folder), repeats=QUICK_TURNS if quick else TURNS)
        files = {contender.name: Path(folder) / f"{number}.onnx" for number, (contender, _) in enumerate(seen)}
        latency = {} if quick else latencies(files, _noise(seen[0][1]), batches=BATCHES, counts=COUNTS)
    packed = {"cost": {k: asdict(v) for k, v in cost.items()}, "latency": {k: v.to_json() for k, v in latency.items()}}
    write_text(path, json.dumps({"asked": asked} | packed, indent=2) + "\n")
    return cost, latency


def _unpacked(kept: dict[str, Any]) -> tuple[dict[str, Cost], dict[str, Latency]]:
    cost = {name: Cost(**own | {"input_size": tuple(own["input_size"])}) for name, own in kept["cost"].items()}
    latency = {
        name: Latency(
            {int(batch): ms for batch, ms in own["ms_per_photo_by_batch"].items()},
            {int(count): seconds for count, seconds in own["seconds_by_photos"].items()},
        )
        for name, own in kept["latency"].items()
    }
    return cost, latency


def _noise(geometry: Geometry) -> UInt8Array:
    """Return a few photos of the camera's size; what they show makes no difference to the time."""
    x, y, width, height = geometry.region
    size = (8, y + height, x + width, geometry.channels)
    return np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)


@dataclass(frozen=True)
class Answers:
    """The answers of one network.

    Attributes:
        honest: (N, K), each photo's by a network that never saw its part.
        leaky: (M, K), to the published test set.
    """

    honest: Float32Array
    leaky: Float32Array


def _train(
    plan: Plan,
    cost: Mapping[str, Cost],
    deadline: float | None,
    progress: Progress | None,
    ended: Ended | None,
) -> dict[str, Answers]:
    """Return the answers of every network that was trained on all folds before time was over."""
    able = [entry for entry in plan.entries if not plan.why_not(entry)]
    # The study's own first, then what takes least: where time is short, one heavy network costs the rows of all others.
    able.sort(key=lambda own: (own.name != plan.board.first, not own.contender.is_pretrained, cost[own.name].macs))
    each = plan.splits.count + 1
    done, found = 0, {}
    for entry in able:
        if deadline is not None and time.monotonic() > deadline:
            break
        outcomes = []
        for job, outcome in _trainings(plan, entry, progress):
            done += 1
            outcomes.append(outcome)
            if ended is not None:
                ended(replace(job, done=done, total=len(able) * each))
            # What was learnt elsewhere looks at all photos in its first training, and the others take no time.
            needed = 0.0 if entry.contender.is_pretrained else job.seconds * math.ceil((each - len(outcomes)) / cores())
            if deadline is not None and time.monotonic() + needed > deadline:
                break  # the time is for networks that end within it
        if len(outcomes) == each:
            found[entry.name] = _put_together(plan.splits, outcomes)
    return found


def _trainings(plan: Plan, entry: Entry, progress: Progress | None) -> Iterator[tuple[Job, Float32Array]]:
    """Train one network: on the published division, then on all folds of parts but one, in turn."""
    splits, contender = plan.splits, entry.contender
    colour = ARCHITECTURES.get(contender.arch).colour
    prepared = splits.seen_as(plan.sees(entry), colour, progress)
    if plan.request.quick and not contender.is_pretrained:
        contender = replace(contender, recipe={**contender.recipe, "epochs": plan.board.quick_epochs})
    entrant = Entrant.of(contender.candidate(plan.weights.get(entry.name)))
    course = Course(prepared, splits.folds, plan.request.out / "answers", "cuda" if plan.request.full else "cpu")
    trainings = [Training(entrant, PUBLISHED, TESTED)]
    trainings += [Training(entrant, HONEST, fold) for fold in range(splits.count)]
    for training, outcome in zip(trainings, train_all(course, trainings), strict=True):
        where = "published split" if training.number == PUBLISHED else f"fold {training.fold + 1} of {splits.count}"
        yield Job(f"{entry.name}, {where}", 0, 0, outcome.seconds), outcome.answers


def _put_together(splits: TwoSplits, outcomes: list[Float32Array]) -> Answers:
    leaky, *folds = outcomes
    honest = np.zeros((splits.folds.shape[1], leaky.shape[1]), dtype=np.float32)
    for fold, answers in enumerate(folds):
        honest[splits.folds[HONEST] == fold] = answers
    return Answers(honest, leaky)


def _rows(
    plan: Plan, cost: dict[str, Cost], latency: dict[str, Latency], answers: dict[str, Answers]
) -> tuple[Row, ...]:
    told, splits = published(plan.board.study), plan.splits
    auc = {}
    if answers:
        held = {name: own.honest[None] for name, own in answers.items()}
        auc = {row.name: row.figures["auc"] for row in compare_held_out(splits.held_out, held).standings}
    rows = []
    for entry in plan.entries:
        own = answers.get(entry.name)
        why = plan.why_not(entry) or ("" if own else "not reached in the time given; --resume goes on")
        row = Row(
            entry.name,
            dict(told.get(entry.contender.published or "", {})),
            cost[entry.name],
            latency.get(entry.name),
            None if own is None else splits.measure_published(own.leaky),
            None if own is None else splits.measure_honest(own.honest),
            auc.get(entry.name),
            why,
        )
        rows.append(row)
    return tuple(rows)
