"""What phones measured: checked, one row for each device, gauge and backend, in a CSV file."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import threading
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gonogo.errors import DataError, UsageError
from gonogo.files import check_new_file, write_text

LEAST_RUNS = 200
MOST_BODY_BYTES = 4096
MOST_ROWS = 1000
MOST_MS = 600_000.0
BACKENDS = ("wasm", "webgpu")
# What stands in a cell of a spreadsheet and is no formula there.
_TEXT = re.compile(r"[^\s=+\-@\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,79}")
_HEXADECIMAL = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True)
class Row:
    """How long one gauge takes on one device, from raw pixels in memory to the verdict, one photo a call.

    Attributes:
        device_id: made by the page, so that two phones of a kind are two.
        device: how people call it.
        browser: name and version.
        gauge: how people call it.
        sha256: of its ONNX file.
        precision: "fp32" and the like.
        backend: "wasm" or "webgpu".
        threads: of the runtime.
        p50_ms: half of the runs took no longer.
        p95_ms: 95 % of them.
        p99_ms: 99 % of them.
        runs: timed runs, at least `LEAST_RUNS`.
        warm_up: runs before them.
        clock_ms: smallest step of the browser's clock.
        runtime: name and version.
        params: parameters; None where the gauge does not say.
        macs: multiply-adds of one photo.
        size_bytes: of the ONNX file.
        received: when the server got it, UTC.
    """

    device_id: str
    device: str
    browser: str
    gauge: str
    sha256: str
    precision: str
    backend: str
    threads: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    runs: int
    warm_up: int
    clock_ms: float
    runtime: str
    params: int | None
    macs: int | None
    size_bytes: int
    received: str

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What a later row replaces."""
        return self.device_id, self.sha256, self.backend, self.threads


COLUMNS = tuple(field.name for field in fields(Row))
_POSTED = COLUMNS[:-1]
_TEXTS = ("device", "browser", "gauge", "precision", "runtime")
_COUNTS = {"threads": 1, "runs": LEAST_RUNS, "warm_up": 0, "size_bytes": 1}
_PERHAPS = ("params", "macs")
_TIMES = ("p50_ms", "p95_ms", "p99_ms", "clock_ms")


def read_row(body: bytes, now: datetime | None = None) -> Row:
    """Read what a phone posted.

    Args:
        body: JSON, an object of a row's values without the time.
        now: when it came.

    Raises:
        DataError: anything else; the message names the value.
    """
    try:
        values = json.loads(body)
    except ValueError as error:
        raise DataError(f"not JSON ({error})") from error
    if not isinstance(values, dict) or set(values) != set(_POSTED):
        found = ", ".join(sorted(set(values) ^ set(_POSTED))) if isinstance(values, dict) else type(values).__name__
        raise DataError(f"expected an object of {', '.join(_POSTED)}; too much or missing: {found}")
    received = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    return _checked({**values, "received": received})


def _checked(values: dict[str, Any]) -> Row:
    for name in _TEXTS:
        _expect(isinstance(values[name], str) and _TEXT.fullmatch(values[name]), name, values, "a short text")
    for name, length in (("device_id", 16), ("sha256", 64)):
        fits = isinstance(values[name], str) and len(values[name]) == length and _HEXADECIMAL.fullmatch(values[name])
        _expect(fits, name, values, f"{length} hexadecimal digits")
    _expect(values["backend"] in BACKENDS, "backend", values, " or ".join(BACKENDS))
    for name, least in _COUNTS.items():
        _expect(_is_count(values[name]) and values[name] >= least, name, values, f"a whole number from {least} on")
    for name in _PERHAPS:
        _expect(values[name] is None or _is_count(values[name]), name, values, "a whole number or null")
    for name in _TIMES:
        _expect(_is_time(values[name]), name, values, "milliseconds")
    _expect(values["p50_ms"] <= values["p95_ms"] <= values["p99_ms"], "p95_ms", values, "p50 <= p95 <= p99")
    return Row(**values)


def _expect(fits: object, name: str, values: dict[str, Any], expected: str) -> None:
    if not fits:
        raise DataError(f"{name} is {str(values[name])[:40]!r}, expected {expected}")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _is_time(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and 0 <= value <= MOST_MS


class Table:
    """The rows and their file; rows that the file holds from before stay.

    Args:
        path: CSV, written whole after each row.

    Raises:
        UsageError: it cannot be written, or is another table.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        check_new_file(path)
        self._rows = {row.key: row for row in _recall(path)}

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, by device, then as they came."""
        with self._lock:
            return tuple(sorted(self._rows.values(), key=lambda row: (row.device, row.device_id)))

    def put(self, row: Row) -> None:
        """Add a row, or replace the one with its key, and write the file.

        Raises:
            DataError: there are too many rows.
            UsageError: the file cannot be written.
        """
        with self._lock:
            if row.key not in self._rows and len(self._rows) >= MOST_ROWS:
                raise DataError(
                    f"{self.path} has {MOST_ROWS} rows, the most there may be; give another file with --out"
                )
            rows = {**self._rows, row.key: row}
            write_text(self.path, _as_csv(tuple(rows.values())))
            self._rows = rows


def _as_csv(rows: tuple[Row, ...]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows([getattr(row, name) for name in COLUMNS] for row in rows)
    return text.getvalue()


def _recall(path: Path) -> list[Row]:
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            lines = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read ({error}); give another file with --out") from error
    rows = []
    for number, line in enumerate(lines, start=2):
        try:
            rows.append(_checked(_typed(line)))
        except (KeyError, TypeError, ValueError, DataError) as error:
            raise UsageError(
                f"{path} is no table of latencies (line {number}: {error}); give another file with --out"
            ) from error
    return rows


def _typed(line: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {name: line[name] for name in COLUMNS}
    values |= {name: int(line[name]) for name in _COUNTS} | {name: float(line[name]) for name in _TIMES}
    return values | {name: int(line[name]) if line[name] else None for name in _PERHAPS}
