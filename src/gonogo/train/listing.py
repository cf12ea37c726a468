"""Which photos a data set has and what they are, before any of them is looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gonogo.data.formats import read_dataset
from gonogo.data.good_alone import against_good, good_alone
from gonogo.data.groups import group_by
from gonogo.data.manifest import Manifest
from gonogo.data.task import Task, resolve_task

if TYPE_CHECKING:
    from gonogo.train.prepare import DataOptions


@dataclass(frozen=True)
class Listed:
    """A data set that was read, without a look at the photos themselves.

    Attributes:
        manifest: the photos.
        task: the question.
        good_alone: no photo outside the test set shows a defect.
    """

    manifest: Manifest
    task: Task
    good_alone: bool = False


def list_photos(data: Path, options: DataOptions, *, may_be_good: bool = False) -> Listed:
    """Read which photos there are and what they are.

    Args:
        data: a folder or a manifest file.
        options: what the user said.
        may_be_good: good parts alone will do; refused otherwise.

    Raises:
        DataError: nothing can be read.
        UsageError: the options do not fit the photos.
    """
    reading = options.reading
    if may_be_good:
        loose = None if options.good == "none" else options.good
        reading = replace(reading, single_class=True, loose=loose)
    manifest = read_dataset(data, options.format, reading)
    if options.group_by is not None:
        manifest = group_by(manifest, options.group_by)
    good = good_alone(manifest, options.good, resplit=options.resplit) if may_be_good else None
    if good is None:
        return Listed(manifest, resolve_task(manifest.classes, options.good))
    manifest = against_good(manifest, good, good)
    return Listed(manifest, Task(manifest.classes, good), good_alone=True)
