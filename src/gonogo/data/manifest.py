"""The table of samples: which photo, which class, which side of the split, which part."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from gonogo.data.records import read_record, record_of
from gonogo.errors import DataError
from gonogo.files import write_text
from gonogo.types import SPLITS, Int64Array

REQUIRED = ("path", "label")
COLUMNS = ("path", "label", "split", "group", "sha256", "width", "height", "source")


@dataclass(frozen=True)
class Sample:
    """One photo.

    Attributes:
        path: below the manifest's root, with forward slashes; ``FILE.bin#NUMBER`` for a record of a binary file.
        label: name of its class.
        split: train, val, test, or empty where it was not decided.
        group: the part (or lot) it shows; empty where nobody said.
        sha256: of the file's bytes, empty before the scan.
        width: pixels, 0 before the scan.
        height: pixels, 0 before the scan.
        source: where the photo came from, free text.
    """

    path: str
    label: str
    split: str = ""
    group: str = ""
    sha256: str = ""
    width: int = 0
    height: int = 0
    source: str = ""


@dataclass(frozen=True)
class Manifest:
    """All samples of a data set.

    Attributes:
        root: the folder that every path is below.
        samples: in a fixed order.
        classes: fixed by the whole set, never by one split; a label's number is its place here.
        notes: what the reader of the data set found worth saying.
    """

    root: Path
    samples: tuple[Sample, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def labels(self) -> Int64Array:
        """(N,) int64, the class number of each sample."""
        number = {name: index for index, name in enumerate(self.classes)}
        return np.array([number[sample.label] for sample in self.samples], dtype=np.int64)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """(N,) what stays together: the part where one is named, otherwise the photo's content, otherwise its path."""
        return tuple(sample.group or sample.sha256 or sample.path for sample in self.samples)

    @property
    def has_groups(self) -> bool:
        """True where at least one sample names its part."""
        return any(sample.group for sample in self.samples)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over content, label, split and group of every sample, whatever their order and names."""
        rows = sorted(f"{s.sha256 or s.path}\t{s.label}\t{s.split}\t{s.group}" for s in self.samples)
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()

    def path_of(self, sample: Sample) -> Path:
        """Return where the photo lies; use `read_bytes` to read it, because some are records of a larger file."""
        return self.root / sample.path

    def file_of(self, sample: Sample) -> Path:
        """Return the file that holds the photo: its own, or the binary file it is a record of."""
        record = record_of(sample.path, sample.source)
        return self.root / (sample.path if record is None else record[0])

    def read_bytes(self, sample: Sample) -> bytes:
        """Return the photo as the bytes of an image file.

        Raises:
            DataError: it cannot be read.
        """
        record = record_of(sample.path, sample.source)
        try:
            if record is None:
                return self.path_of(sample).read_bytes()
            return read_record(self.root / record[0], *record[1:])
        except OSError as error:
            raise DataError(f"{sample.path}: cannot be read ({error.strerror})") from error

    def select(self, split: str) -> Manifest:
        """Return the samples of one split; the classes stay those of the whole set."""
        return replace(self, samples=tuple(s for s in self.samples if s.split == split))

    def keep(self, mask: Iterable[bool]) -> Manifest:
        """Return the samples where the mask is true; the classes stay."""
        return replace(self, samples=tuple(s for s, kept in zip(self.samples, mask, strict=True) if kept))

    def counts(self) -> dict[str, int]:
        """Return the number of photos of every class, zeros included."""
        found = Counter(sample.label for sample in self.samples)
        return {name: found[name] for name in self.classes}

    def to_csv(self, **more: Sequence[object]) -> str:
        """Return the table as CSV; the paths stay relative to the root.

        Args:
            more: further columns, (N,) each.
        """
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow((*COLUMNS, *more))
        for place, sample in enumerate(self.samples):
            writer.writerow(
                [*(getattr(sample, column) for column in COLUMNS), *(column[place] for column in more.values())]
            )
        return buffer.getvalue()

    def write(self, path: Path) -> None:
        """Write the table as CSV."""
        write_text(path, self.to_csv())


def read_table(path: Path, root: Path | None = None) -> Manifest:
    """Read a manifest from a CSV file with at least the columns path and label; other columns are ignored.

    Args:
        path: the CSV file.
        root: the folder the paths are below; the file's own folder unless given.

    Raises:
        DataError: no such file, a column missing, an unknown split, a path that leaves the root or stands twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            columns = reader.fieldnames or []
            return from_rows(path, root or path.parent, columns, list(reader) if _has_required(columns) else [])
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV table: {error}") from error


def _has_required(columns: Iterable[str]) -> bool:
    return set(REQUIRED) <= set(columns)


def from_rows(path: Path, root: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> Manifest:
    """Make a manifest of a table's rows; the first row stands in line 2.

    Args:
        path: the table, for messages.
        root: the folder the paths are below.
        columns: the table's.
        rows: column to text.

    Raises:
        DataError: as for `read_table`.
    """
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise DataError(f"{path}: no column '{missing[0]}' (found: {', '.join(columns) or 'nothing'})")
    samples = tuple(_sample(path, number, row) for number, row in enumerate(rows, start=2))
    if not samples:
        raise DataError(f"{path}: the table has no rows, expected one for each photo")
    (most, count), *_ = Counter(sample.path for sample in samples).most_common(1)
    if count > 1:
        raise DataError(f"{path}: '{most}' stands in {count} rows; keep one row for each photo")
    return Manifest(root, samples, tuple(sorted({sample.label for sample in samples})))


def _sample(table: Path, line: int, row: Mapping[str, str]) -> Sample:
    values = {name: (row.get(name) or "").strip() for name in COLUMNS}
    where = f"{table}, line {line}"
    if not values["path"] or not values["label"]:
        raise DataError(f"{where}: path or label is empty")
    if Path(values["path"]).is_absolute() or ".." in Path(values["path"]).parts:
        raise DataError(f"{where}: '{values['path']}' leaves the table's folder; give paths below it")
    if values["split"] not in ("", *SPLITS):
        raise DataError(f"{where}: split '{values['split']}', expected one of {', '.join(SPLITS)}, or nothing")
    for name in ("width", "height"):
        if values[name] and not values[name].isdigit():
            raise DataError(f"{where}: {name} '{values[name]}', expected a whole number")
    if values["group"] == values["path"]:
        values["group"] = ""  # a photo that shows no other one's part: nobody named its part
    width, height = (int(values.pop(name) or 0) for name in ("width", "height"))
    return Sample(**values, width=width, height=height)
