"""The page of a study: networks side by side, the questions it answers, and the best network's curve."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gonogo.evaluate.curves import roc_curve
from gonogo.report.answered import Answered
from gonogo.report.curves import roc_section, trade_off_sections
from gonogo.report.page import write_page


@dataclass(frozen=True)
class StudyTable:
    """A table whose cells are text; the first column names the row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Chapter:
    """A question of the study.

    Attributes:
        title: the question.
        answer: in a sentence.
        because: the reasons, a sentence each.
        table: the figures behind it, if any.
    """

    title: str
    answer: str
    because: tuple[str, ...]
    table: StudyTable | None = None


@dataclass(frozen=True)
class StudyPage:
    """What the page shows.

    Attributes:
        study: its name.
        data: the photos' name.
        verdict: a sentence.
        networks: side by side.
        remarks: what stands below them, a sentence or two each.
        chapters: the questions.
        best: answers of the best network to parts held out.
        notes: what the reader should know of the photos.
    """

    study: str
    data: str
    verdict: str
    networks: StudyTable
    remarks: tuple[str, ...]
    chapters: tuple[Chapter, ...]
    best: Answered
    notes: tuple[str, ...]


def write_study_page(path: Path, page: StudyPage, made: datetime | None = None) -> None:
    """Write the page.

    Args:
        path: the HTML file.
        page: what it shows.
        made: when, with its time zone; now unless given.

    Raises:
        UsageError: the folder cannot be written.
    """
    answered = page.best
    curves = {name: roc_curve(positive, scores, answered.groups) for name, (positive, scores) in answered.kinds.items()}
    sections = [roc_section(answered, curves), *trade_off_sections(answered)]
    write_page(path, "study.html", made or datetime.now().astimezone(), page=page, sections=sections)
