"""A CSV or Parquet table with the columns path and label, and perhaps split and group; or a folder that holds one."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from gonogo.data.formats import DEFAULT_OPTIONS, Format, ReadOptions, import_extra
from gonogo.data.formats.inside import DataFolder
from gonogo.data.manifest import COLUMNS, REQUIRED, Manifest, from_rows, read_table
from gonogo.errors import DataError
from gonogo.files import atomic_file

TABLE_NAME = "manifest.csv"
PARQUET_NAME = "manifest.parquet"
PARQUET = ".parquet"
_PARQUET_MARK = b"PAR1"


def _table(path: Path) -> Path:
    """Return the table of a folder, the CSV where there are both; a file is the table itself."""
    if not path.is_dir():
        return path
    parquet = path / PARQUET_NAME
    return parquet if parquet.is_file() and not (path / TABLE_NAME).is_file() else path / TABLE_NAME


def sniff(path: Path) -> float:
    """Return 1 for a table with the required columns, or a folder that holds one as manifest.csv or .parquet."""
    table = _table(path)
    if table.suffix.lower() not in (".csv", PARQUET) or not table.is_file():
        return 0.0
    try:
        if table.suffix.lower() == PARQUET:
            with table.open("rb") as parquet:
                return 1.0 if parquet.read(4) == _PARQUET_MARK else 0.9
        with table.open(encoding="utf-8-sig", newline="") as stream:
            header = next(csv.reader(stream), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return 0.9  # named like a table: reading it will say what is wrong
    return 1.0 if all(name in header for name in REQUIRED) else 0.9


def read(path: Path, _options: ReadOptions = DEFAULT_OPTIONS) -> Manifest:
    """Read the table; its paths are below the folder it lies in."""
    table = _table(path)
    if not DataFolder(table.parent, linked_folders=True).has_file(table):
        raise DataError(f"{table}: no such table; expected a CSV or Parquet file with the columns path and label")
    return read_parquet(table) if table.suffix.lower() == PARQUET else read_table(table)


def read_parquet(path: Path) -> Manifest:
    """Read a manifest from a Parquet file; columns and errors are those of a CSV table.

    Raises:
        DataError: it is not Parquet, or as for a CSV table.
        MissingExtraError: pyarrow is not installed.
    """
    pa, parquet = import_extra("pyarrow", "pyarrow"), import_extra("pyarrow.parquet", "pyarrow")
    try:
        with path.open("rb") as stream:
            file = parquet.ParquetFile(stream)
            columns = list(file.schema_arrow.names)
            table = file.read(columns=[name for name in columns if name in COLUMNS])
            texts = {name: table[name].cast(pa.string()).to_pylist() for name in table.column_names}
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} is not a Parquet table of text and whole numbers: {reason}") from error
    rows = [dict(zip(texts, row, strict=True)) for row in zip(*texts.values(), strict=True)]
    return from_rows(path, path.parent, columns, rows)


def write(manifest: Manifest, path: Path) -> None:
    """Write the table beside the photos it names, so that its relative paths hold.

    Raises:
        DataError: the table would lie elsewhere than its photos.
        MissingExtraError: a Parquet table, and pyarrow is not installed.
    """
    table = path / TABLE_NAME if path.is_dir() else path
    if os.path.realpath(table.parent) != os.path.realpath(manifest.root):
        raise DataError(f"{table} would lie apart from its photos; write it into {manifest.root}")
    if table.suffix.lower() == PARQUET:
        _write_parquet(manifest, table)
    else:
        manifest.write(table)


def _write_parquet(manifest: Manifest, path: Path) -> None:
    pa, parquet = import_extra("pyarrow", "pyarrow"), import_extra("pyarrow.parquet", "pyarrow")
    columns = {name: [getattr(sample, name) for sample in manifest.samples] for name in COLUMNS}
    with atomic_file(path) as temporary:
        parquet.write_table(pa.table(columns), temporary)


FORMAT = Format(sniff, read, write, linked_folders=True)
