"""The casting study's paradox: networks trained plain or augmented, tested on plain or augmented photos."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gonogo.advise.subjects import choose
from gonogo.advise.trainings import Budget, Way, train_all
from gonogo.advise.two_by_two import HONEST as WHOLE_PARTS
from gonogo.advise.two_by_two import LEAKY, Cell, leaky_folds, two_by_two
from gonogo.files import write_text
from gonogo.report.study import StudyTable
from gonogo.splitting import Progress
from gonogo.studies.two_splits import HONEST, TwoSplits
from gonogo.types import Rate

PHOTOS = 600  # spread over parts; small tapers learn from them in seconds
MINUTES = 6.0
SEED = 0
PLAIN, AUGMENTED = "plain", "augmented"


def paradox(
    splits: TwoSplits,
    values: Mapping[str, Any],
    kept: Path,
    progress: Progress | None = None,
) -> tuple[Cell, ...]:
    """Train small tapers both ways on both divisions; take what an earlier run kept.

    Args:
        splits: the photos.
        values: the augmentation, keys of the recipe.
        kept: the file that holds the figures.
        progress: called after each training.
    """
    asked = {"values": dict(values), "photos": splits.photos.linked.fingerprint, "folds": splits.folds.tolist()}
    if kept.is_file():
        found = json.loads(kept.read_text(encoding="utf-8"))
        if found["asked"] == asked:
            return tuple(_cell(row) for row in found["cells"])
    prepared = splits.seen_as({}, "grey", progress)
    subjects = choose(prepared, splits.folds[HONEST : HONEST + 1], PHOTOS, SEED)
    ways = (Way(PLAIN), Way(AUGMENTED, dict(values)))
    turns = {
        name: train_all(subjects, folds, ways, ways, Budget(None, time.monotonic() + 30 * MINUTES), SEED, progress)
        for name, folds in ((LEAKY, leaky_folds(subjects, splits.count, SEED)), (WHOLE_PARTS, subjects.folds))
    }
    cells = tuple(two_by_two(subjects, turns, PLAIN, AUGMENTED, SEED))
    write_text(kept, json.dumps({"asked": asked, "cells": [cell.to_json() for cell in cells]}) + "\n")
    return cells


def _cell(row: dict[str, Any]) -> Cell:
    rates = {name: Rate(**row[name]) for name in ("accuracy", "auc")}
    return Cell(row["split"], row["trained"], row["tested"], **rates)


def as_table(cells: tuple[Cell, ...], told: Mapping[str, float]) -> StudyTable:
    """Return the table; a line for what was published and one for each division.

    Args:
        cells: ours.
        told: the study's, "plain_augmented" for trained plain and tested augmented.
    """
    order = [(trained, tested) for trained in (PLAIN, AUGMENTED) for tested in (PLAIN, AUGMENTED)]
    columns = ("", *(f"trained {trained}, tested {tested}" for trained, tested in order))
    lines = [("published, accuracy", *(f"{told[f'{a}_{b}']:.1%}" if told else "-" for a, b in order))]
    for split in (LEAKY, WHOLE_PARTS):
        own = {(cell.trained, cell.tested): cell for cell in cells if cell.split == split}
        for what, figure in (("balanced accuracy", "accuracy"), ("ROC AUC", "auc")):
            rates = [getattr(own[pair], figure) for pair in order]
            lines.append((f"{split}, {what}", *(f"{r.value:.3f} ({r.low:.3f} to {r.high:.3f})" for r in rates)))
    return StudyTable(columns, tuple(lines))
