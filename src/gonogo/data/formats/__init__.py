"""Data set formats: one file each, each sniffed, read (and, where it makes sense, written)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gonogo.data.manifest import Manifest
from gonogo.errors import DataError
from gonogo.registry import Registry


@dataclass(frozen=True)
class Format:
    """How one layout of files is recognised, read and written.

    Attributes:
        sniff: 0 (is not it) to 1 (certainly it).
        read: path to manifest.
        write: manifest and a new folder or file.
    """

    sniff: Callable[[Path], float]
    read: Callable[[Path], Manifest]
    write: Callable[[Manifest, Path], None]


FORMATS: Registry[Format] = Registry(
    "format",
    {
        "table": "gonogo.data.formats.table:FORMAT",
        "imagefolder": "gonogo.data.formats.imagefolder:FORMAT",
    },
)


def read_dataset(path: Path | str, format_name: str | None = None) -> Manifest:
    """Read a data set, recognising its format.

    Args:
        path: a folder or a manifest file.
        format_name: a name from the registry, to skip the recognition.

    Raises:
        DataError: no such path, nothing in it that any format recognises, or only one class.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"no such file or folder: {path}; give a folder of photos or a manifest file")
    if format_name is not None:
        return _check(FORMATS.get(format_name).read(path), path)
    scores = {name: FORMATS.get(name).sniff(path) for name in FORMATS}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] <= 0:
        raise DataError(
            f"{path}: no data set found; expected a folder with one sub-folder of photos for each class "
            "(such as ok/ and defect/), or a CSV table with the columns path and label"
        )
    return _check(FORMATS.get(best).read(path), path)


def _check(manifest: Manifest, path: Path) -> Manifest:
    if len(manifest.classes) == 1:
        raise DataError(
            f"{path}: only one class, '{manifest.classes[0]}'; expected photos of at least two, such as ok and defect"
        )
    return manifest
