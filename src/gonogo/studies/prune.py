"""Filter pruning for edge devices: train, rank, rebuild, learn again, deploy both, compare.

Its three ways to rank filters (the sum of their weights, their impact on the error, their feature maps) are held
against chance, on the networks it names: VGG-16, ResNet and DenseNet on CIFAR's photos, and on others by transfer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gonogo.compress.prune.importance import CONTROL
from gonogo.compress.prune.prune import PruneRequest, prune
from gonogo.compress.prune.target import Target
from gonogo.errors import BarNotMetError, UsageError
from gonogo.evaluate.intervals import share
from gonogo.evaluate.paired import PairedDrop, paired_drop
from gonogo.files import check_writable, write_text
from gonogo.models.weights import read_weights
from gonogo.report.page import percent
from gonogo.splitting import Progress
from gonogo.studies import published
from gonogo.studies.contenders import Contender, find_weights
from gonogo.studies.prune_page import write_prune_page
from gonogo.studies.request import Ended, Note, StudyRequest, chosen
from gonogo.train.jobs import Job
from gonogo.train.prepare import read_photos
from gonogo.train.run import Run
from gonogo.train.train import TrainRequest, train
from gonogo.types import Rate

JSON_NAME, PAGE_NAME = "study.json", "study.html"
HALF = Target("macs", 0.5)
# The study's three ways to rank filters, and chance.
CRITERIA = ("l1", "leave-one-out", "rank", CONTROL)
QUICK_CRITERIA = ("l1", CONTROL)
MINUTES = 55.0  # unless given, and not on a GPU
BASE, AGAIN = {"epochs": 20}, {"epochs": 8}
FULL_BASE, FULL_AGAIN = {"epochs": 160}, {"epochs": 40}
QUICK = {"epochs": 1, "photos_per_epoch": 512, "batch_size": 32}
# The shorter side of photos that are larger than CIFAR's.
SIDE = 64
# Points that a pruned network may lose: all of them, for the study shows what is lost and refuses nothing for it.
MAX_DROP = 100.0


@dataclass(frozen=True)
class Subject:
    """A network of the study.

    Attributes:
        contender: the network.
        heavy: too much work to train without a GPU, unless its weights are at hand.
    """

    contender: Contender
    heavy: bool = False


SUBJECTS = (
    Subject(Contender("ResNet-56", "resnet56", published="resnet56")),
    Subject(Contender("VGG-16", "vgg16-bn", published="vgg16"), heavy=True),
    Subject(Contender("DenseNet-40", "densenet40", published="densenet40"), heavy=True),
    Subject(Contender("stump, cut 12", "stump", {"cut": 12})),
)


@dataclass(frozen=True)
class Asked:
    """The original's and the pruned network's answers to the same photos.

    Attributes:
        before: the share that the original answers rightly.
        after: the share that the pruned one does.
        drop: what was lost, photo by photo; of AUC where defects are told from good parts.
    """

    before: Rate
    after: Rate
    drop: PairedDrop


@dataclass(frozen=True)
class Row:
    """A network pruned by one criterion.

    Attributes:
        model: the network.
        criterion: what ranked its filters; empty where it was not pruned.
        found: what the pruning says of both.
        asked: both networks on photos that neither was trained or chosen on; None where nothing was pruned.
        why: why there are no figures.
    """

    model: str
    criterion: str
    found: Mapping[str, Any]
    asked: Asked | None
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as DESIGN.md names them."""
        own = next(s.contender for s in SUBJECTS if s.contender.name == self.model)
        told = published("prune").get(own.published or "", {})
        ours = {key: value for key, value in self.found.items() if "_before" in key or "_after" in key}
        figures = {}
        if self.asked is not None:
            figures = {"accuracy": vars(self.asked.after)}
            ours |= {
                "accuracy_before": self.asked.before.value,
                "accuracy_after": self.asked.after.value,
                "drop": self.asked.drop.to_json(),
            }
        return {
            "row": "prune",
            "model": self.model,
            "criterion": self.criterion,
            "published": told,
            "ours": {"figures": figures, "why": self.why},
            "split": "published",
            **ours,
        }


def study(
    request: StudyRequest, *, progress: Progress | None = None, note: Note | None = None, ended: Ended | None = None
) -> dict[str, Any]:
    """Train or load each network, prune it by each criterion, and compare what is deployed.

    Args:
        request: what to study; `folds` plays no part.
        progress: called while photos are read.
        note: called with each line the user should know.
        ended: called after each training.

    Returns:
        What ``gonogo study --json`` prints.

    Raises:
        GonogoError: the data, the weights or the folder cannot be used; nothing is written then.
    """
    started = time.monotonic()
    if request.folds is not None:
        raise UsageError("the study 'prune' knows no --folds; leave it out")
    names = {contender.name for contender in chosen(tuple(s.contender for s in SUBJECTS), request.only)}
    subjects = [subject for subject in SUBJECTS if subject.contender.name in names]
    if request.quick and not request.only:
        subjects = subjects[:1]
    weights = find_weights(tuple(subject.contender for subject in subjects), request.weights, may_start=True)
    minutes = request.minutes or (None if request.full else MINUTES)
    work = _Work(request, weights, None if minutes is None else started + 60 * minutes, progress, note, ended)
    _open_folder(request)
    rows = [row for subject in subjects for row in work.rows(subject)]
    document = {
        "study": "prune",
        "data": str(request.data),
        "rows": [row.to_json() for row in rows],
        "table": _table(rows),
        "verdict": _verdict(rows),
        "page": str(request.out / PAGE_NAME),
    }
    write_text(request.out / JSON_NAME, json.dumps(document, indent=2) + "\n")
    write_prune_page(request.out / PAGE_NAME, document)
    return document


def _open_folder(request: StudyRequest) -> None:
    out = request.out
    if out.exists() and any(out.iterdir()) and not (request.resume or request.force):
        raise UsageError(f"{out} exists; give another name, --resume to go on with it, or --force to replace it")
    check_writable(out)
    out.mkdir(parents=True, exist_ok=True)


@dataclass
class _Work:
    """Does what there is time for."""

    request: StudyRequest
    weights: Mapping[str, Path]
    deadline: float | None
    progress: Progress | None
    note: Note | None
    ended: Ended | None
    done: int = 0

    def rows(self, subject: Subject) -> Iterator[Row]:
        """Yield a row for each criterion, or the one row that says why there is none."""
        name, request = subject.contender.name, self.request
        why = self._why_not(subject)
        if why:
            yield Row(name, "", {}, None, why)
            return
        folder = request.out / name.replace(", ", "-").replace(" ", "-").lower()
        base = self._base(subject, folder / "original")
        criteria = QUICK_CRITERIA if request.quick else CRITERIA
        for criterion in criteria:
            out = folder / criterion
            if self._is_late() and not (out / "metrics.json").is_file():
                yield Row(name, criterion, {}, None, "not pruned: the time was up; --resume goes on")
                continue
            yield self._pruned(name, base, criterion, out)

    def _why_not(self, subject: Subject) -> str:
        contender = subject.contender
        if contender.is_pretrained and contender.name not in self.weights:
            return "not pruned: it needs its pretrained weights, --weights FILE"
        if subject.heavy and not self.request.full and contender.name not in self.weights:
            return "not pruned: training it takes a GPU, --full"
        return "not pruned: the time was up; --resume goes on" if self._is_late() else ""

    def _is_late(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def _base(self, subject: Subject, out: Path) -> Run:
        request, contender = self.request, subject.contender
        # The split is the published one, copies and all; a run marks what leaks. A first look does not search for it.
        options = replace(request.options, allow_leaks=True, find_copies=not request.quick)
        if options.size is None and options.reduce is None and self._shorter_side() > SIDE:
            options = replace(options, size=(SIDE,))
        file = self.weights.get(contender.name)
        recipe = dict(FULL_BASE if request.full else QUICK if request.quick else BASE)
        if file is not None and _fits_whole(file, request.data):
            recipe = {"epochs": 0}
        elif contender.is_pretrained:
            recipe = {}
        started = time.monotonic()
        run = train(
            TrainRequest(
                request.data,
                out,
                contender.arch,
                contender.options,
                recipe,
                options,
                resume=(out / "run.toml").is_file() and not request.force,
                force=request.force,
                weights=file,
                device="cuda" if request.full else "cpu",
                reject_unknown=False,
            ),
            progress=self.progress,
            note=self.note,
        )
        self._tell(f"{contender.name}, original", time.monotonic() - started)
        return run

    def _shorter_side(self) -> int:
        listed = read_photos(self.request.data, replace(self.request.options, find_copies=False))
        return min(listed.geometry.region[2:])

    def _pruned(self, name: str, base: Run, criterion: str, out: Path) -> Row:
        request = self.request
        again = dict(FULL_AGAIN if request.full else QUICK if request.quick else AGAIN)
        started = time.monotonic()
        resume = (out / "run.toml").is_file() and not request.force
        try:
            found = prune(
                PruneRequest(
                    base.path,
                    out,
                    HALF,
                    criterion=criterion,
                    refit=False,
                    max_drop=MAX_DROP,
                    recipe=again,
                    device="cuda" if request.full else "cpu",
                    resume=resume,
                    force=request.force,
                )
            )
        except BarNotMetError as error:
            return Row(name, criterion, {}, None, str(error))
        self._tell(f"{name}, {criterion}", time.monotonic() - started)
        return Row(name, criterion, found.figures, _on_test(base, found.run), found.figures["refused"] or "")

    def _tell(self, name: str, seconds: float) -> None:
        self.done += 1
        if self.ended is not None:
            self.ended(Job(name, self.done, self.done, seconds))


def _is_cifar(data: Path) -> bool:
    return data.is_dir() and any(data.glob("*.bin"))


def _fits_whole(file: Path, data: Path) -> bool:
    """Say whether a weights file ends in a classifier for CIFAR's ten classes, and the photos are CIFAR's."""
    ends = [tensor.shape[0] for tensor in read_weights(file).values() if tensor.ndim == 2]
    return ends[-1:] == [10] and _is_cifar(data)


def _on_test(base: Run, pruned: Run) -> Asked:
    """Ask both about the photos that neither was trained or chosen on."""
    from lightning_fabric import Fabric

    from gonogo.train.reopen import reopen
    from gonogo.train.train import answers

    prepared, fabric = reopen(base), Fabric(accelerator="cpu", devices=1)
    split = "test" if len(prepared.rows("test")) else "val"
    asked = prepared.manifest.select(split)
    before, after = (
        answers(run.load_network().requires_grad_(True), prepared, split, fabric) for run in (base, pruned)
    )
    groups = asked.groups if prepared.manifest.has_groups else None
    first, second = (share(probs.argmax(1) == asked.labels, groups) for probs in (before, after))
    return Asked(first, second, paired_drop(base.config.task, asked.labels, before, after, groups))


def _table(rows: list[Row]) -> dict[str, Any]:
    columns = [
        "network", "ranked by", "M multiply-adds", "parameters", "KB", "ms", "faster", "right before", "right after",
        "points lost (95 % interval)",
    ]  # fmt: skip
    return {"columns": columns, "rows": [_cells(row) for row in rows]}


def _cells(row: Row) -> list[str]:
    found, asked = row.found, row.asked
    if not found or asked is None:
        return [row.model, row.criterion or "-", *["-"] * 7, row.why]
    return [
        row.model,
        row.criterion,
        f"{found['macs_before'] / 1e6:,.1f} → {found['macs_after'] / 1e6:,.1f}",
        f"{found['params_before']:,} → {found['params_after']:,}",
        f"{found['size_bytes_before'] / 1e3:,.0f} → {found['size_bytes_after'] / 1e3:,.0f}",
        f"{found['p50_ms_before']:.3f} → {found['p50_ms_after']:.3f}",
        f"{found['p50_ms_before'] / found['p50_ms_after']:.2f}x",
        percent(asked.before.value),
        percent(asked.after.value),
        f"{asked.drop.value:.2f} ({asked.drop.low:.2f} to {asked.drop.high:.2f}) of {asked.drop.measure}",
    ]


def _verdict(rows: list[Row]) -> str:
    known = [(row, row.asked) for row in rows if row.asked is not None]
    if not known:
        return "No network was pruned: " + "; ".join(sorted({f"{row.model}: {row.why}" for row in rows})) + "."
    best, asked = min(known, key=lambda pair: pair[1].drop.value)
    found = best.found
    chance = next((own.drop for row, own in known if row.model == best.model and row.criterion == CONTROL), None)
    says = (
        f"{best.model} at {found['macs_after'] / found['macs_before']:.0%} of its multiply-adds, ranked by "
        f"{best.criterion}: {percent(asked.after.value)} of the photos right where the original has "
        f"{percent(asked.before.value)}, {found['p50_ms_before'] / found['p50_ms_after']:.2f} times as fast."
    )
    if chance is not None and best.criterion != CONTROL:
        says += f" Channels that went by chance lose {chance.value:.2f} points, these {asked.drop.value:.2f}."
    elif best.criterion == CONTROL:
        says += " Channels that went by chance lost least."
    return says
