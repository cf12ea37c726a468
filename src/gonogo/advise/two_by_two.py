"""Trained plain or augmented, tested plain or augmented: on a split of photos that leaks, and on one of whole parts.

The casting study's table (arXiv 2205.07118), in which augmentation did not pay, drawn for any photos.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gonogo.advise.subjects import Subjects
from gonogo.advise.trainings import Turns
from gonogo.evaluate.comparison import compare_held_out
from gonogo.evaluate.held_out import AUC, BALANCED
from gonogo.types import Int64Array, Rate

LEAKY, HONEST = "photos split without a look at parts", "whole parts held out"


@dataclass(frozen=True)
class Cell:
    """One cell of the table.

    Attributes:
        split: `LEAKY` or `HONEST`.
        trained: "plain" or "augmented".
        tested: likewise.
        accuracy: balanced, with its interval over parts.
        auc: likewise.
    """

    split: str
    trained: str
    tested: str
    accuracy: Rate
    auc: Rate

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def leaky_folds(subjects: Subjects, folds: int, seed: int) -> Int64Array:
    """Return (1, N) folds dealt out photo by photo, each class evenly, as if parts did not matter."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(subjects.labels)), subjects.labels))
    fold = np.empty(len(order), dtype=np.int64)
    fold[order] = np.arange(len(order)) % folds
    return fold[None]


def two_by_two(subjects: Subjects, turns: Mapping[str, Turns], plain: str, augmented: str, seed: int) -> list[Cell]:
    """Return the eight cells.

    Args:
        subjects: the photos.
        turns: split to what was trained both ways and asked about photos changed both ways.
        plain: name of the way without changes.
        augmented: name of the way with them.
        seed: of the bootstrap.
    """
    cells = []
    spoken = {plain: "plain", augmented: "augmented"}
    for split, own in turns.items():
        there = (own.folds >= 0).all(0)
        names = {(way, test): f"{way} on {test}" for way in (plain, augmented) for test in (plain, augmented)}
        answers = {name: own.answers[way][test][:, there] for (way, test), name in names.items()}
        compared = compare_held_out(subjects.held_out(own.folds), answers, by=AUC, seed=seed)
        rows = {row.name: row.figures for row in compared.standings}
        for (way, test), name in names.items():
            cells.append(Cell(split, spoken[way], spoken[test], rows[name][BALANCED], rows[name][AUC]))
    return cells
