"""How far may this data's network taper? The open question of the casting study (ICCR 2021, arXiv 2205.07118).

There is an ideal depth of tapering per data set; further than that, accuracy falls. A family of tapers is trained on
the same folds of whole parts with the same seeds, and each is set against the best of them, part by part.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gonogo.compress.taper_limit import Limit, Row, answer, find_limit, shallower
from gonogo.compress.tapers import DEPTHS, Taper, family
from gonogo.errors import UsageError
from gonogo.files import write_text
from gonogo.models import ARCHITECTURES
from gonogo.models.cost import count_macs
from gonogo.splitting import Progress
from gonogo.train.build import build_checked
from gonogo.train.candidates import Candidate
from gonogo.train.compare import MOST_REPEATS, Compared, CompareRequest, Plan, compare, plan_comparison
from gonogo.train.jobs import Job
from gonogo.train.loop import Step
from gonogo.train.prepare import DataOptions
from gonogo.train.recipe import resolve_recipe

BY = ("auc", "balanced-accuracy")
FOLDS, REPEATS = 5, 2
QUICK_FOLDS, QUICK_DEPTHS, QUICK_SHARE = 2, (0.0, 2.0, 4.0), 3  # a third of the epochs
CSV_NAME, JSON_NAME, PAGE_NAME = "taper-depth.csv", "taper-depth.json", "taper-depth.html"


@dataclass(frozen=True)
class TaperDepthRequest:
    """What to find out, on what.

    Attributes:
        data: a folder of photos or a manifest file.
        out: the folder to write.
        arch: a name from the registry, whose options have a width for each stage.
        arch_options: changes to its other options.
        widest: output channels of the first stage; the architecture's largest width unless given.
        depths: of tapering; 0 to 4 unless given.
        folds: into which whole parts are shared out; 5 unless given.
        repeats: how often, each time with other folds and another seed; 2 unless given, or as often as `minutes` allow.
        minutes: no further round begins that would not end within them; the first is trained in any case.
        by: "auc" or "balanced-accuracy".
        recipe: changes to the architecture's recipe.
        options: what is said about the data.
        device: of Lightning Fabric: "auto", "cpu" or "cuda".
        quick: a first look: fewer folds, depths and epochs, where they are not given.
        resume: take what `out` holds already.
        force: replace `out`.
    """

    data: Path
    out: Path
    arch: str = "taper"
    arch_options: Mapping[str, Any] = field(default_factory=dict)
    widest: int | None = None
    depths: tuple[float, ...] | None = None
    folds: int | None = None
    repeats: int | None = None
    minutes: float | None = None
    by: str = "auc"
    recipe: Mapping[str, Any] = field(default_factory=dict)
    options: DataOptions = field(default_factory=DataOptions)
    device: str = "cpu"
    quick: bool = False
    resume: bool = False
    force: bool = False

    @property
    def tapers(self) -> tuple[Taper, ...]:
        """The networks that are trained."""
        depths = self.depths if self.depths is not None else QUICK_DEPTHS if self.quick else DEPTHS
        return family(self.arch, self.arch_options, self.widest, depths)

    @property
    def rounds(self) -> int:
        """How often all folds are trained, at most."""
        if self.repeats is not None:
            return self.repeats
        return 1 if self.quick else REPEATS if self.minutes is None else MOST_REPEATS

    def comparison(self, rounds: int) -> CompareRequest:
        """Return so many rounds of it as a comparison of candidates.

        Raises:
            UsageError: a value out of range.
        """
        if self.minutes is not None and not self.minutes > 0:
            raise UsageError(f"found --minutes {self.minutes:g}, expected more than 0")
        if self.by not in BY:
            raise UsageError(f"found --by {self.by}, expected {' or '.join(BY)}")
        recipe = dict(self.recipe)
        if self.quick and "epochs" not in recipe:
            recipe["epochs"] = max(1, resolve_recipe(ARCHITECTURES.get(self.arch).recipe).epochs // QUICK_SHARE)
        candidates = tuple(
            Candidate(t.name, self.arch, {**self.arch_options, "widths": ",".join(map(str, t.widths))}, recipe)
            for t in self.tapers
        )
        return CompareRequest(
            self.data,
            candidates,
            self.out,
            self.folds if self.folds is not None else QUICK_FOLDS if self.quick else FOLDS,
            rounds,
            self.by,
            self.options,
            device=self.device,
            resume=self.resume,
            force=self.force,
        )


@dataclass(frozen=True)
class TaperDepth:
    """What came out.

    Attributes:
        request: what was asked.
        compared: the comparison that it rests on.
        rows: the least tapered first.
        limit: how far the network may taper.
    """

    request: TaperDepthRequest
    compared: Compared
    rows: tuple[Row, ...]
    limit: Limit

    @property
    def by(self) -> str:
        """The measure, a key of `TITLES`."""
        return self.compared.comparison.by

    @property
    def sentences(self) -> tuple[str, ...]:
        """The answer in plain words, and what it rests on."""
        said = [answer(self.limit, self.by), *shallower(self.rows, self.limit, self.by), self.compared.sentences[-1]]
        if self.request.quick:
            said.append("A first look, with few folds and epochs: leave --quick out for an answer to rely on.")
        return tuple(said)

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        limit, plan = self.limit, self.compared.plan
        return {
            "folder": str(self.request.out),
            "page": str(self.request.out / PAGE_NAME),
            "arch": self.request.arch,
            "by": self.by,
            "verdict": " ".join(self.sentences),
            "found": limit.found,
            "best": limit.best.taper.depth,
            "may_taper_to": None if limit.falls is None else limit.deepest.taper.depth,
            "falls_at": None if limit.falls is None else limit.falls.taper.depth,
            "folds": plan.request.folds,
            "rounds": len(plan.folds),
            "photos": len(plan.prepared.manifest),
            "parts": self.compared.comparison.parts,
            "quick": self.request.quick,
            "rows": [self._json_of(row) for row in self.rows],
        }

    def _json_of(self, row: Row) -> dict[str, Any]:
        return {
            "depth": row.taper.depth,
            "widths": list(row.taper.widths),
            "params": row.params,
            "macs": row.macs,
            self.by: vars(row.figure),
            "from_best": None if row.from_best is None else vars(row.from_best),
            "worse": row.is_worse,
        }


def plan_taper_depth(
    request: TaperDepthRequest, *, progress: Progress | None = None, note: Callable[[str], None] | None = None
) -> Plan:
    """Read and check everything; write nothing. Arguments and errors as of `find_taper_depth`."""
    return plan_comparison(request.comparison(request.rounds), progress=progress, note=note)


def find_taper_depth(
    request: TaperDepthRequest,
    *,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
    ended: Callable[[Job], None] | None = None,
    report: Callable[[Step], None] | None = None,
) -> TaperDepth:
    """Train the family, round by round, and write the curve as a table and as JSON.

    Args:
        request: what to find out.
        progress: called while photos are read and reduced.
        note: called with each line the user should know.
        ended: called after each training.
        report: called after each batch and epoch.

    Raises:
        GonogoError: the data, the options or the folder cannot be used; nothing is written then.
        BarNotMetError: a loss left the numbers.
    """
    started = time.monotonic()
    compared = compare(
        request.comparison(request.rounds if request.minutes is None else min(request.rounds, 1)),
        progress=progress,
        note=note,
        ended=ended,
        report=report,
    )
    if request.minutes is not None:
        compared = _further_rounds(request, compared, started, ended, report)
    rows = _rows(request, compared)
    limit = find_limit(rows, compared.comparison.by, len(compared.plan.prepared.task.classes))
    found = TaperDepth(request, compared, rows, limit)
    write_text(request.out / CSV_NAME, as_csv(found))
    write_text(request.out / JSON_NAME, json.dumps(found.to_json(), indent=2) + "\n")
    return found


def _further_rounds(
    request: TaperDepthRequest,
    compared: Compared,
    started: float,
    ended: Callable[[Job], None] | None,
    report: Callable[[Step], None] | None,
) -> Compared:
    """Add whole rounds as long as one more would end in time: when to stop depends on the clock, not on the figures."""

    def new(job: Job) -> None:
        if ended is not None and job.seconds:
            ended(job)

    assert request.minutes is not None
    longest, before = time.monotonic() - started, time.monotonic()
    for rounds in range(2, request.rounds + 1):
        if before + longest > started + 60 * request.minutes:
            break
        compared = compare(replace(request.comparison(rounds), resume=True, force=False), ended=new, report=report)
        longest, before = max(longest, time.monotonic() - before), time.monotonic()
    return compared


def _rows(request: TaperDepthRequest, compared: Compared) -> tuple[Row, ...]:
    comparison, prepared = compared.comparison, compared.plan.prepared
    standings = {row.name: row for row in comparison.standings}
    entrants = {entrant.name: entrant for entrant in compared.plan.entrants}
    rows = []
    for taper in request.tapers:
        standing = standings[taper.name]
        network = build_checked(entrants[taper.name].spec(prepared), prepared.geometry)
        macs = count_macs(network, prepared.geometry.network_channels, prepared.geometry.input_size)
        figure = standing.figures[comparison.by]
        rows.append(Row(taper, compared.params[taper.name], macs, figure, standing.from_best))
    return tuple(rows)


def as_csv(found: TaperDepth) -> str:
    """Return the curve as a table."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    by = found.by
    figures = (by, f"{by}_low", f"{by}_high")
    writer.writerow(["depth", "widths", "params", "macs", *figures, "from_best", "from_best_low", "from_best_high"])
    for row in found.rows:
        figure, difference = row.figure, row.from_best
        apart = ["", "", ""] if difference is None else [difference.value, difference.low, difference.high]
        own = [f"{row.taper.depth:g}", row.taper.shape, row.params, row.macs, figure.value, figure.low, figure.high]
        writer.writerow([*own, *apart])
    return buffer.getvalue()
