"""Photos that are no files of their own: records of fixed length in one binary file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gonogo.errors import DataError

SIDE = 32
PLANE = SIDE * SIDE
_RECORD = re.compile(r"(?P<file>.+\.bin)#(?P<number>[0-9]{1,9})", re.DOTALL)
_PPM_HEADER = f"P6\n{SIDE} {SIDE}\n255\n".encode()


@dataclass(frozen=True)
class RecordLayout:
    """How a record begins: with so many label bytes; the last of them is the class. Three 32x32 colour planes follow.

    Attributes:
        label_bytes: 1 for CIFAR-10, 2 for CIFAR-100 (coarse, fine).
        most_classes: the label is below this.
        names_file: holds one class name a line.
    """

    label_bytes: int
    most_classes: int
    names_file: str

    @property
    def size_bytes(self) -> int:
        """Length of a record."""
        return self.label_bytes + 3 * PLANE


# By the `source` of a sample, which a run's table keeps.
LAYOUTS = {
    "cifar10": RecordLayout(1, 10, "batches.meta.txt"),
    "cifar100": RecordLayout(2, 100, "fine_label_names.txt"),
}


def record_of(path: str, source: str) -> tuple[str, int, RecordLayout] | None:
    """Return the file, the number in it and the layout of a photo that is a record; None for a file of its own."""
    layout = LAYOUTS.get(source)
    match = _RECORD.fullmatch(path) if layout else None
    return None if layout is None or match is None else (match["file"], int(match["number"]), layout)


def read_record(path: Path, number: int, layout: RecordLayout) -> bytes:
    """Return a record's photo as the bytes of a PPM file, which every decoder of photos knows.

    The file is opened each time, which costs microseconds: a mapping of a file that is cut short meanwhile would end
    the process.

    Raises:
        DataError: the file ends before the record does.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        stream.seek(number * layout.size_bytes)
        record = stream.read(layout.size_bytes)
    if len(record) != layout.size_bytes:
        raise DataError(f"{path}: no record {number}, the file has {path.stat().st_size} bytes; download it again")
    planes = np.frombuffer(record, np.uint8, offset=layout.label_bytes).reshape(3, PLANE)
    return _PPM_HEADER + planes.T.tobytes()
