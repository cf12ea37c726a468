"""Several ways to train, each on the same folds of whole parts, and which of them is best."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from gonogo.config import to_dict, toml_text
from gonogo.errors import UsageError
from gonogo.evaluate.comparison import Comparison, compare_held_out, measure_for
from gonogo.evaluate.comparison_words import sentences
from gonogo.evaluate.held_out import HeldOut
from gonogo.evaluate.options import policy_from
from gonogo.evaluate.policies import Policy, check_policy
from gonogo.files import check_new_folder, check_writable, remove_leftovers, write_text
from gonogo.models import ARCHITECTURES
from gonogo.splitting import Progress
from gonogo.train.candidates import NO_REMEDY, Candidate, Entrant
from gonogo.train.folds import Course
from gonogo.train.jobs import Job, Training, train_all
from gonogo.train.loop import Step
from gonogo.train.prepare import DataOptions, Prepared, prepare_folds
from gonogo.train.ranking import write_answers, write_table
from gonogo.types import Float32Array, Int64Array

MOST_FOLDS, MOST_REPEATS = 100, 100
CONFIG_NAME, RESULT_NAME, TABLE_NAME, ANSWERS_NAME = "compare.toml", "compare.json", "ranking.csv", "answers.parquet"


@dataclass(frozen=True)
class CompareRequest:
    """What to compare, on what.

    Attributes:
        data: a folder of photos or a manifest file.
        candidates: the ways to train, with different names.
        out: the folder to write; None to keep nothing.
        folds: into which whole parts are shared out; each is held out once.
        repeats: how often, each time with other folds and another seed.
        by: the measure; follows from `decision` unless given.
        options: what is said about the data.
        decision: how thresholds are chosen: the arguments of `policy_from` that were given.
        device: of Lightning Fabric: "auto", "cpu" or "cuda".
        resume: take what `out` holds already.
        force: replace `out`.
    """

    data: Path
    candidates: tuple[Candidate, ...]
    out: Path | None = None
    folds: int = 5
    repeats: int = 1
    by: str | None = None
    options: DataOptions = field(default_factory=DataOptions)
    decision: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    resume: bool = False
    force: bool = False


@dataclass(frozen=True)
class Plan:
    """A comparison that can start: everything was read and checked, nothing written.

    Attributes:
        request: what was asked.
        entrants: the ways to train.
        policy: how thresholds are chosen.
        by: the measure.
        prepared: the photos that take part.
        folds: (R, N) the fold of each.
    """

    request: CompareRequest
    entrants: tuple[Entrant, ...]
    policy: Policy
    by: str
    prepared: Prepared
    folds: Int64Array

    def to_tables(self) -> dict[str, Any]:
        """Return the tables of ``compare.toml``."""
        rows = [
            {
                "name": e.name,
                "arch": e.arch,
                "with": dict(e.arch_options),
                "recipe": to_dict(e.recipe),
                "weights": e.weights.facts,
            }
            for e in self.entrants
        ]
        data = {"path": str(self.request.data), "fingerprint": self.prepared.manifest.fingerprint}
        return {
            "by": self.by,
            "folds": self.request.folds,
            "repeats": self.request.repeats,
            "data": data | to_dict(self.request.options),
            "decision": dict(self.request.decision),
            "candidates": rows,
        }


@dataclass(frozen=True)
class Compared:
    """What came out.

    Attributes:
        plan: what was trained.
        comparison: the ranking.
        params: how many parameters each candidate has.
        answers: candidate to the (R, N, K) probabilities of the photos, each from a network that never saw its part.
    """

    plan: Plan
    comparison: Comparison
    params: dict[str, int]
    answers: dict[str, Float32Array]

    @property
    def sentences(self) -> tuple[str, ...]:
        """The ranking in plain words."""
        return sentences(self.comparison)

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        plain = self.comparison.to_json()
        entrants = {entrant.name: entrant for entrant in self.plan.entrants}
        rows = []
        for row in plain.pop("standings"):
            own = entrants[row["name"]]
            facts = {"arch": own.arch, "imbalance": own.recipe.imbalance, "params": self.params[own.name]}
            rows.append({"name": row["name"]} | facts | row.pop("figures") | row)
        request = self.plan.request
        return {
            "folder": None if request.out is None else str(request.out),
            "verdict": " ".join(self.sentences),
            "folds": request.folds,
            "photos": len(self.plan.prepared.manifest),
            **plain,
            "rows": rows,
        }


def plan_comparison(
    request: CompareRequest, *, progress: Progress | None = None, note: Callable[[str], None] | None = None
) -> Plan:
    """Read the photos, share out their parts and check every candidate; write nothing.

    Args:
        request: what to compare.
        progress: called while photos are read and reduced.
        note: called with each line the user should know.

    Raises:
        GonogoError: the data, the options or the folder cannot be used.
    """
    for option, value, least, most in (
        ("--folds", request.folds, 2, MOST_FOLDS),
        ("--repeats", request.repeats, 1, MOST_REPEATS),
    ):
        if not least <= value <= most:
            raise UsageError(f"found {option} {value}, expected {least} to {most}")
    if len(request.candidates) < 2:
        raise UsageError("found one way to train, expected two or more to compare; give --imbalance all, or a list")
    policy = policy_from(**request.decision)
    by = measure_for(policy, request.by)
    entrants = tuple(Entrant.of(candidate) for candidate in request.candidates)
    if request.out is not None:
        _check_folder(request.out, request)
    colours = {ARCHITECTURES.get(entrant.arch).colour for entrant in entrants}
    if len(colours) > 1 and request.options.colour is None:
        raise UsageError("the architectures were made for different colours; say what all of them see: --colour rgb")
    seeds = [entrants[0].recipe.seed + number for number in range(request.repeats)]
    prepared, folds = prepare_folds(
        request.data, request.options, request.folds, seeds, default_colour=colours.pop(), progress=progress
    )
    check_policy(prepared.task, policy)
    by = measure_for(policy, request.by, sorts=prepared.task.is_sorting)
    if note is not None:
        for line in prepared.notes:
            note(line)
    return Plan(request, entrants, policy, by, prepared, folds)


def _check_folder(out: Path, request: CompareRequest) -> None:
    if not request.resume:
        check_new_folder(out, force=request.force, marker=CONFIG_NAME)
    elif not (out / CONFIG_NAME).is_file():
        raise UsageError(f"{out} holds no comparison to resume; leave --resume out")
    else:
        check_writable(out)


def compare(
    request: CompareRequest,
    *,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
    ended: Callable[[Job], None] | None = None,
    report: Callable[[Step], None] | None = None,
) -> Compared:
    """Train every candidate on all folds but one, in turn, and rank them by their answers to the one left out.

    With a folder, the answers to each fold are kept as soon as they are there: a comparison that was stopped goes on
    with `resume`, and one with another candidate more trains that one alone.

    Args:
        request: what to compare.
        progress: called while photos are read and reduced.
        note: called with each line the user should know.
        ended: called after each training.
        report: called after each batch and epoch.

    Raises:
        GonogoError: the data, the options or the folder cannot be used; nothing is written then.
        BarNotMetError: a loss left the numbers.
    """
    plan = plan_comparison(request, progress=progress, note=note)
    params = {entrant.name: entrant.params(plan.prepared) for entrant in plan.entrants}
    with _folder(request, plan) as folder:
        answers = _train_all(plan, folder, ended, report)
        prepared = plan.prepared
        groups = prepared.manifest.groups if prepared.manifest.has_groups else None
        held = HeldOut(prepared.task, prepared.manifest.labels, groups, plan.folds)
        comparison = compare_held_out(held, answers, policy=plan.policy, by=plan.by, baseline=NO_REMEDY)
        result = Compared(plan, comparison, params, answers)
        _write(folder, result)
    return result


@contextmanager
def _folder(request: CompareRequest, plan: Plan) -> Iterator[Path]:
    """Give the folder to work in: the one asked for, or one that is gone afterwards."""
    if request.out is None:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)
        return
    if request.out.exists() and not request.resume:
        shutil.rmtree(request.out)
    request.out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(request.out)
    # First the file that makes the folder ours: a comparison that is killed here can be resumed or replaced.
    write_text(request.out / CONFIG_NAME, toml_text(plan.to_tables()))
    yield request.out


def _train_all(
    plan: Plan, folder: Path, ended: Callable[[Job], None] | None, report: Callable[[Step], None] | None
) -> dict[str, Float32Array]:
    """Return name to (R, N, K) answers."""
    classes = len(plan.prepared.task.classes)
    answers = {e.name: np.zeros((*plan.folds.shape, classes), dtype=np.float32) for e in plan.entrants}
    # Round by round and fold by fold: stopped half-way, every candidate is as far as the others.
    jobs = [
        Training(entrant, number, fold)
        for number, fold, entrant in product(range(len(plan.folds)), range(plan.request.folds), plan.entrants)
    ]
    course = Course(plan.prepared, plan.folds, folder / "answers", plan.request.device)
    for done, (job, outcome) in enumerate(zip(jobs, train_all(course, jobs, report), strict=True), start=1):
        name, number, fold = job.entrant.name, job.number, job.fold
        answers[name][number, plan.folds[number] == fold] = outcome.answers
        if ended is not None:
            again = f", round {number + 1}" if len(plan.folds) > 1 else ""
            ended(Job(f"{name}{again}, fold {fold + 1} of {plan.request.folds}", done, len(jobs), outcome.seconds))
    return answers


def _write(folder: Path, result: Compared) -> None:
    plan = result.plan
    write_answers(folder / ANSWERS_NAME, plan.prepared.manifest, plan.folds, result.answers)
    write_table(folder / TABLE_NAME, result.to_json()["rows"])
    write_text(folder / RESULT_NAME, json.dumps(result.to_json(), indent=2) + "\n")
