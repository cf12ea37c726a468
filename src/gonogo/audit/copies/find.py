"""The search for copies, step by step: features, candidates, alignment, decision, groups."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module

import numpy as np

from gonogo.audit.copies.candidates import CANDIDATES, LEAST_VOTES, candidates, describe, faiss
from gonogo.audit.copies.decide import Finding, confidence
from gonogo.audit.copies.features import Features, Photos, extract, opencv
from gonogo.audit.copies.groups import Forest, Tester
from gonogo.errors import MissingExtraError
from gonogo.types import Float32Array, Float64Array, Int64Array

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


def find_copies(
    photos: Photos,
    n: int,
    *,
    sizes: Int64Array | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Copies:
    """Find the photos that are copies or overlapping crops of one photo, whatever was done to them in between.

    Turned, mirrored, shifted, scaled by up to a tenth, made lighter or darker and compressed photos are copies. A part
    photographed anew is none.

    Args:
        photos: grey photos (H, W) uint8 of any sizes, as a sequence or a function of the index.
        n: how many there are.
        sizes: (n, 2) their heights and widths, where they are known: each photo is then asked for once, not twice.
        seed: the same seed gives the same answer, whatever the number of threads.
        threads: photos or pairs worked on at a time; one for each core unless given.
        progress: called with how much is done, and of how much (three steps for each photo).

    Raises:
        MissingExtraError: OpenCV, faiss or threadpoolctl is not installed.
    """
    opencv(), faiss()
    threads = threads or os.cpu_count() or 1
    forest = Forest(n)
    with _one_thread_each(threads):
        features = extract(photos, n, sizes=sizes, threads=threads, progress=_part(progress, 0, n))
        descriptors = describe(features, seed)
        tester = Tester(features, descriptors, threads)
        best, votes = candidates(descriptors, seed=seed, progress=_part(progress, 1, n))
        _test_all(tester, forest, np.arange(n), best, votes, _part(progress, 2, n))
        _search_again(tester, forest, descriptors, best, seed)
    return _result(tester.findings, features, forest, n)


def _part(progress: Progress | None, step: int, n: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, of: progress(step * n + n * done // max(of, 1), 3 * n)


@contextmanager
def _one_thread_each(threads: int) -> Iterator[None]:
    """Let this search's own threads be the only ones: libraries that start more of theirs are slower, not faster."""
    try:
        threadpool_limits = import_module("threadpoolctl").threadpool_limits
    except ImportError as error:
        raise MissingExtraError("threadpoolctl", "train") from error
    cv2, index = opencv(), faiss()
    before = cv2.getNumThreads(), index.omp_get_max_threads()
    cv2.setNumThreads(1)
    index.omp_set_num_threads(threads)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        cv2.setNumThreads(before[0])
        index.omp_set_num_threads(before[1])


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
