"""Evaluate a run or a gauge on photos: figures, verdicts and a contact sheet of the worst mistakes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from gonogo.data.cache import load_sample
from gonogo.data.groups import join_groups
from gonogo.data.manifest import Manifest
from gonogo.data.reading import AS_TRAINED, Reading, read_like
from gonogo.data.scan import scan
from gonogo.data.split import shared_content
from gonogo.errors import DataError, UsageError, did_you_mean
from gonogo.evaluate.decision import Decision
from gonogo.evaluate.intervals import share
from gonogo.evaluate.metrics import Evaluation, evaluate, why_refused
from gonogo.files import check_new_file, new_folder, write_text
from gonogo.gauge.gauge import MANIFEST_NAME, Gauge
from gonogo.gauge.region import HeatGrid
from gonogo.gauge.seen import Keys, are_seen, content_keys
from gonogo.report.answered import Answered
from gonogo.report.evaluation import write_evaluation_page
from gonogo.report.sheet import Tile, draw_sheet, save_sheet
from gonogo.types import Answer, Float32Array, Int64Array, UInt8Array

if TYPE_CHECKING:
    from gonogo.train.prepare import DataOptions

FIGURES_NAME = "metrics.json"
VERDICTS_NAME = "verdicts.csv"
SHEET_NAME = "mistakes.png"
PAGE_NAME = "evaluation.html"
# At most so many mistakes are drawn; where there are fewer than the second number, the least certain photos follow.
MOST_TILES, LEAST_TILES = 12, 6


@dataclass(frozen=True)
class Subject:
    """What is evaluated: a trained network or an exported file, asked in the same way.

    Attributes:
        name: of the run or gauge.
        answer: what (N, H, W, C) uint8 are answered with.
        decision: classes and threshold.
        grid: which photos fit, and where the heat map lies on them.
        manifest: the run's own data; None for a gauge.
        seen: which photos it was trained or tuned on.
        leaky: for test and val, the share of photos whose part also stands in another split; None if none does.
        options: how the run's data were read; None for a gauge.
        validation: labels (M,) of the run's validation photos and what it answers to them (M, K); None for a gauge.
        good_alone: it was shown no defect, so that whatever is not good is one to it.
    """

    name: str
    answer: Callable[[UInt8Array], Answer]
    decision: Decision
    grid: HeatGrid
    manifest: Manifest | None
    seen: Keys
    leaky: Mapping[str, Any] | None
    options: DataOptions | None = None
    validation: tuple[Int64Array, Float32Array] | None = None
    good_alone: bool = False


@dataclass(frozen=True)
class Assessment:
    """The result, and where it was written.

    Attributes:
        figures: rates with intervals.
        split: which photos were asked.
        folder: holds metrics.json, verdicts.csv and mistakes.png; None where the page alone was asked for.
        page: the curves and what to think of them.
        leaked: how many of the photos also stand, by bytes or part, in another split.
        refused: why nobody should use it, None where it may be used.
        leaky: why the figures are too good: for test and val of the run, the share of photos whose part also stands in
            another split; for photos that were given, the share of them that it was trained or tuned on. None where
            nothing is known against them.
        seen: how many of the photos that were given it was trained or tuned on.
        notes: what the user should know of the photos.
    """

    figures: Evaluation
    split: str
    folder: Path | None
    page: Path
    leaked: int
    refused: str | None
    leaky: Mapping[str, Any] | None = None
    seen: int = 0
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the eval object of ``--json``."""
        return self.figures.to_json() | {
            "split": self.split,
            "leaked_photos": self.leaked,
            "seen_photos": self.seen,
            "leaky": self.leaky,
            "refused": self.refused,
            "page": str(self.page),
            "verdicts": None if self.folder is None else str(self.folder / VERDICTS_NAME),
            "mistakes": None if self.folder is None else str(self.folder / SHEET_NAME),
        }


def open_subject(path: Path) -> Subject:
    """Open a run or a gauge.

    Raises:
        UsageError: it is neither.
    """
    if (path / "run.toml").is_file():
        from gonogo.export.parity import answer
        from gonogo.train.run import Run

        run = Run.open(path)
        network = run.deployed()
        grid = HeatGrid(run.config.geometry, *network.network.map_grid())
        manifest = run.manifest()
        return Subject(
            path.name,
            lambda pixels: answer(network, pixels),
            run.decision,
            grid,
            manifest,
            content_keys(s.sha256 for s in manifest.samples if s.split != "test"),
            run.metrics.get("leaky"),
            run.config.options,
            run.read_predictions(),
            bool(run.metrics.get("good_alone")),
        )
    if (path / MANIFEST_NAME).is_file() or path.suffix == ".onnx":
        gauge = Gauge.load(path)
        about = gauge.facts.about
        return Subject(
            path.name,
            gauge.open(),
            gauge.facts.decision,
            gauge.facts.grid,
            None,
            gauge.seen,
            about.get("leaky"),
            good_alone=bool(about.get("good_alone")),
        )
    raise UsageError(f"{path} is neither a run (run.toml) nor a gauge ({MANIFEST_NAME}); give one of them")


def assess(
    path: Path,
    data: Path | None = None,
    *,
    split: str | None = None,
    out: Path | None = None,
    reading: Reading = AS_TRAINED,
    skip_unreadable: bool = False,
    force: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Assessment:
    """Evaluate.

    Args:
        path: a run or a gauge.
        data: photos with classes; a run's own data unless given.
        split: train, val, test or all; test where the data have one, otherwise all.
        out: folder to write, or a name ending in .html for the page alone; unless given, ``eval-SPLIT`` in the run, or
            ``NAME-eval`` here for a gauge.
        reading: how `data` are read.
        skip_unreadable: go on without photos that cannot be decoded.
        force: replace `out`.
        progress: called with what is done, how much of it, and of how much.

    Raises:
        UsageError: nothing to evaluate on, or no such split.
        DataError: the photos cannot be read, do not fit, or have other classes.
    """
    if _is_page(out):
        check_new_file(out)
    subject = open_subject(path)
    whole, split = _choose(subject, path, data, split, reading, skip_unreadable, progress)
    manifest = whole if split == "all" else whole.select(split)
    if not len(manifest):
        raise UsageError(f"no photos in split '{split}'; the data have: {_splits(whole)}")
    answers = _ask(subject, manifest, progress)
    groups = manifest.groups if whole.has_groups else None
    figures = evaluate(subject.decision, manifest.labels, answers.pred_probs, groups, answers.novelty)
    leaked = 0 if split == "all" else shared_content(whole, split)
    seen = are_seen(subject.seen, [s.sha256 for s in manifest.samples] if data is not None else [])
    leaky = {**(subject.leaky or {}), **({"data": vars(share(seen, None))} if seen.any() else {})} or None
    folder = out or (path / f"eval-{split}" if subject.manifest is not None else Path(f"{path.stem}-eval"))
    refused = why_refused(subject.decision, answers.pred_probs, manifest.labels if subject.good_alone else None)
    page, place = (folder, None) if _is_page(out) else (folder / PAGE_NAME, folder)
    result = Assessment(figures, split, place, page, leaked, refused, leaky, int(seen.sum()), whole.notes)
    answered = _answered(path.name, result, subject, manifest, answers.pred_probs, groups)
    if _is_page(out):
        write_evaluation_page(out, answered)
        return result
    # A folder that this command named itself is its own to replace.
    with new_folder(folder, force=force or out is None, marker=VERDICTS_NAME) as temporary:
        _write(temporary, result, subject, manifest, answers)
        write_evaluation_page(temporary / PAGE_NAME, answered)
    return result


def _is_page(out: Path | None) -> TypeGuard[Path]:
    return out is not None and out.suffix.lower() == ".html"


def _answered(
    name: str,
    result: Assessment,
    subject: Subject,
    manifest: Manifest,
    pred_probs: Float32Array,
    groups: Sequence[str] | None,
) -> Answered:
    """Return what the page is made from; what is known of leaks rests on all that the run or gauge knows."""
    own = subject.manifest is not None and manifest.root == subject.manifest.root
    if own and result.split in ("train", "all"):
        leaked: int | None = sum(sample.split == "train" for sample in manifest.samples)
    else:
        leaked = max(result.leaked, result.seen) if own or len(subject.seen) else None
    # A temperature fitted on the very photos that it is measured on would always look right.
    validation = None if own and result.split in ("val", "all") else subject.validation
    return Answered(
        name,
        result.split,
        subject.decision,
        manifest.labels,
        pred_probs,
        groups,
        result.figures,
        leaked,
        validation,
        result.refused,
        result.notes,
    )


def _cautions(subject: Subject) -> tuple[str, ...]:
    return ("no defect was ever shown to it: escapes cannot be promised",) if subject.good_alone else ()


def _splits(manifest: Manifest) -> str:
    return ", ".join(sorted({sample.split or "none named" for sample in manifest.samples}))


def _choose(
    subject: Subject,
    path: Path,
    data: Path | None,
    split: str | None,
    reading: Reading,
    skip_unreadable: bool,
    progress: Callable[[str, int, int], None] | None,
) -> tuple[Manifest, str]:
    """Return the photos, with the classes in the network's order, and the split to ask."""
    if split not in (None, "train", "val", "test", "all"):
        raise UsageError(f"unknown split '{split}'; {did_you_mean(str(split), ('train', 'val', 'test', 'all'))}")
    if data is None and subject.manifest is None:
        raise UsageError(f"{path} is a gauge and knows no photos; give a folder of them: gonogo eval {path} DATA")
    if data is None:
        assert subject.manifest is not None
        return replace(subject.manifest, notes=_cautions(subject)), split or "test"
    manifest = read_like(data, reading, subject.options, subject.decision.task if subject.good_alone else None)
    classes = subject.decision.task.classes
    unknown = [name for name in manifest.classes if name not in classes]
    if unknown:
        raise DataError(f"{data} has a class '{unknown[0]}' that {path} does not know; it knows {', '.join(classes)}")
    named = replace(manifest, classes=classes)
    steps = None if progress is None else lambda done, total: progress("reading", done, total)
    manifest = scan(named, skip_unreadable=skip_unreadable, progress=steps).manifest
    if manifest.has_groups:
        manifest = join_groups(manifest)  # photos with the same bytes are of one part, whatever their names say
    manifest = replace(manifest, notes=(*_cautions(subject), *manifest.notes))
    has_test = any(sample.split == "test" for sample in manifest.samples)
    return manifest, split or ("test" if has_test else "all")


def _ask(subject: Subject, manifest: Manifest, progress: Callable[[str, int, int], None] | None) -> Answer:
    """Ask for one photo at a time, as on the line; the heat maps are left out."""
    rows = []
    for done, sample in enumerate(manifest.samples, start=1):
        photo = load_sample(manifest, sample, subject.grid.geometry)
        rows.append(subject.answer(photo[None])._replace(heatmap=None))
        if progress:
            progress("asking", done, len(manifest))
    return Answer.join(rows)


def _write(folder: Path, result: Assessment, subject: Subject, manifest: Manifest, told: Answer) -> None:
    write_text(folder / FIGURES_NAME, json.dumps(result.to_json(), indent=2) + "\n")
    decision = subject.decision
    pred_probs = told.pred_probs
    answers, probs = decision.labels(pred_probs), decision.probs(pred_probs)
    verdicts = decision.verdicts(pred_probs, told.novelty)
    novelty = [""] * len(answers) if told.novelty is None else [repr(float(value)) for value in told.novelty]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("path", "label", "answer", "prob", "verdict", "novelty"))
    for sample, label, prob, verdict, novel in zip(manifest.samples, answers, probs, verdicts, novelty, strict=True):
        row = (sample.path, sample.label, decision.task.classes[label], repr(float(prob)), verdict or "", novel)
        writer.writerow(row)
    write_text(folder / VERDICTS_NAME, buffer.getvalue())
    worst, mistakes = _worst_first(decision, manifest, pred_probs)
    tiles = [_tile(subject, manifest, index, answers[index], float(probs[index])) for index in worst]
    title = f"{subject.name}: {mistakes} {'mistake' if mistakes == 1 else 'mistakes'} in {len(manifest)} photos"
    title += " (leaky)" if result.leaky else ""
    shown = "worst first" + ("" if mistakes >= LEAST_TILES else ", then the least certain of the right ones")
    threshold = "" if decision.threshold is None else f"; a defect from probability {decision.threshold:.3f} on"
    save_sheet(draw_sheet(tiles, subject.grid, title, shown + threshold), folder / SHEET_NAME)


def _worst_first(decision: Decision, manifest: Manifest, pred_probs: Float32Array) -> tuple[list[int], int]:
    """Return the photos to show and the number of mistakes: escapes first, then by how wrong they are."""
    labels = manifest.labels
    answers = decision.labels(pred_probs)
    wrong = answers != labels
    if decision.threshold is None:
        margin = pred_probs[np.arange(len(labels)), labels] - np.sort(pred_probs, axis=1)[:, -1]
    else:
        probs = decision.defect_probs(pred_probs)
        margin = np.where(labels == decision.task.good_index, decision.threshold - probs, probs - decision.threshold)
    escaped = wrong & (answers == decision.task.good_index) if decision.task.good else np.zeros_like(wrong)
    order = np.lexsort((margin, ~escaped, ~wrong))
    mistakes = int(wrong.sum())
    return [int(index) for index in order[: min(MOST_TILES, max(mistakes, LEAST_TILES))]], mistakes


def _tile(subject: Subject, manifest: Manifest, index: int, answer: int, prob: float) -> Tile:
    sample, task = manifest.samples[index], subject.decision.task
    photo = load_sample(manifest, sample, subject.grid.geometry)
    heatmaps = subject.answer(photo[None]).heatmap
    answered = task.classes[answer]
    if answered == sample.label:
        kind, title = "right", f"{answered}, correctly"
    elif task.is_sorting:
        kind, title = "wrong", f"{sample.label} called {answered}"
    elif answered == task.good:
        kind, title = "escape", f"escape: {sample.label} called {answered}"
    else:
        kind, title = "overkill" if sample.label == task.good else "wrong", f"{sample.label} called {answered}"
    what = f"probability of {answered}" if task.is_sorting else "probability of a defect"
    heatmap = None if heatmaps is None else heatmaps[0]
    return Tile(photo, heatmap, kind, title, f"{what} {prob:.3f}   {sample.path}")
