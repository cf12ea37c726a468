"""What the commands print: results on stdout, everything else on stderr; with ``--json`` one document on stdout."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from gonogo.train.jobs import Job
    from gonogo.train.loop import Step

# Work shorter than this needs no bar.
PATIENCE_S = 1.0
# A long training prints about so many lines.
EPOCH_LINES = 30


class Console:
    """Prints for one command; a context, so that a progress bar always ends.

    Args:
        as_json: tables go to stderr, and `result` prints the one document on stdout.
    """

    def __init__(self, as_json: bool) -> None:
        from rich.console import Console as Rich

        self.as_json = as_json
        self._errors = Rich(stderr=True, highlight=False, soft_wrap=True)
        # Piped output has no width of its own, and what reads it wants each row on a line: no cell is folded.
        width = None if sys.stdout.isatty() else 10_000
        self._out = self._errors if as_json else Rich(highlight=False, width=width)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._stage, self._started = "", 0.0

    def __enter__(self) -> Console:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close_bar()

    def note(self, text: str) -> None:
        """Print a line that is not a result."""
        self._errors.print(f"note: {text}", markup=False)

    def line(self, text: str = "") -> None:
        """Print a line of the result."""
        self._out.print(text, markup=False, soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
        """Print a table; the first column is text, the others are right-aligned."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for index, name in enumerate(columns):
            table.add_column(name, justify="right" if index else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self._out.print(table)

    def result(self, document: Any) -> None:
        """Print the JSON document; nothing without ``--json``."""
        if self.as_json:
            json.dump(_finite(document), sys.stdout, indent=2)
            sys.stdout.write("\n")

    def progress(self, stage: str, done: int, total: int) -> None:
        """Show how far a stage is: a bar on a terminal, otherwise one line when a long stage has ended."""
        if stage != self._stage:
            self._close_bar()
            self._stage, self._started = stage, time.monotonic()
        waited = time.monotonic() - self._started
        if self._errors.is_terminal and waited > PATIENCE_S:
            self._show(f"{stage} photos", done, total)
        if done == total:
            self._close_bar()
            self._stage = ""
            if waited > PATIENCE_S:
                self._errors.print(f"{stage} {total} photos: {waited:.1f} s", markup=False)

    def epoch(self, step: Step) -> None:
        """Show how far a training is: a bar on a terminal, and lines of finished epochs."""
        done = (step.epoch - 1) * step.photos_per_epoch + step.photos
        left = (step.epochs * step.photos_per_epoch - done) / max(step.images_per_second, 1e-9)
        if step.row is not None:
            if step.epoch % max(1, step.epochs // EPOCH_LINES) and step.epoch < step.epochs:
                return
            row = step.row
            self._errors.print(
                f"epoch {step.epoch:3d}/{step.epochs}  train loss {row['train_loss']:.4f}  "
                f"val loss {row['val_loss']:.4f}  val accuracy {row['val_accuracy']:.4f}  "
                f"{row['images_per_second']:,.0f} images/s  {_clock(left)} left",
                markup=False,
            )
        elif self._errors.is_terminal:
            text = f"epoch {step.epoch}/{step.epochs}  {step.images_per_second:,.0f} images/s  {_clock(left)} left"
            self._show(text, done, step.epochs * step.photos_per_epoch)

    def job(self, job: Job) -> None:
        """Print a line for one of many trainings that has ended."""
        self._close_bar()
        took = f"{job.seconds:.1f} s" if job.seconds > 0 else "taken from the folder"
        self._errors.print(f"{job.done}/{job.total}  {job.name}: {took}", markup=False)

    def within_job(self, step: Step) -> None:
        """Show on a terminal how far one of many trainings is."""
        if self._errors.is_terminal and step.row is None:
            done = (step.epoch - 1) * step.photos_per_epoch + step.photos
            self._show(f"epoch {step.epoch}/{step.epochs}", done, step.epochs * step.photos_per_epoch)

    def _show(self, text: str, done: int, total: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        if self._bar is None:
            self._bar = Progress(TextColumn("{task.description}"), BarColumn(), console=self._errors, transient=True)
            self._bar.start()
            self._task = self._bar.add_task(text, total=total)
        assert self._task is not None
        self._bar.update(self._task, description=text, completed=done, total=total)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._task = None


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _finite(value: Any) -> Any:
    """Replace what JSON has no word for (NaN, infinity) by null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def percent(rate: dict[str, Any] | None) -> str:
    """Return a rate object as text: "3.1 % (1.2 to 6.4, 202 parts)"."""
    if rate is None or rate["value"] is None:
        return "-"
    return (
        f"{100 * rate['value']:.1f} % ({100 * rate['low']:.1f} to {100 * rate['high']:.1f}, {rate['n']} {rate['unit']})"
    )


def leaky_mark(document: dict[str, Any]) -> str:
    """Return what stands behind each figure that rests on a leaky split; nothing behind the others."""
    return " (leaky)" if document.get("leaky") else ""


def show_promise(console: Console, figures: dict[str, Any]) -> None:
    """Print what an eval object's decision promises, and what it cannot."""
    from gonogo.evaluate.guarantee import Guarantee

    for name in ("guarantee", "overkill_guarantee", "label_guarantee"):
        if figures.get(name):
            promise = Guarantee.from_json(figures[name])
            console.line(f"guaranteed: {promise.sentence}{leaky_mark(figures)}")
            if promise.shortfall:
                console.line(f"not proved: {promise.shortfall}")


def show_figures(console: Console, figures: dict[str, Any], title: str) -> None:
    """Print an eval object: rates with intervals, then each class, then the confusion."""
    rows = [
        ("escape (defect called good)", percent(figures["escape_rate"])),
        ("overkill (good called defect)", percent(figures["overkill_rate"])),
        ("accuracy", percent(figures["accuracy"])),
        ("balanced accuracy", percent(figures["balanced_accuracy"])),
        ("ROC AUC", percent(figures["auc"])),
        ("average precision", percent(figures["average_precision"])),
    ]
    if figures["no_go_from"] is not None:
        rows.insert(2, ("review (a person looks)", percent(figures["review_rate"])))
    sorting = figures["escape_rate"] is None
    mark = leaky_mark(figures)
    rows = [(name, value + mark) for name, value in (rows[2:] if sorting else rows)]
    console.table(("rate", "value (95 % interval)"), rows, title + mark)
    names = list(figures["classes"])
    console.table(
        (
            f"class{mark}",
            "precision",
            "recall",
            "F1",
            "photos",
            *(f"called {name}" for name in names if len(names) <= 4),
        ),
        (
            (
                name,
                f"{row['precision']:.3f}",
                f"{row['recall']:.3f}",
                f"{row['f1']:.3f}",
                str(row["n"]),
                *(str(figures["confusion"][name][other]) for other in names if len(names) <= 4),
            )
            for name, row in figures["classes"].items()
        ),
    )
