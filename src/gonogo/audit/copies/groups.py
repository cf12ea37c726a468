"""Join photos pair by pair, the likeliest first, and never test what is already joined."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Generic, TypeVar

import numpy as np

from gonogo.audit.copies.align import guess, layers, refine
from gonogo.audit.copies.decide import Finding, detail, evidence, score
from gonogo.audit.copies.features import Features
from gonogo.types import Float32Array, Float64Array, Int64Array

LEAST_INLIERS = 5
SURE_INLIERS = 12  # with so many the similarity is tried as it is
FAIR_SCORE = 0.8  # joins two groups by itself
CLEAR_SCORE = 1.5  # joins two groups of `LARGE` photos or more by itself
LARGE = 3
SURE_SCORE = 3.0  # and taken without refinement if it fits so well
TRIES = 3  # pairs of photos tested between two groups before they count as different
BATCH = 64  # pairs tested between two looks at the groups; fixed, so that threads do not change the answer
KEPT = 400  # photos whose layers stay in memory

T = TypeVar("T")


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


class Recent(Generic[T]):
    """What was made last for each photo, made again when it is asked for after a while.

    Args:
        make: from a photo's index.
    """

    def __init__(self, make: Callable[[int], T]) -> None:
        self._make = make
        self._kept: OrderedDict[int, T] = OrderedDict()
        self._lock = Lock()

    def __getitem__(self, index: int) -> T:
        """Return what belongs to a photo."""
        with self._lock:
            if index in self._kept:
                self._kept.move_to_end(index)
                return self._kept[index]
        made = self._make(index)
        with self._lock:
            self._kept[index] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return made


class Tester:
    """Aligns pairs of photos and judges them; remembers what it judged.

    Args:
        features: of all photos.
        descriptors: (N, BLOBS, COMPONENTS).
        threads: pairs worked on at a time.
    """

    def __init__(self, features: Features, descriptors: Float32Array, threads: int | None) -> None:
        self.features, self.descriptors, self.threads = features, descriptors, threads
        self.findings: list[Finding] = []
        self._layers = Recent(lambda index: layers(features.local[index]))
        self._details = Recent(lambda index: detail(features.local[index]))
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
        pairs = [(int(i[fresh[p]]), int(j[fresh[p]]), guessed.matrix[p], int(guessed.inliers[p])) for p in order]
        joins = 0
        with ThreadPoolExecutor(self.threads) as pool:
            for start in range(0, len(pairs), BATCH):
                batch = [p for p in pairs[start : start + BATCH] if self._worth(p[0], p[1], forest)]
                for found in pool.map(self._judge, batch):
                    if found is None:
                        continue
                    self.findings.append(found)
                    joins += self._settle(found, forest)
        return joins

    def _worth(self, i: int, j: int, forest: Forest) -> bool:
        a, b = self._sides(i, j, forest)
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

    def _judge(self, pair: tuple[int, int, Float64Array, int]) -> Finding | None:
        i, j, matrix, inliers = pair
        if inliers >= SURE_INLIERS:
            found = self._finding(i, j, matrix, inliers)
            if found is not None and found.score > SURE_SCORE:
                return found
        refined, fit = refine(matrix, self._layers[i], self._layers[j])
        return None if fit < 0 else self._finding(i, j, refined, inliers)

    def _finding(self, i: int, j: int, matrix: Float64Array, inliers: int) -> Finding | None:
        seen = evidence(matrix, self._details[i], self._details[j])
        return None if seen is None else Finding(i, j, matrix, inliers, seen, score(inliers, seen))
