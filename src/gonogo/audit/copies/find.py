"""The search for copies: features, candidates, alignment, decision, groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gonogo.audit.copies.candidates import CANDIDATES, candidates, describe
from gonogo.audit.copies.decide import Finding
from gonogo.audit.copies.features import Photos, extract
from gonogo.audit.copies.groups import Forest, Tester
from gonogo.types import Float64Array, Int64Array

REPRESENTATIVES = 3


@dataclass(frozen=True)
class CopyPair:
    """Two photos that show the same picture.

    Attributes:
        i: index of one photo.
        j: index of the other.
        confidence: 0 to 1.
        matrix: (2, 3) float64, takes (x, y, 1) in pixels of photo j to (x, y) in pixels of photo i.
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
        pairs: the pairs that were judged to be copies; enough to connect every group, not all pairs of it.
        groups: (N,) int64, numbered from 0 in the order of the first photo; photos of one group share a number.
        confidence: (N,) float64, of the weakest join that a photo's group needs; 1 for a photo on its own.
    """

    pairs: tuple[CopyPair, ...]
    groups: Int64Array
    confidence: Float64Array


def find_copies(
    photos: Photos,
    n: int,
    *,
    seed: int = 0,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Copies:
    """Find the photos that are copies or overlapping crops of one photo."""
    features = extract(photos, n, threads=threads)
    descriptors = describe(features, seed)
    best, _ = candidates(descriptors, threads=threads, seed=seed)
    forest = Forest(n)
    tester = Tester(features, descriptors, threads)
    everyone = np.arange(n)
    for rank in range(CANDIDATES):
        there = best[:, rank] >= 0
        tester.test(everyone[there], best[there, rank], forest)
    second(tester, forest, seed, threads)
    return Copies((), forest.names(), np.ones(n))


def second(tester: Tester, forest: Forest, seed: int, threads: int | None) -> None:
    names = forest.names()
    order = np.argsort(names, kind="stable")
    rank = np.arange(len(order)) - np.searchsorted(names[order], names[order])
    chosen = np.sort(order[rank < REPRESENTATIVES])
    best, _ = candidates(tester.descriptors, queries=chosen, base=chosen, threads=threads, seed=seed)
    for rank in range(CANDIDATES):
        there = best[:, rank] >= 0
        tester.test(chosen[there], best[there, rank], forest)
