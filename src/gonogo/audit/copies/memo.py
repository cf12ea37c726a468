"""The search for copies is remembered by content: who audits and then trains waits once."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from gonogo.audit.copies.find import Copies, CopyPair, Progress, find_copies
from gonogo.data.scan import cache_folder
from gonogo.files import atomic_file
from gonogo.types import Int64Array, UInt8Array

# Raised when the search changes its answers.
SEARCH_VERSION = 2


def recall_or_find(
    contents: Sequence[str],
    photos: Callable[[int], UInt8Array],
    sizes: Int64Array,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Copies:
    """Return the copies among N photos, searching only when these very photos were not searched before.

    Args:
        contents: (N,) hashes of the photos.
        photos: from an index to a grey photo (H, W).
        sizes: (N, 2) heights and widths.
        seed: of the search.
        progress: as for `find_copies`.

    Raises:
        DataError: a photo cannot be decoded.
        MissingExtraError: as for `find_copies`.
    """
    key = hashlib.sha256(json.dumps([SEARCH_VERSION, seed, list(contents)]).encode()).hexdigest()[:32]
    path = cache_folder() / "copies" / f"{key}.npz"
    found = _recall(path)
    if found is None:
        found = find_copies(photos, len(contents), sizes=sizes, seed=seed, progress=progress)
        _write(path, found)
    return found


def _recall(path: Path) -> Copies | None:
    """Read the memo; one that is absent or damaged only costs the time to search again."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            ij, confidence, matrix, mirrored = (
                stored[name] for name in ("ij", "pair_confidence", "matrix", "mirrored")
            )
            groups, weakest = stored["groups"], stored["confidence"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    pairs = tuple(
        CopyPair(int(i), int(j), float(sure), own, bool(flip))
        for (i, j), sure, own, flip in zip(ij, confidence, matrix, mirrored, strict=True)
    )
    return Copies(pairs, groups, weakest)


def _write(path: Path, found: Copies) -> None:
    pairs = found.pairs
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        np.savez(
            stream,
            ij=np.array([(p.i, p.j) for p in pairs], dtype=np.int64).reshape(len(pairs), 2),
            pair_confidence=np.array([p.confidence for p in pairs], dtype=np.float64),
            matrix=np.array([p.matrix for p in pairs], dtype=np.float64).reshape(len(pairs), 2, 3),
            mirrored=np.array([p.mirrored for p in pairs], dtype=np.bool_),
            groups=found.groups,
            confidence=found.confidence,
        )
