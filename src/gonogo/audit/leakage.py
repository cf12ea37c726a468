"""Parts that stand in several splits: figures on test then measure memory, not judgement."""

from __future__ import annotations

from collections import Counter

import numpy as np

from gonogo.audit.findings import Findings
from gonogo.audit.inspection import Inspection
from gonogo.audit.pairs import best_links, exhibit
from gonogo.audit.words import count_of
from gonogo.types import BoolArray

MOST_SHOWN = 12
ORDER = {"train": 0, "val": 1, "test": 2}


def leaked_photos(seen: Inspection) -> BoolArray:
    """Return (N,) the photos of val and test whose part also stands in another split."""
    leaked = np.zeros(len(seen), dtype=np.bool_)
    for rows in seen.members:
        if len({seen.splits[i] for i in rows} - {""}) > 1:
            leaked[[i for i in rows if seen.splits[i] in ("val", "test")]] = True
    return leaked


def check(seen: Inspection) -> tuple[Findings, ...]:
    """Name every part, and every byte-identical pair, that stands in more than one split."""
    leaked = leaked_photos(seen)
    if not leaked.any():
        return ()
    spread = [rows for rows in seen.members if leaked[rows].any()]
    sides = np.array([ORDER.get(split, -1) for split in seen.splits])
    links = best_links(seen, sides)
    shares = []
    for name in ("val", "test"):
        there = sides == ORDER[name]
        if leaked[there].any():
            shares.append(f"{int(leaked[there].sum()):,} of {int(there.sum()):,} {name} photos")
    identical = _identical_pairs(seen)
    score = np.zeros(len(seen))
    for confidence, i, j, _ in links:
        score[seen.members[seen.parts[i]]] = max(confidence, float(score[j]))
    return (
        Findings(
            check="leakage",
            severity="error",
            count=int(leaked.sum()),
            summary=f"{' and '.join(shares)} show a part that also stands in another split "
            f"({count_of(len(spread), 'part')}; {count_of(len(identical), 'pair')} of files identical to the byte)",
            advice="Figures on such a split are too good. Split anew with 'gonogo split', which keeps parts together; "
            "--allow-leaks keeps this split and marks every figure.",
            mask=leaked,
            score=np.where(leaked, np.maximum(score, 0.5), 0.0),
            samples=tuple(tuple(seen.paths[i] for i in rows) for rows in sorted(spread, key=len)),
            exhibits=tuple(
                exhibit(seen, pair, max(pair[1:3], key=lambda i: int(sides[i]))) for pair in _varied(links)[:MOST_SHOWN]
            ),
            facts={"parts": len(spread), "identical_pairs": [list(pair) for pair in identical]},
        ),
    )


def _varied(links: list[tuple[float, int, int, np.ndarray]]) -> list[tuple[float, int, int, np.ndarray]]:
    """Put the pairs that are turned or moved first: identical files need no picture to be believed."""
    return sorted(links, key=lambda pair: (bool(np.allclose(pair[3], np.eye(2, 3), atol=0.5)), -pair[0]))


def _identical_pairs(seen: Inspection) -> list[tuple[str, str]]:
    """Return every pair of byte-identical files across splits, the test file last."""
    same: dict[str, list[int]] = {}
    for index, sample in enumerate(seen.manifest.samples):
        same.setdefault(sample.sha256, []).append(index)
    pairs = []
    for rows in same.values():
        if Counter(seen.splits[i] for i in rows).total() > 1:
            ordered = sorted(rows, key=lambda i: ORDER.get(seen.splits[i], -1))
            pairs += [
                (seen.paths[i], seen.paths[j])
                for place, i in enumerate(ordered)
                for j in ordered[place + 1 :]
                if seen.splits[i] != seen.splits[j]
            ]
    return pairs
