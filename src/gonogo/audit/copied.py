"""Copies and overlapping crops of one photo, found from the pixels."""

from __future__ import annotations

import numpy as np

from gonogo.audit.findings import Findings
from gonogo.audit.inspection import Inspection
from gonogo.audit.pairs import exhibit
from gonogo.audit.words import count_of

MOST_SHOWN = 12


def check(seen: Inspection) -> tuple[Findings, ...]:
    """Group the photos that show one picture, whatever was done to them in between."""
    groups = seen.copies.groups
    sizes = np.bincount(groups, minlength=1)
    mask = sizes[groups] > 1
    if not mask.any():
        return ()
    order = np.argsort(groups, kind="stable")
    rows = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    joined = sorted((own for own in rows if len(own) > 1), key=lambda own: (-seen.copies.confidence[own[0]], own[0]))
    return (
        Findings(
            check="copies",
            severity="warning",
            count=int(mask.sum()),
            summary=f"{count_of(int(mask.sum()), 'photo')} of {len(seen):,} are copies or overlapping crops: "
            f"{count_of(len(joined), 'picture')} in all, the largest shown {int(sizes.max()):,} times; "
            f"{len(sizes):,} different pictures are left",
            advice="They are kept together in every split that gonogo makes, and count as one part in every interval. "
            "Write them down with --groups FILE.",
            mask=mask,
            score=np.where(mask, seen.copies.confidence, 0.0),
            samples=tuple(tuple(seen.paths[i] for i in own) for own in joined),
            exhibits=tuple(exhibit(seen, pair) for pair in _one_of_each(seen)[:MOST_SHOWN]),
            facts={
                "pictures": len(sizes),
                "confidences": [round(float(seen.copies.confidence[own[0]]), 4) for own in joined],
            },
        ),
    )


def _one_of_each(seen: Inspection) -> list[tuple[float, int, int, np.ndarray]]:
    """Return one pair of each group, those that are turned or mirrored first: they are the least plain ones."""
    chosen: dict[int, tuple[float, int, int, np.ndarray]] = {}
    for pair in sorted(seen.copies.pairs, key=lambda pair: -_moved(pair.matrix)):
        chosen.setdefault(int(seen.copies.groups[pair.i]), (pair.confidence, pair.i, pair.j, pair.matrix))
    return list(chosen.values())


def _moved(matrix: np.ndarray) -> float:
    """How far a map is from leaving every direction as it is, 0 to 4."""
    return float(np.linalg.norm(matrix[:, :2] - np.eye(2)))
