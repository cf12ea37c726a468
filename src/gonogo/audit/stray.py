"""Files that lie among the photos and were not read: a Thumbs.db, a text file, a photo that no table names."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import numpy as np

from gonogo.audit.findings import Findings, mask_of
from gonogo.audit.inspection import Inspection
from gonogo.audit.words import count_of, listed
from gonogo.data.formats.imagefolder import SUFFIXES

# What describes photos may lie beside them.
DESCRIPTIONS = frozenset((".csv", ".parquet", ".json", ".yaml", ".yml", ".xml", ".bin", ".cache"))
LABELS = frozenset((".txt",))  # of YOLO, one for each photo
# What is at home above the photos' own folders.
PAPERS = ("readme", "license", "licence", "copying", "classes", "labels", "changelog", "batches.meta")


def check(seen: Inspection) -> tuple[Findings, ...]:
    """Name the files in the photos' folders that were passed over."""
    known = {*seen.paths, *(path for path, _ in seen.unreadable)}
    files = {seen.manifest.file_of(sample) for sample in seen.manifest.samples}
    if any(path.suffix == ".bin" for path in files):
        return ()  # records of binary files have no folder of photos
    strays = [path for path in _files_beside(known, seen.manifest.root) if path not in known]
    strays = [path for path in strays if not _describes(path, known)]
    if not strays:
        return ()
    photos = [path for path in strays if PurePosixPath(path).suffix.lower() in SUFFIXES]
    return (
        Findings(
            check="stray",
            severity="warning",
            count=len(strays),
            summary=f"{count_of(len(strays), 'file')} among the photos "
            f"{'was' if len(strays) == 1 else 'were'} not read: {listed(strays)}"
            + (f"; {count_of(len(photos), 'photo')} among them" if photos else ""),
            advice="Remove what does not belong there; a photo that should count needs a label, a known ending and a "
            "name that does not begin with a dot.",
            mask=mask_of(len(seen), []),
            score=np.zeros(len(seen)),
            samples=tuple((path,) for path in strays),
        ),
    )


def _files_beside(known: set[str], root: Path) -> list[str]:
    """Return the files of every folder that holds a photo, and of those above up to the root, as paths below it."""
    own = {PurePosixPath(path).parent for path in known}
    found: list[str] = []
    for folder in sorted(own | {above for photos in own for above in photos.parents}):
        try:
            names = sorted(entry.name for entry in os.scandir(root / folder) if entry.is_file())
        except OSError:
            continue  # a folder that a table names and that is not there: its photos are reported as unreadable
        if folder not in own:
            names = [name for name in names if not name.lower().startswith(PAPERS) and not name.endswith(".md")]
        found += [(folder / name).as_posix() for name in names]
    return found


def _describes(path: str, known: set[str]) -> bool:
    """Say whether a file describes photos: a table, or a label file named like a photo beside it."""
    file = PurePosixPath(path)
    if file.suffix.lower() in LABELS:
        return any(file.with_suffix(suffix).as_posix() in known for suffix in SUFFIXES)
    return file.suffix.lower() in DESCRIPTIONS
