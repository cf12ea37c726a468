"""Join photos pair by pair, the likeliest first, and never test what is already joined."""

from __future__ import annotations

from collections import Counter, OrderedDict
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np

from gonogo.audit.copies.align import Layer, guess, layers, refine
from gonogo.audit.copies.decide import Finding, detail, evidence, score
from gonogo.audit.copies.features import Features
from gonogo.types import Float32Array, Float64Array, Int64Array

LEAST_INLIERS = 5
SURE_INLIERS = 12  # with so many the similarity is tried as it is
SURE_SCORE = 3.0  # and taken without refinement if it fits so well
TRIES = 3  # pairs of photos tested between two groups before they count as different
BATCH = 64  # pairs tested between two looks at the groups; fixed, so that threads do not change the answer
KEPT = 800  # photos whose layers stay in memory


class Forest:
    """Disjoint sets of the numbers 0 to n - 1, each named by its smallest member."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def find(self, item: int) -> int:
        """Return the name of an item's set."""
        while self._parent[item] != item:
            self._parent[item] = self._parent[self._parent[item]]
            item = self._parent[item]
        return item

    def join(self, a: int, b: int) -> bool:
        """Make one set of two; False where they were one already."""
        a, b = sorted((self.find(a), self.find(b)))
        self._parent[b] = a
        return a != b

    def names(self) -> Int64Array:
        """Return (n,) int64, the name of each item's set."""
        return np.array([self.find(item) for item in range(len(self._parent))], dtype=np.int64)


class Layers:
    """The layers of the photos used last."""

    def __init__(self, features: Features) -> None:
        self._features = features
        self._kept: OrderedDict[int, tuple[list[Layer], Layer]] = OrderedDict()
        self._lock = Lock()

    def __getitem__(self, index: int) -> tuple[list[Layer], Layer]:
        """Return the reductions of a photo, and its full working size."""
        with self._lock:
            if index in self._kept:
                self._kept.move_to_end(index)
                return self._kept[index]
        local = self._features.local[index]
        made = (layers(local), detail(local))
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
        self._layers = Layers(features)
        self._failed: Counter[tuple[int, int]] = Counter()
        self._seen: set[tuple[int, int]] = set()

    def test(self, i: Int64Array, j: Int64Array, forest: Forest) -> int:
        """Judge pairs not judged before and join those accepted; pairs joined meanwhile are passed over.

        Returns:
            How many joins were made.
        """
        fresh = self._fresh(i, j, forest)
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
                    if found.score > 0:
                        joins += forest.join(found.i, found.j)
                    else:
                        self._failed[self._sides(found.i, found.j, forest)] += 1
        return joins

    def _worth(self, i: int, j: int, forest: Forest) -> bool:
        a, b = self._sides(i, j, forest)
        return a != b and self._failed[a, b] < TRIES

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
        (small_i, full_i), (small_j, full_j) = self._layers[i], self._layers[j]
        if inliers >= SURE_INLIERS:
            found = self._finding(i, j, matrix, inliers, full_i, full_j)
            if found is not None and found.score > SURE_SCORE:
                return found
        refined, fit = refine(matrix, small_i, small_j)
        return None if fit < 0 else self._finding(i, j, refined, inliers, full_i, full_j)

    @staticmethod
    def _finding(i: int, j: int, matrix: Float64Array, inliers: int, target: Layer, source: Layer) -> Finding | None:
        seen = evidence(matrix, target, source)
        return None if seen is None else Finding(i, j, matrix, inliers, seen, score(inliers, seen))
