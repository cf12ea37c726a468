"""A CSV table with the columns path and label, and perhaps split and group; or a folder that holds ``manifest.csv``."""

from __future__ import annotations

import csv
from pathlib import Path

from gonogo.data.formats import Format
from gonogo.data.manifest import REQUIRED, Manifest, read_table

TABLE_NAME = "manifest.csv"


def sniff(path: Path) -> float:
    """Return 1 for a CSV file with the required columns or a folder that holds one as manifest.csv."""
    table = path / TABLE_NAME if path.is_dir() else path
    if table.suffix.lower() != ".csv" or not table.is_file():
        return 0.0
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            header = next(csv.reader(stream), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return 0.9  # named like a table: reading it will say what is wrong
    return 1.0 if all(name in header for name in REQUIRED) else 0.9


def read(path: Path) -> Manifest:
    """Read the table; its paths are below the folder it lies in."""
    return read_table(path / TABLE_NAME if path.is_dir() else path)


def write(manifest: Manifest, path: Path) -> None:
    """Write the table beside the photos it names, so that its relative paths hold."""
    manifest.write(path / TABLE_NAME if path.is_dir() else path)


FORMAT = Format(sniff, read, write)
