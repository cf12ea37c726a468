"""Which photos made a gauge, so that figures on them are not taken for figures on new ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from gonogo.types import BoolArray

SEEN_NAME = "seen.npy"
# Hexadecimal digits of a photo's SHA-256 that are kept: 8 bytes tell any two photos apart and stay small.
KEPT_DIGITS = 16
Keys = npt.NDArray[np.uint64]


def _key(digest: str) -> int:
    return int(digest[:KEPT_DIGITS] or "0", 16)


def content_keys(digests: Iterable[str]) -> Keys:
    """Return the beginnings of SHA-256 hashes, (M,) uint64, each once, in order."""
    return np.array(sorted({_key(digest) for digest in digests if digest}), dtype=np.uint64)


def are_seen(keys: Keys, digests: Sequence[str]) -> BoolArray:
    """Return (N,) which of N photos, by their hashes, are among the keys."""
    own = np.array([_key(digest) for digest in digests], dtype=np.uint64)
    return np.asarray(np.isin(own, keys) & np.array([bool(digest) for digest in digests], dtype=np.bool_))
