"""Photos that are read as a run's own were, except for what is said otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from gonogo.data.formats import MixedRule, ReadOptions, TaskName, read_dataset
from gonogo.data.good_alone import DEFECT, against_good, name_good
from gonogo.data.groups import group_by
from gonogo.data.manifest import Manifest
from gonogo.data.task import Task
from gonogo.errors import DataError, UsageError


@dataclass(frozen=True)
class Reading:
    """How photos that are given are read; what is None is as the run's own were.

    Attributes:
        format: name of the format.
        task: "binary" for good and defect, "class" for the kinds.
        mixed: what a photo with boxes of several classes is.
        group_by: how file names tell the part.
        photos: the folder that a table's paths are below.
        good: what the good class is called, for a gauge that was shown no defect.
    """

    format: str | None = None
    task: TaskName | None = None
    mixed: MixedRule | None = None
    group_by: str | None = None
    photos: Path | None = None
    good: str | None = None


AS_TRAINED = Reading()


class Trained(Protocol):
    """How a run's own photos were read."""

    @property
    def format(self) -> str | None:
        """Name of the format."""

    @property
    def task(self) -> TaskName | None:
        """What the labels are."""

    @property
    def mixed(self) -> MixedRule:
        """What a photo with boxes of several classes is."""

    @property
    def group_by(self) -> str | None:
        """How file names tell the part."""


def read_like(data: Path, reading: Reading, trained: Trained | None, against: Task | None = None) -> Manifest:
    """Read photos.

    Args:
        data: a folder or a manifest file.
        reading: what is said of them.
        trained: how the run's own were read; None for a gauge.
        against: the question of a gauge that was shown no defect: whatever is not good is one to it. None for others.

    Raises:
        DataError: they cannot be read.
        UsageError: the rule for parts does not fit, or nothing says which class is the good one.
    """
    if against is None:
        if reading.good is not None:
            raise UsageError("--good is for a gauge that was shown good parts alone; leave it out")
        return _read_classes(data, reading, trained)
    assert against.good is not None
    manifest = _read_classes(data, reading, trained, single_class=True)
    found = name_good(manifest.classes, against.good, reading.good)
    others = [name for name in manifest.classes if name != found]
    if others and others != [DEFECT]:
        shown = ", ".join(others[:10])
        note = f"{shown}: all that is not good counts as a defect, because the gauge was shown good parts alone"
        manifest = replace(manifest, notes=(*manifest.notes, note))
    return against_good(manifest, found, against.good)


def _read_classes(data: Path, reading: Reading, trained: Trained | None, *, single_class: bool = False) -> Manifest:
    format_name = reading.format or (trained.format if trained else None)
    task = reading.task or (trained.task if trained else None)
    mixed = reading.mixed or (trained.mixed if trained else None) or "refuse"
    try:
        loose = reading.good if single_class else None
        options = ReadOptions(task, mixed, photos=reading.photos, single_class=single_class, loose=loose)
        manifest = read_dataset(data, format_name, options)
    except DataError as error:
        if reading.format or not format_name:
            raise
        raise DataError(
            f"{error} (it was read as {format_name}, as the run's photos were; --format reads it otherwise)"
        ) from error
    rule = reading.group_by or (trained.group_by if trained else None)
    if rule is None:
        return manifest
    try:
        return group_by(manifest, rule)
    except UsageError:
        if reading.group_by:
            raise
        note = f"the run's --group-by {rule} does not fit these names: photos are counted, not parts"
        return replace(manifest, notes=(*manifest.notes, note))
