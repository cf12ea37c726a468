"""Which photos may show the same: descriptors that know neither rotation nor mirroring, an inverted index, votes."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from gonogo.audit.copies.features import BLOBS, FREQUENCIES, RINGS, Features
from gonogo.audit.copies.stack import Int8Array
from gonogo.errors import MissingExtraError
from gonogo.types import Float32Array, Int64Array

COMPONENTS = 32
PCA_SAMPLE = 20_000
NEIGHBOURS = 16  # of each descriptor
PROBES = 4
CANDIDATES = 12  # of each photo
LEAST_VOTES = 0.5  # of a pair worth testing
CHUNK = 512  # photos


def faiss() -> ModuleType:
    """Return the module faiss.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return import_module("faiss")
    except ImportError as error:
        raise MissingExtraError("faiss-cpu", "train") from error


def spectra(patches: Int8Array) -> Float32Array:
    """Return (n, RINGS * FREQUENCIES) float32 magnitudes of polar patches (n, RINGS, ANGLES), of length 1."""
    magnitude = np.abs(np.fft.rfft(patches.astype(np.float32), axis=-1)[..., :FREQUENCIES]).astype(np.float32)
    magnitude[..., 0] *= 0.5
    flat = np.sqrt(magnitude.reshape(len(patches), RINGS * FREQUENCIES))
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6), dtype=np.float32)


def describe(features: Features, seed: int) -> Float32Array:
    """Return (N, BLOBS, COMPONENTS) float32 descriptors; nan where a photo has fewer blobs."""
    n = len(features.points)
    present = ~np.isnan(features.points[..., 0])
    flat = np.flatnonzero(present.reshape(-1))
    result = np.full((n, BLOBS, COMPONENTS), np.nan, dtype=np.float32)
    if not len(flat):
        return result
    rng = np.random.default_rng(seed)
    sample = np.sort(rng.permutation(flat)[:PCA_SAMPLE])
    known = spectra(features.patches.reshape(n * BLOBS, RINGS, -1)[sample])
    mean = known.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(known - mean, rowvar=False) if len(known) > 1 else np.eye(known.shape[1]))
    basis = vectors[:, ::-1][:, :COMPONENTS] / np.sqrt(np.sqrt(np.maximum(values[::-1][:COMPONENTS], 1e-8)))
    for start in range(0, n, CHUNK):
        here = present[start : start + CHUNK]
        projected = (spectra(features.patches[start : start + CHUNK][here]) - mean) @ basis
        result[start : start + CHUNK][here] = projected / np.maximum(
            np.linalg.norm(projected, axis=1, keepdims=True), 1e-6
        )
    return result


def candidates(
    descriptors: Float32Array,
    *,
    queries: Int64Array | None = None,
    base: Int64Array | None = None,
    most: int = CANDIDATES,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Int64Array, Float32Array]:
    """Return for each queried photo the photos that share most descriptors with it.

    Args:
        descriptors: (N, BLOBS, COMPONENTS).
        queries: indices of the photos to look for; all unless given.
        base: indices of the photos to look among; all unless given.
        most: candidates of each photo.
        seed: of the index's cells.
        progress: called with how many queries are done, and of how many.

    Returns:
        (Q, most) int64 photo indices, best first, -1 where there are fewer; (Q, most) float32 votes.
    """
    n = len(descriptors)
    queries = np.arange(n) if queries is None else queries
    base = np.arange(n) if base is None else base
    best = np.full((len(queries), most), -1, dtype=np.int64)
    votes = np.zeros((len(queries), most), dtype=np.float32)
    present = ~np.isnan(descriptors[base, :, 0])
    owner = np.repeat(base, present.sum(axis=1))
    if len(owner) < 2 or not len(queries):
        return best, votes
    index = _index(np.ascontiguousarray(descriptors[base][present]), seed)
    for start in range(0, len(queries), CHUNK):
        chunk = queries[start : start + CHUNK]
        best[start : start + CHUNK], votes[start : start + CHUNK] = _vote(index, descriptors, chunk, owner, most)
        if progress:
            progress(min(start + CHUNK, len(queries)), len(queries))
    return best, votes


def _index(vectors: Float32Array, seed: int) -> Any:
    library = faiss()
    cells = int(min(max(1, len(vectors) // 39), 4 * np.sqrt(len(vectors))))
    quantizer = library.IndexFlatL2(COMPONENTS)
    index = library.IndexIVFFlat(quantizer, COMPONENTS, cells)
    index.own_fields = True
    quantizer.this.disown()
    index.cp.seed = seed
    index.cp.niter = 6
    index.cp.max_points_per_centroid = 32
    index.cp.min_points_per_centroid = 1
    index.train(vectors)
    index.add(vectors)
    index.nprobe = min(PROBES, cells)
    return index


def _vote(
    index: Any, descriptors: Float32Array, chunk: Int64Array, owner: Int64Array, most: int
) -> tuple[Int64Array, Float32Array]:
    """Let every blob vote once for each photo among its neighbours, close ones more than distant ones."""
    n = len(descriptors)
    present = ~np.isnan(descriptors[chunk, :, 0])
    asking = np.repeat(np.arange(len(chunk)), present.sum(axis=1))
    best = np.full((len(chunk), most), -1, dtype=np.int64)
    votes = np.zeros((len(chunk), most), dtype=np.float32)
    if not len(asking):
        return best, votes
    distance, found = index.search(np.ascontiguousarray(descriptors[chunk][present]), NEIGHBOURS + 1)
    weight = np.maximum(0.02, 1 - distance / np.maximum(distance[:, -1:].clip(max=2.0), 1e-6)).astype(np.float32)
    photo = np.where(found >= 0, owner[found], -1)
    usable = (photo >= 0) & (photo != chunk[asking][:, None])
    key = (asking[:, None] * np.int64(n) + photo)[usable]
    unique, place = np.unique(key, return_inverse=True)
    total = np.bincount(place, weights=weight[usable])
    order = np.lexsort((unique, -total, unique // n))
    query = unique[order] // n
    rank = np.arange(len(order)) - np.searchsorted(query, query)
    keep = rank < most
    best[query[keep], rank[keep]] = unique[order][keep] % n
    votes[query[keep], rank[keep]] = total[order][keep]
    return best, votes
