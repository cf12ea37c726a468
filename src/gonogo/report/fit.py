"""The page of a fit: met or not first, then what proves it, then where every number came from."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from gonogo.audit.audit import Audit
from gonogo.evaluate.credibility import is_this_curve_real
from gonogo.evaluate.curves import roc_curve, trade_off
from gonogo.report.answered import Answered
from gonogo.report.audit import ClassRow, FindingSection, finding_sections, look_at_classes
from gonogo.report.charts import Axis, Chart, Frame, Mark
from gonogo.report.curves import reliability_section, roc_section, trade_off_sections
from gonogo.report.page import write_page
from gonogo.report.study import StudyTable

# Room beyond the outermost mark of a logarithmic axis, as a factor.
MARGIN = 1.5
MOST_STEPS = 400  # thresholds that can be tried on the page


@dataclass(frozen=True)
class Point:
    """A network in the plane of time and quality.

    Attributes:
        name: of the network.
        latency_ms: from camera pixels to verdict.
        loss: share of good parts lost, or of photos sorted wrongly.
        kind: "chosen", "whole" for whole trainings on all folds, "sketch" for a short look.
    """

    name: str
    latency_ms: float
    loss: float
    kind: str


@dataclass(frozen=True)
class FitPage:
    """What the page shows.

    Attributes:
        data: the photos' name.
        grade: "info" where every budget is kept, "error" where not.
        verdict: a sentence that a plant manager understands.
        facts: value, what it is, and what it rests on.
        budgets: each with what was asked and found.
        relax: what to do about budgets that are not kept.
        cannot: what the data cannot prove, and how many parts would.
        promise: what is guaranteed; empty where nothing is.
        answered: what the gauge answers to the parts kept aside.
        audit: of the photos.
        points: what was tried.
        rivals: known networks and their time on this machine, in the same run.
        front: what was trained whole, as a table.
        beside: this fit and earlier ones, a row each; None where there is nothing to compare with.
        files: of the gauge, timed.
        mistakes: picture of the worst ones.
        sources: what, and where it came from.
        notes: what the reader should know of the photos.
    """

    data: str
    grade: str
    verdict: str
    facts: tuple[tuple[str, str, str], ...]
    budgets: StudyTable
    relax: tuple[str, ...]
    cannot: tuple[str, ...]
    promise: str
    answered: Answered
    audit: Audit
    points: tuple[Point, ...]
    rivals: tuple[tuple[str, float], ...]
    front: StudyTable
    beside: StudyTable | None
    files: StudyTable
    mistakes: Path
    sources: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def write_fit_page(path: Path, page: FitPage, made: datetime | None = None) -> None:
    """Write the page.

    Args:
        path: the HTML file.
        page: what it shows.
        made: when, with its time zone; now unless given.

    Raises:
        DataError: a photo can no longer be read.
        UsageError: the folder cannot be written.
    """
    answered = page.answered
    curves = {name: roc_curve(own, scores, answered.groups) for name, (own, scores) in answered.kinds.items()}
    rarest = min(answered.kinds, key=lambda name: min(curves[name].good, curves[name].defective))
    sorted_into = rarest if len(answered.kinds) > 1 else None
    own = answered.kinds[rarest]
    credible = is_this_curve_real(*own, answered.groups, leaked=answered.leaked, kind=sorted_into)
    classes: Sequence[ClassRow] = look_at_classes(page.audit)
    findings: Sequence[FindingSection] = finding_sections(page.audit)
    write_page(
        path,
        "fit.html",
        made or datetime.now().astimezone(),
        page=page,
        credible=credible,
        classes=classes,
        findings=findings,
        curves=[roc_section(answered, curves), *trade_off_sections(answered)],
        reliability=reliability_section(answered),
        dial=_dial(answered),
        plane=_plane(page.points, page.rivals, is_sorting=answered.decision.task.is_sorting),
        mistakes=base64.b64encode(page.mistakes.read_bytes()).decode("ascii"),
    )


def _dial(answered: Answered) -> list[list[float]]:
    """Return thresholds to try, with escape and overkill of the photos and the limits that their parts prove."""
    if answered.decision.task.is_sorting or "defective" not in answered.kinds:
        return []
    found = trade_off(*answered.kinds["defective"], answered.groups)
    step = max(1, -(-len(found.thresholds) // MOST_STEPS))
    rows = zip(found.thresholds, found.escape, found.overkill, found.escape_high, found.overkill_high, strict=True)
    # A threshold without limit, at which everything passes, is no number that a page could hold.
    return [[round(float(value), 6) for value in row] for row in list(rows)[::step] if np.isfinite(row).all()]


def _plane(points: Sequence[Point], rivals: Sequence[tuple[str, float]], *, is_sorting: bool) -> Chart:
    """Return the chart of time against loss: what was tried, and the time of networks that others use."""
    times = [point.latency_ms for point in points] + [time for _, time in rivals]
    losses = [point.loss for point in points if point.loss > 0]
    floor = min(losses, default=0.01) / 2
    across = Axis("milliseconds from camera pixels to verdict", min(times) / MARGIN, max(times) * MARGIN, True, "ms")
    up = Axis("sorted wrongly" if is_sorting else "good parts lost (logarithmic)", floor / MARGIN, 1.0, True)
    frame = Frame(across, up)
    labels = {"chosen": "taken", "whole": "whole trainings", "sketch": "short look"}
    styles = {"chosen": "point", "whole": "curve", "sketch": "other"}
    marks: list[Mark] = []
    for kind, style in reversed(styles.items()):
        own = [point for point in points if point.kind == kind]
        for number, point in enumerate(own):
            label = labels[kind] if number == 0 else ""
            marks.append(frame.mark(point.latency_ms, max(point.loss, floor), style, label))
    lines = [
        frame.line([time, time], [up.low, up.high], f"hue{1 + number % 6}", f"{name}: {time:.3g} ms")
        for number, (name, time) in enumerate(rivals)
    ]
    return frame.chart("networks tried, by time and loss", lines=lines, marks=marks)
