"""The whole audit: read, inspect, run every check."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gonogo.audit import CHECKS
from gonogo.audit.findings import SEVERITIES, Findings
from gonogo.audit.inspection import Inspection, Progress, inspect
from gonogo.audit.leakage import leaked_photos
from gonogo.data.formats import ReadOptions, read_dataset
from gonogo.data.groups import group_by
from gonogo.data.task import Task, resolve_task
from gonogo.errors import UsageError
from gonogo.evaluate.intervals import share
from gonogo.files import write_text
from gonogo.types import Rate


@dataclass(frozen=True)
class Audit:
    """What was found in a data set.

    Attributes:
        inspection: the photos.
        findings: errors first, then warnings, then what is only worth knowing; the checks' order within each.
    """

    inspection: Inspection
    findings: tuple[Findings, ...]

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(found.severity == "error" for found in self.findings)

    @property
    def parts(self) -> int:
        """How many different parts or pictures there are."""
        return len(self.inspection.members)

    @property
    def leaked_share(self) -> dict[str, Rate]:
        """For val and test, where the data have them: the share of photos whose part also stands in another split."""
        splits = np.array(self.inspection.splits)
        leaked = leaked_photos(self.inspection)
        return {name: share(leaked[splits == name], None) for name in ("val", "test") if (splits == name).any()}

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "photos": len(self.inspection) + len(self.inspection.unreadable),
            "classes": self.inspection.manifest.counts(),
            "good": self.inspection.task.good,
            "parts": self.parts,
            "findings": [found.to_json() for found in self.findings],
            "leaked_share": {name: vars(rate) for name, rate in self.leaked_share.items()},
        }

    def group_names(self) -> list[str]:
        """(N,) a name for the part of each photo: the one the data give, where they give one."""
        names = [
            next((s.group for s in (self.inspection.manifest.samples[i] for i in rows) if s.group), f"part_{part:05d}")
            for part, rows in enumerate(self.inspection.members)
        ]
        repeated = {name for name, count in Counter(names).items() if count > 1}
        return [f"{names[p]}_{p}" if names[p] in repeated else names[p] for p in self.inspection.parts.tolist()]

    def write_groups(self, path: Path) -> None:
        """Write the parts as CSV with the columns path and group."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(("path", "group"))
        writer.writerows(zip(self.inspection.paths, self.group_names(), strict=True))
        write_text(path, buffer.getvalue())


def audit(
    data: Path,
    *,
    format_name: str | None = None,
    options: ReadOptions | None = None,
    good: str | None = None,
    group_rule: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Audit:
    """Read a data set and run every check.

    Args:
        data: a folder of photos or a manifest file.
        format_name: of the data; recognised unless given.
        options: how labels are read; class folders without photos are reported, not refused, whatever it says.
        good: name of the good class; read off the names unless given.
        group_rule: how file names tell the part.
        seed: of every random choice.
        progress: called with what is done, how much of it, and of how much.

    Raises:
        DataError: the data cannot be read at all.
        UsageError: a name that does not exist, or a rule that does not fit.
        MissingExtraError: a library of the extra [train] is not installed.
    """
    manifest = read_dataset(data, format_name, replace(options or ReadOptions(), empty_classes=True))
    if group_rule is not None:
        manifest = group_by(manifest, group_rule)
    inspection = inspect(manifest, _task(manifest.classes, good), seed=seed, progress=progress)
    findings: list[Findings] = []
    for done, name in enumerate(CHECKS, start=1):
        findings += CHECKS.get(name)(inspection)
        if progress:
            progress("checking", done, len(CHECKS))
    return Audit(inspection, tuple(sorted(findings, key=lambda found: SEVERITIES.index(found.severity))))


def _task(classes: tuple[str, ...], good: str | None) -> Task:
    """Find the good class; an audit goes on where the names leave it open, and the check of imbalance says so."""
    if good is not None:
        return resolve_task(classes, good)
    try:
        return resolve_task(classes)
    except UsageError:
        return Task(classes, None)
