"""A CSV or Parquet table with the columns path and label, and perhaps split and group; or a folder that holds one."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from gonogo.data.formats import DEFAULT_OPTIONS, Format, ReadOptions, import_extra
from gonogo.data.formats.inside import DataFolder
from gonogo.data.manifest import COLUMNS, REQUIRED, Manifest, from_rows, read_table
from gonogo.data.scan import cache_folder
from gonogo.errors import DataError
from gonogo.files import atomic_file, write_text

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


def read(path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> Manifest:
    """Read the table; its paths are below the folder it lies in, unless `write_apart` wrote it or `options` say so.

    Raises:
        DataError: no such table or folder, or it cannot be read.
    """
    table = _table(path)
    if not DataFolder(table.parent, linked_folders=True).has_file(table):
        raise DataError(f"{table}: no such table; expected a CSV or Parquet file with the columns path and label")
    if options.photos is not None and not options.photos.is_dir():
        raise DataError(f"--photos {options.photos}: no such folder; expected the one that the paths in {table} are in")
    if table.suffix.lower() == PARQUET:
        return read_parquet(table, options.photos)
    manifest = read_table(table, options.photos)
    known = None if options.photos is not None else _known_photos(table)
    return manifest if known is None or _holds(manifest) else replace(manifest, root=known)


def _holds(manifest: Manifest) -> bool:
    """Say whether the first photo lies where the table would have it."""
    return manifest.file_of(manifest.samples[0]).is_file()


def _memo(content: bytes) -> Path:
    return cache_folder() / "tables" / f"{sha256(content).hexdigest()}.txt"


def _known_photos(table: Path) -> Path | None:
    """Return where the photos of a table lie that was written here, apart from them; None for any other table."""
    try:
        return Path(_memo(table.read_bytes()).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def write_apart(manifest: Manifest, table: Path, **more: Sequence[object]) -> Path | None:
    """Write a CSV table wherever it is wanted.

    Where the photos lie below the table's folder, its paths start there, and table and photos can be moved together.
    Otherwise the paths start in the photos' own folder. A table from elsewhere may not say where that is, because
    it could name any file of this machine; so it is remembered here, by the table's content, that this very table was
    written for that folder.

    Args:
        manifest: the samples; a photo without a group is written as a group of its own, by its path.
        table: the file to write.
        more: further columns, (N,) each.

    Returns:
        The photos' folder where they lie apart; None where they are below the table's folder.
    """
    # Links stay as whoever arranged the photos made them.
    root, folder = (Path(os.path.abspath(path)) for path in (manifest.root, table.parent))  # noqa: PTH100
    apart = not root.is_relative_to(folder)
    start = "" if apart or root == folder else f"{root.relative_to(folder).as_posix()}/"
    samples = (replace(s, path=f"{start}{s.path}") for s in manifest.samples)
    named = replace(manifest, samples=tuple(replace(s, group=s.group or s.path) for s in samples))
    content = named.to_csv(**more)
    if apart:
        write_text(_memo(content.encode()), str(root))
    write_text(table, content)
    return root if apart else None


def read_parquet(path: Path, root: Path | None = None) -> Manifest:
    """Read a manifest from a Parquet file; columns and errors are those of a CSV table.

    Args:
        path: the file.
        root: the folder the paths are below; the file's own folder unless given.

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
    return from_rows(path, root or path.parent, columns, rows)


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
