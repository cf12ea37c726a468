"""The page of an audit: what was found among the photos, with pictures that a person believes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from gonogo.audit.audit import Audit
from gonogo.audit.findings import SEVERITIES, Findings, Severity
from gonogo.audit.inspection import Inspection
from gonogo.audit.words import count_of
from gonogo.report.exhibits import Block, blocks_of
from gonogo.report.page import write_page
from gonogo.report.pictures import Album, Picture
from gonogo.types import SPLITS

MOST_SAMPLES, MOST_PATHS = 60, 12  # of a finding, and of one sample: the page is for reading, the rest is in --json
THUMBNAIL = 72  # pixels high
MOST_THUMBNAILS, THUMBNAILS_EACH = 60, 5


@dataclass(frozen=True)
class ClassRow:
    """One class in numbers.

    Attributes:
        name: of the class.
        good: whether it is the good one.
        photos: how many there are.
        parts: how many different parts or pictures they show.
        share: of the photos, relative to the largest class.
        splits: photos in each split that the data name.
        examples: (photo, path) of different parts.
    """

    name: str
    good: bool
    photos: int
    parts: int
    share: float
    splits: tuple[int, ...]
    examples: tuple[tuple[Picture, str], ...]


@dataclass(frozen=True)
class SampleRow:
    """Paths that belong together, and how many more of them there are."""

    paths: tuple[str, ...]
    left_out: int


@dataclass(frozen=True)
class FindingSection:
    """One finding on the page.

    Attributes:
        anchor: its name inside the page.
        severity: error, warning or info.
        title: of the check.
        summary: what was found.
        advice: what to do.
        blocks: the figures.
        samples: the first ones.
        samples_in_all: how many there are.
        single: whether each sample is one file.
    """

    anchor: str
    severity: Severity
    title: str
    summary: str
    advice: str
    blocks: tuple[Block, ...]
    samples: tuple[SampleRow, ...]
    samples_in_all: int
    single: bool


def write_audit_page(audit: Audit, path: Path, name: str, *, made: datetime | None = None) -> None:
    """Write the page of an audit.

    Args:
        audit: what was found.
        path: the HTML file.
        name: of the data.
        made: when, with its time zone; now unless given.

    Raises:
        DataError: a photo can no longer be read.
        UsageError: the folder cannot be written.
        MissingExtraError: a library of the extra [train] is not installed.
    """
    seen = audit.inspection
    album = Album(seen)
    splits = tuple(split for split in SPLITS if split in seen.splits)
    write_page(
        path,
        "audit.html",
        made or datetime.now().astimezone(),
        name=name,
        photos=len(seen) + len(seen.unreadable),
        unreadable=len(seen.unreadable),
        parts=audit.parts,
        good=seen.task.good,
        found={severity: sum(f.severity == severity for f in audit.findings) for severity in SEVERITIES},
        verdict=verdict(audit),
        leaked=audit.leaked_share,
        splits=splits,
        classes=look_at_classes(audit, album),
        findings=finding_sections(audit, album),
        notes=seen.manifest.notes,
        seed=seen.seed,
        fingerprint=seen.manifest.fingerprint,
    )


def verdict(audit: Audit) -> str:
    """Return in one sentence whether figures made from these photos can be trusted."""
    errors = audit.errors
    warnings = sum(found.severity == "warning" for found in audit.findings)
    if errors:
        also = f" and {count_of(warnings, 'warning')}" if warnings else ""
        return f"{count_of(errors, 'error')}{also}: figures made from these photos as they are would be wrong."
    if warnings:
        return f"No error, {count_of(warnings, 'warning')}: read them before you trust a figure made from these photos."
    return "No error and no warning: nothing was found that speaks against these photos."


def finding_sections(audit: Audit, album: Album | None = None) -> list[FindingSection]:
    """Return the findings as a page shows them.

    Args:
        audit: what was found.
        album: of its photos, where they were opened already.
    """
    seen = audit.inspection
    album = album or Album(seen)
    return [_section(number, found, seen, album) for number, found in enumerate(audit.findings, start=1)]


def look_at_classes(audit: Audit, album: Album | None = None) -> list[ClassRow]:
    """Return every class with photos of different parts; arguments as for `finding_sections`."""
    seen = audit.inspection
    album = album or Album(seen)
    splits = tuple(split for split in SPLITS if split in seen.splits)
    names, labels = seen.manifest.classes, seen.manifest.labels
    photos = np.bincount(labels, minlength=len(names))
    each = min(THUMBNAILS_EACH, MOST_THUMBNAILS // len(names))
    sides = np.array(seen.splits)
    rows = []
    for k, name in enumerate(names):
        own = np.flatnonzero(labels == k)
        _, first = np.unique(seen.parts[own], return_index=True)
        chosen = first[np.unique(np.linspace(0, len(first) - 1, min(each, len(first))).astype(np.int64))]
        rows.append(
            ClassRow(
                name=name,
                good=name == seen.task.good,
                photos=len(own),
                parts=len(first),
                share=len(own) / int(photos.max()),
                splits=tuple(int((sides[own] == split).sum()) for split in splits),
                examples=tuple((album.thumbnail(int(i), THUMBNAIL), seen.paths[i]) for i in own[chosen]),
            )
        )
    return rows


def _section(number: int, found: Findings, seen: Inspection, album: Album) -> FindingSection:
    shown = found.samples[:MOST_SAMPLES]
    return FindingSection(
        anchor=f"finding-{number}",
        severity=found.severity,
        title=_capital(found.check.replace("_", " ")),
        summary=found.summary if found.summary.startswith(seen.manifest.classes) else _capital(found.summary),
        advice=found.advice,
        blocks=blocks_of(found.exhibits, seen, album),
        samples=tuple(SampleRow(paths[:MOST_PATHS], max(0, len(paths) - MOST_PATHS)) for paths in shown),
        samples_in_all=len(found.samples),
        single=all(len(paths) == 1 for paths in found.samples),
    )


def _capital(text: str) -> str:
    """Begin with a capital letter, and leave the rest as it is."""
    return text[:1].upper() + text[1:]
