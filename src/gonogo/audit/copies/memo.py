"""The search for copies is remembered by content: who audits and then trains waits once."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gonogo.audit.copies.find import Copies, CopyPair
from gonogo.data.scan import cache_folder
from gonogo.files import atomic_file

# Raised when the search changes its answers.
SEARCH_VERSION = 3


def recall(contents: Sequence[str], seed: int) -> Copies | None:
    """Return the copies among N photos if these very photos were searched before.

    A memo that is damaged only costs the time to search again.

    Args:
        contents: (N,) hashes of the photos.
        seed: of the search.
    """
    try:
        with np.load(_place(contents, seed), allow_pickle=False) as stored:
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


def remember(contents: Sequence[str], seed: int, found: Copies) -> None:
    """Keep what a search found."""
    pairs = found.pairs
    with atomic_file(_place(contents, seed)) as temporary, temporary.open("wb") as stream:
        np.savez(
            stream,
            ij=np.array([(p.i, p.j) for p in pairs], dtype=np.int64).reshape(len(pairs), 2),
            pair_confidence=np.array([p.confidence for p in pairs], dtype=np.float64),
            matrix=np.array([p.matrix for p in pairs], dtype=np.float64).reshape(len(pairs), 2, 3),
            mirrored=np.array([p.mirrored for p in pairs], dtype=np.bool_),
            groups=found.groups,
            confidence=found.confidence,
        )


def _place(contents: Sequence[str], seed: int) -> Path:
    key = hashlib.sha256(json.dumps([SEARCH_VERSION, seed, list(contents)]).encode()).hexdigest()[:32]
    return cache_folder() / "copies" / f"{key}.npz"
