"""Few, large and imbalanced photos: a frozen backbone with a new head, and the three questions its author left open.

Published with EfficientNet-B0 on photos of sealant (`figures.toml`). Here the same networks, stumps of MobileNetV2 and
tapering networks from scratch are compared on any photos, whole parts held out in turn.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gonogo.errors import UsageError
from gonogo.evaluate.comparison import Standing
from gonogo.evaluate.comparison_words import sentences
from gonogo.evaluate.credibility import Credibility, is_this_curve_real
from gonogo.evaluate.decision import choose_threshold
from gonogo.evaluate.metrics import Evaluation, evaluate
from gonogo.files import check_new_folder, new_folder, write_text
from gonogo.report.answered import Answered
from gonogo.report.study import StudyPage, StudyTable, write_study_page
from gonogo.splitting import Progress
from gonogo.studies import published
from gonogo.studies.contenders import Contender, Cost, costs, find_weights
from gonogo.studies.questions import about_accuracy, about_curve, about_remedies
from gonogo.studies.request import StudyRequest, chosen
from gonogo.train.candidates import candidates_for
from gonogo.train.compare import Compared, CompareRequest, compare
from gonogo.train.jobs import Job
from gonogo.train.prepare import DataOptions, Photos, read_photos
from gonogo.train.told import told_by_photos

EFFICIENTNET, VIT = "EfficientNet-B0, frozen", "ViT-B/16, frozen"
SCRATCH = {"epochs": 60}
CONTENDERS = (
    Contender(EFFICIENTNET, "timm", {"backbone": "efficientnet_b0"}, "efficientnet_b0"),
    Contender(VIT, "timm", {"backbone": "vit_base_patch16_224"}, "vit", size=(224, 224)),
    Contender("MobileNetV2, frozen", "stump", {"cut": 18, "statistics": "avg"}),
    Contender("stump, cut 12", "stump", {"cut": 12}),
    Contender("stump, cut 7", "stump", {"cut": 7}),
    Contender("stump, cut 4", "stump", {"cut": 4}),
    Contender("taper, from scratch", "taper", recipe=SCRATCH),
)
# A crack is a few pixels wide: half the photo's size keeps it. Remedies are compared on a quarter, thirty times.
REDUCE, REMEDY_REDUCE = 2, 4
REMEDY_RECIPE = {"epochs": 40}
FOLDS = 5
TURNS = 12
CSV_NAME, JSON_NAME, PAGE_NAME = "study.csv", "study.json", "study.html"


@dataclass(frozen=True)
class Row:
    """A network of the study.

    Attributes:
        name: of the network.
        published: the study's own figures; empty where it has none.
        cost: counted and timed on these photos.
        standing: its figures on parts held out; None where weights are not at hand.
        why: why there are no figures.
    """

    name: str
    published: dict[str, Any]
    cost: Cost
    standing: Standing | None
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        figures = {} if self.standing is None else {k: asdict(rate) for k, rate in self.standing.figures.items()}
        ours = asdict(self.cost) | {"figures": figures, "why": self.why}
        return {"row": "sealant", "model": self.name, "published": self.published, "ours": ours, "split": "leak-free"}


def study(
    request: StudyRequest,
    *,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
    ended: Callable[[Job], None] | None = None,
) -> dict[str, Any]:
    """Count, time and compare the networks on the photos, answer the three questions, and write a page.

    Args:
        request: what to study.
        progress: called while photos are read.
        note: called with each line the user should know.
        ended: called after each training.

    Returns:
        What ``gonogo study --json`` prints.

    Raises:
        GonogoError: the data, the weights or the folder cannot be used; nothing is written then.
    """
    check_new_folder(request.out, force=request.force, marker=JSON_NAME)
    for option, given in (("--minutes", request.minutes), ("--full", request.full), ("--resume", request.resume)):
        if given:
            raise UsageError(f"the study 'sealant' knows no {option}; leave it out")
    contenders = chosen(CONTENDERS, request.only)
    weights = find_weights(contenders, request.weights)
    told = told_by_photos(request.data, request.options, progress)
    options, notes = told.options, list(told.notes)
    if options.reduce is None and options.size is None:
        options = replace(options, reduce=REDUCE)
    photos = read_photos(request.data, options, progress=progress)
    if photos.task.is_sorting:
        raise UsageError(
            f"{request.data} has no good class, and this study asks what escapes; say which it is with --good NAME"
        )
    for line in notes:
        if note is not None:
            note(line)
    with tempfile.TemporaryDirectory() as folder:
        seen = [(contender, contender.geometry(photos.geometry)) for contender in contenders]
        cost = costs(seen, photos.task, Path(folder), repeats=TURNS)
    compared = _compare(request, contenders, weights, options, progress, ended)
    remedies = _compare_remedies(request, options, progress, ended)
    rows = _rows(contenders, cost, compared)
    result = _Result(request, photos, rows, compared, remedies, (*notes, *compared.plan.prepared.notes))
    with new_folder(request.out, force=request.force, marker=JSON_NAME) as temporary:
        document = result.write(temporary)
    return document | {"page": str(request.out / PAGE_NAME)}


def _compare(
    request: StudyRequest,
    contenders: tuple[Contender, ...],
    weights: dict[str, Path],
    options: DataOptions,
    progress: Progress | None,
    ended: Callable[[Job], None] | None,
) -> Compared:
    able = [c for c in contenders if c.size is None and (c.name in weights or not c.is_pretrained)]
    if len(able) < 2:
        raise UsageError(
            f"found {len(able)} network that can be trained here, expected two to compare; give pretrained weights "
            "with --weights FILE or a folder of them, or leave --only out"
        )
    quick = {"epochs": 8} if request.quick else {}
    candidates = tuple(
        replace(c, recipe={**c.recipe, **quick} if c.recipe else {}).candidate(weights.get(c.name)) for c in able
    )
    return compare(
        CompareRequest(request.data, candidates, folds=request.folds or FOLDS, options=options),
        progress=progress,
        ended=ended,
    )


def _compare_remedies(
    request: StudyRequest, options: DataOptions, progress: Progress | None, ended: Callable[[Job], None] | None
) -> Compared:
    small = replace(options, reduce=REMEDY_REDUCE * (options.reduce or REDUCE) // REDUCE, size=None)
    recipe = {"epochs": 8} if request.quick else REMEDY_RECIPE
    ways = candidates_for("taper", "none,oversample" if request.quick else "all", recipe=recipe)
    return compare(
        CompareRequest(request.data, ways, folds=request.folds or FOLDS, options=small), progress=progress, ended=ended
    )


def _rows(contenders: tuple[Contender, ...], cost: dict[str, Cost], compared: Compared) -> tuple[Row, ...]:
    standings = {standing.name: standing for standing in compared.comparison.standings}
    told = published("sealant")
    return tuple(
        Row(
            c.name,
            dict(told.get(c.published, {})) if c.published else {},
            cost[c.name],
            standings.get(c.name),
            _why(c, c.name in standings),
        )
        for c in contenders
    )


def _why(contender: Contender, has_figures: bool) -> str:
    if has_figures:
        return ""
    if contender.size is not None:
        return f"cost alone: it sees {contender.size[1]}x{contender.size[0]} pixels and nothing else"
    return "cost alone: its accuracy needs its pretrained weights, --weights FILE"


@dataclass(frozen=True)
class _Result:
    request: StudyRequest
    photos: Photos
    rows: tuple[Row, ...]
    compared: Compared
    remedies: Compared
    notes: tuple[str, ...]

    def write(self, folder: Path) -> dict[str, Any]:
        """Write page, table and document; return the document."""
        answered, credible = self._best()
        figures = answered.figures
        chapters = (
            about_curve(credible, answered.name),
            about_accuracy(figures, self.compared),
            about_remedies(self.remedies),
        )
        document = {
            "study": "sealant",
            "data": str(self.request.data),
            "photos": len(answered.labels),
            "verdict": " ".join(sentences(self.compared.comparison)),
            "rows": [row.to_json() for row in self.rows],
            "questions": [{"question": c.title, "answer": c.answer, "because": list(c.because)} for c in chapters],
            "imbalance": self.remedies.to_json(),
            "notes": list(self.notes),
        }
        write_text(folder / JSON_NAME, json.dumps(document, indent=2) + "\n")
        write_text(folder / CSV_NAME, _csv(self.rows))
        page = StudyPage(
            "sealant",
            self.request.data.resolve().name,
            sentences(self.compared.comparison)[0],
            _table(self.rows),
            _remarks(self.rows),
            chapters,
            answered,
            self.notes,
        )
        write_study_page(folder / PAGE_NAME, page)
        return document

    def _best(self) -> tuple[Answered, Credibility]:
        """Return the answers of the best network to parts held out, and whether its curve is real."""
        plan, best = self.compared.plan, self.compared.comparison.standings[0].name
        manifest, task = plan.prepared.manifest, plan.prepared.task
        probs = self.compared.answers[best][0]
        groups = manifest.groups if manifest.has_groups else None
        decision = choose_threshold(task, manifest.labels, probs)
        figures: Evaluation = evaluate(decision, manifest.labels, probs, groups)
        # Whole parts were held out, so none of these photos shows a part that its network was trained on.
        answered = Answered(best, "held out", decision, manifest.labels, probs, groups, figures, leaked=0)
        positive, scores = next(iter(answered.kinds.values()))
        return answered, is_this_curve_real(positive, np.asarray(scores), groups, leaked=0)


def _table(rows: tuple[Row, ...]) -> StudyTable:
    reference = next((row.cost.milliseconds for row in rows if row.name == EFFICIENTNET), None)
    columns = (
        "network", "parameters", "learnt here", "M multiply-adds", "ms", "times faster",
        "ROC AUC", "balanced accuracy", "escape", "overkill",
    )  # fmt: skip
    lines = []
    for row in rows:
        cost = row.cost
        faster = "-" if reference is None else f"{reference / cost.milliseconds:.1f}"
        counted = (f"{cost.params:,}", f"{cost.params_trainable:,}", f"{cost.macs / 1e6:,.0f}")
        lines.append((row.name, *counted, f"{cost.milliseconds:.1f}", faster, *_figures(row)))
    return StudyTable(columns, tuple(lines))


def _remarks(rows: tuple[Row, ...]) -> tuple[str, ...]:
    """Return what stands below the table: what was published, what each network sees, and what is missing."""
    found = []
    for row in rows:
        told, (height, width) = row.published, row.cost.input_size
        sees = f"{row.name} sees {width}x{height} pixels"
        if told:
            sees += (
                f"; published: {told['params']:,} parameters, {told['params_trainable']:,} of them learnt, "
                f"{told['macs'] / 1e9:.2f} G multiply-adds at {told['height']}x{told['width']} pixels"
            )
        if told or row.why:
            found.append(f"{sees}. {row.why[:1].upper()}{row.why[1:]}{'.' if row.why else ''}".rstrip())
    height, width = rows[-1].cost.input_size
    return (*found, f"{'All others' if found else 'All'} see {width}x{height} pixels.")


def _figures(row: Row) -> tuple[str, ...]:
    if row.standing is None:
        return ("-",) * 4
    cells = []
    for name, digits in (("auc", 3), ("balanced_accuracy", 3), ("escape_rate", 2), ("overkill_rate", 2)):
        rate = row.standing.figures[name]
        cells.append(f"{rate.value:.{digits}f} ({rate.low:.{digits}f}\N{EN DASH}{rate.high:.{digits}f})")
    return tuple(cells)


def _csv(rows: tuple[Row, ...]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = ("auc", "balanced_accuracy", "escape_rate", "overkill_rate")
    counted = [name for name in Cost.__dataclass_fields__ if name != "input_size"]
    writer.writerow(
        ["model", *counted, "height", "width", *(f"{n}{e}" for n in names for e in ("", "_low", "_high")), "why"]
    )
    for row in rows:
        rates = [row.standing.figures[name] if row.standing else None for name in names]
        ends = [end for rate in rates for end in ((rate.value, rate.low, rate.high) if rate else ("", "", ""))]
        cost = [getattr(row.cost, name) for name in counted]
        writer.writerow([row.name, *cost, *row.cost.input_size, *ends, row.why])
    return buffer.getvalue()
