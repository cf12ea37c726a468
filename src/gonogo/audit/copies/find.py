"""The search for copies, step by step: features, candidates, alignment, decision, groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from gonogo.audit.copies.candidates import CANDIDATES, LEAST_VOTES, candidates, describe
from gonogo.audit.copies.decide import Finding, confidence
from gonogo.audit.copies.features import Blobs, Features, extract, gather, working_sizes
from gonogo.audit.copies.groups import Forest, Tester, forget
from gonogo.audit.copies.stack import Stack
from gonogo.types import Float32Array, Float64Array, Int64Array, UInt8Array
from gonogo.workers import workers

REPRESENTATIVES = 5  # of each group, in the second search
CROWDED = 3  # candidates that do not count in the second search, for a photo to be searched again
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CopyPair:
    """Two photos that show the same picture.

    Attributes:
        i: index of one photo.
        j: index of the other.
        confidence: 0.5 to 1.
        matrix: (2, 3) float64, takes (x, y, 1) in pixels of photo j to (x, y) in pixels of photo i, pixel centres at
            integers.
        mirrored: whether one is the mirror image of the other.
    """

    i: int
    j: int
    confidence: float
    matrix: Float64Array
    mirrored: bool


@dataclass(frozen=True)
class Copies:
    """What was found among N photos.

    Attributes:
        pairs: the pairs judged to be copies, in the order of their indices; they connect every group but are not all
            pairs of it.
        groups: (N,) int64, numbered from 0 in the order of their first photos; photos of one group share a number.
        confidence: (N,) float64, of the weakest join that the photo's group cannot do without; 1 for a photo alone.
    """

    pairs: tuple[CopyPair, ...]
    groups: Int64Array
    confidence: Float64Array


def find_copies(photos: Sequence[UInt8Array], *, seed: int = 0, count: int | None = None) -> Copies:
    """Find the photos that are copies or overlapping crops of one photo, whatever was done to them in between.

    Turned, mirrored, shifted, scaled by up to a tenth, made lighter or darker and compressed photos are copies. A part
    photographed anew is none.

    Args:
        photos: grey photos (H, W) uint8 of any sizes.
        seed: the same seed gives the same answer, whatever the number of workers.
        count: workers; one for each core unless given.

    Raises:
        MissingExtraError: OpenCV, faiss, loky or threadpoolctl is not installed.
    """
    factor, shapes = working_sizes(np.array([photo.shape[:2] for photo in photos], dtype=np.int64).reshape(-1, 2))
    with TemporaryDirectory() as folder, workers(len(photos), count) as executor:
        local = Stack.create(Path(folder), shapes)
        places = range(len(photos))
        found = list(executor.map(partial(_extract, local), photos, places, chunksize=32))
        return search(gather(local, factor, found), executor, seed=seed)


def _extract(local: Stack, photo: UInt8Array, index: int) -> Blobs:
    return extract(photo, local[index])


def search(features: Features, executor: Executor, *, seed: int = 0, progress: Progress | None = None) -> Copies:
    """Find the copies among photos whose features are known; see `find_copies`.

    Args:
        features: of N photos.
        executor: judges pairs.
        seed: the same seed gives the same answer, whatever the executor.
        progress: called with how much is done, and of how much (two steps for each photo).
    """
    n = len(features.points)
    forest = Forest(n)
    descriptors = describe(features, seed)
    tester = Tester(features, descriptors, executor)
    best, votes = candidates(descriptors, seed=seed, progress=_part(progress, 0, n))
    _test_all(tester, forest, np.arange(n), best, votes, _part(progress, 1, n))
    _search_again(tester, forest, descriptors, best, seed)
    forget()
    return _result(tester.findings, features, forest, n)


def _part(progress: Progress | None, step: int, n: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, of: progress(step * n + n * done // max(of, 1), 2 * n)


def _test_all(
    tester: Tester,
    forest: Forest,
    queries: Int64Array,
    best: Int64Array,
    votes: Float32Array,
    progress: Progress | None,
) -> None:
    """Test every photo with its best candidate, then with the second best, and so on."""
    for rank in range(CANDIDATES):
        there = (best[:, rank] >= 0) & (votes[:, rank] >= LEAST_VOTES)
        tester.test(queries[there], best[there, rank], forest)
        if progress:
            progress(rank + 1, CANDIDATES)


def _search_again(tester: Tester, forest: Forest, descriptors: Float32Array, best: Int64Array, seed: int) -> None:
    """Search once more among a few photos of each group: copies crowd each other's lists of candidates."""
    names = forest.names()
    order = np.argsort(names, kind="stable")
    place = np.arange(len(order)) - np.searchsorted(names[order], names[order])
    chosen = np.sort(order[place < REPRESENTATIVES])
    counts = np.zeros(len(names), dtype=bool)
    counts[chosen] = True
    crowded = ((best >= 0) & ~counts[best]).sum(axis=1) >= CROWDED
    queries = chosen[crowded[chosen]]
    again, votes = candidates(descriptors, queries=queries, base=chosen, most=4 * CANDIDATES, seed=seed)
    _test_all(tester, forest, queries, *_few_of_each_group(again, votes, names), None)


def _few_of_each_group(best: Int64Array, votes: Float32Array, names: Int64Array) -> tuple[Int64Array, Float32Array]:
    """Keep of each row's candidates (Q, M) the first two of each group, and at most `CANDIDATES`; others become -1."""
    group = np.where(best >= 0, names[best], -1)
    earlier = np.tril(group[:, :, None] == group[:, None, :], -1).sum(axis=2)
    kept = (best >= 0) & (earlier < 2)
    order = np.argsort(~kept, axis=1, kind="stable")[:, :CANDIDATES]
    chosen = np.take_along_axis(np.where(kept, best, -1), order, axis=1)
    return chosen, np.take_along_axis(votes, order, axis=1)


def _result(findings: list[Finding], features: Features, forest: Forest, n: int) -> Copies:
    accepted = sorted(
        (f for f in findings if f.score > 0 and forest.find(f.i) == forest.find(f.j)), key=lambda f: (f.i, f.j)
    )
    names = forest.names()
    groups = np.unique(names, return_inverse=True)[1].astype(np.int64)
    weakest = np.ones(n)
    tree = Forest(n)
    for found in sorted(accepted, key=lambda f: -f.score):
        if tree.join(found.i, found.j):
            weakest[names[found.i]] = confidence(found.score)  # the last one written is the weakest
    return Copies(tuple(_pair(found, features) for found in accepted), groups, weakest[names])


def _pair(found: Finding, features: Features) -> CopyPair:
    """Take the matrix from working pixels to the photos' own: w = f (p + 1/2) - 1/2."""
    fi, fj = float(features.factor[found.i]), float(features.factor[found.j])
    linear, offset = found.matrix[:, :2], found.matrix[:, 2]
    shift = (linear @ np.full(2, fj / 2 - 0.5) + offset + 0.5) / fi - 0.5
    matrix = np.hstack([linear * (fj / fi), shift[:, None]])
    return CopyPair(found.i, found.j, confidence(found.score), matrix, bool(np.linalg.det(linear) < 0))
