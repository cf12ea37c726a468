"""Join photos pair by pair, the likeliest first, and never test what is already joined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain

import numpy as np

from gonogo.audit.copies.align import Layer, guess, layers, refine
from gonogo.audit.copies.decide import Finding, detail, evidence, score
from gonogo.audit.copies.features import Features
from gonogo.audit.copies.stack import Stack
from gonogo.types import Float32Array, Float64Array, Int64Array

LEAST_INLIERS = 5
SURE_INLIERS = 12  # with so many the similarity is tried as it is
FAIR_SCORE = 0.8  # joins two groups by itself
CLEAR_SCORE = 1.5  # joins two groups of `LARGE` photos or more by itself
LARGE = 3
SURE_SCORE = 3.0  # and taken without refinement if it fits so well
TRIES = 3  # pairs of photos tested between two groups before they count as different
BATCH = 64  # pairs tested between two looks at the groups; fixed, so that workers do not change the answer
JOB = 4  # pairs given to a worker at a time
KEPT = 400  # photos whose layers stay in memory


class Forest:
    """Disjoint sets of the numbers 0 to n - 1, each named by its smallest member."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))
        self._size = [1] * n

    def find(self, item: int) -> int:
        """Return the name of an item's set."""
        while self._parent[item] != item:
            self._parent[item] = self._parent[self._parent[item]]
            item = self._parent[item]
        return item

    def join(self, a: int, b: int) -> bool:
        """Make one set of two; False where they were one already."""
        a, b = sorted((self.find(a), self.find(b)))
        if a == b:
            return False
        self._parent[b] = a
        self._size[a] += self._size[b]
        return True

    def size(self, item: int) -> int:
        """Return how many items the set of an item has."""
        return self._size[self.find(item)]

    def names(self) -> Int64Array:
        """Return (n,) int64, the name of each item's set."""
        return np.array([self.find(item) for item in range(len(self._parent))], dtype=np.int64)


@lru_cache(maxsize=KEPT)
def _layers(local: Stack, index: int) -> list[Layer]:
    return layers(local[index])


@lru_cache(maxsize=KEPT)
def _detail(local: Stack, index: int) -> Layer:
    return detail(local[index])


def forget() -> None:
    """Let go of what this process keeps of the last search."""
    _layers.cache_clear()
    _detail.cache_clear()


@dataclass(frozen=True)
class Guessed:
    """Photo j laid over photo i as far as their blobs tell.

    Attributes:
        i: index of the target.
        j: index of the source.
        matrix: (2, 3) from j to i in working pixels.
        inliers: how many matched blobs agree with it.
    """

    i: int
    j: int
    matrix: Float64Array
    inliers: int


def judge(local: Stack, guesses: Sequence[Guessed]) -> list[Finding | None]:
    """Refine and weigh pairs; None where they cannot be laid over each other."""
    return [_judge(local, pair) for pair in guesses]


def _judge(local: Stack, pair: Guessed) -> Finding | None:
    if pair.inliers >= SURE_INLIERS:
        found = _finding(local, pair, pair.matrix)
        if found is not None and found.score > SURE_SCORE:
            return found
    refined, fit = refine(pair.matrix, _layers(local, pair.i), _layers(local, pair.j))
    return None if fit < 0 else _finding(local, pair, refined)


def _finding(local: Stack, pair: Guessed, matrix: Float64Array) -> Finding | None:
    seen = evidence(matrix, _detail(local, pair.i), _detail(local, pair.j))
    if seen is None:
        return None
    return Finding(pair.i, pair.j, matrix, pair.inliers, seen, score(pair.inliers, seen))


class Tester:
    """Aligns pairs of photos and judges them; remembers what it judged.

    Args:
        features: of all photos.
        descriptors: (N, BLOBS, COMPONENTS).
        executor: judges the pairs.
    """

    def __init__(self, features: Features, descriptors: Float32Array, executor: Executor) -> None:
        self.features, self.descriptors, self._executor = features, descriptors, executor
        self.findings: list[Finding] = []
        self._failed: Counter[tuple[int, int]] = Counter()
        self._weak: Counter[tuple[int, int]] = Counter()
        self._seen: set[tuple[int, int]] = set()

    def test(self, i: Int64Array, j: Int64Array, forest: Forest) -> int:
        """Judge pairs not judged before and join those accepted; pairs joined meanwhile are passed over.

        Returns:
            How many joins were made.
        """
        fresh = self._fresh(i, j, forest)
        if not len(fresh):
            return 0
        guessed = guess(self.features, self.descriptors, i[fresh], j[fresh])
        order = [int(p) for p in np.argsort(-guessed.inliers, kind="stable") if guessed.inliers[p] >= LEAST_INLIERS]
        pairs = [Guessed(int(i[fresh[p]]), int(j[fresh[p]]), guessed.matrix[p], int(guessed.inliers[p])) for p in order]
        joins = 0
        for start in range(0, len(pairs), BATCH):
            batch = [pair for pair in pairs[start : start + BATCH] if self._worth(pair, forest)]
            jobs = [batch[place : place + JOB] for place in range(0, len(batch), JOB)]
            for found in chain.from_iterable(self._executor.map(partial(judge, self.features.local), jobs)):
                if found is not None:
                    self.findings.append(found)
                    joins += self._settle(found, forest)
        return joins

    def _worth(self, pair: Guessed, forest: Forest) -> bool:
        a, b = self._sides(pair.i, pair.j, forest)
        return a != b and self._failed[a, b] < TRIES

    def _settle(self, found: Finding, forest: Forest) -> bool:
        """Join the groups of a pair; a slight score, and two larger groups, need a second pair that agrees."""
        sides = self._sides(found.i, found.j, forest)
        if found.score <= 0:
            self._failed[sides] += 1
            return False
        both_large = min(forest.size(found.i), forest.size(found.j)) >= LARGE
        if found.score < (CLEAR_SCORE if both_large else FAIR_SCORE):
            self._weak[sides] += 1
            if self._weak[sides] < 2:
                return False
        return forest.join(found.i, found.j)

    @staticmethod
    def _sides(i: int, j: int, forest: Forest) -> tuple[int, int]:
        a, b = forest.find(i), forest.find(j)
        return min(a, b), max(a, b)

    def _fresh(self, i: Int64Array, j: Int64Array, forest: Forest) -> Int64Array:
        fresh = []
        for place, (a, b) in enumerate(zip(i.tolist(), j.tolist(), strict=True)):
            key = (min(a, b), max(a, b))
            if a != b and key not in self._seen and forest.find(a) != forest.find(b):
                self._seen.add(key)
                fresh.append(place)
        return np.array(fresh, dtype=np.int64)
