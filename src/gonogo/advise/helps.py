"""Does a change help on parts never seen? Short trainings with it and without, on the same folds of whole parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gonogo.advise.changes import Change
from gonogo.advise.subjects import Subjects
from gonogo.advise.trainings import Turns, Way
from gonogo.evaluate.comparison import Comparison, Difference, compare_held_out
from gonogo.evaluate.held_out import AUC
from gonogo.types import Rate

PLAIN = Way("none")
# Fewer pairs may agree by accident, and a smaller difference is not worth a verdict.
LEAST_TRAININGS, LEAST_GAIN = 4, 0.01
RECIPE, MAXIMUM = "the advice", "all at maximum"


@dataclass(frozen=True)
class Helped:
    """What training with one change, and nothing else, was worth.

    Attributes:
        change: what the training photos were changed by.
        auc: on parts never seen, as they are.
        difference: from training on plain photos, with its interval.
        trainings: pairs of them, one for each fold and round.
    """

    change: Change
    auc: Rate
    difference: Difference
    trainings: int

    @property
    def gains(self) -> bool:
        """True where enough trainings were better on average, however unsure that is."""
        return self.trainings >= LEAST_TRAININGS and self.difference.value > 0

    @property
    def sign(self) -> int:
        """1 where it clearly helps, -1 where it clearly hurts, 0 where nobody can tell."""
        enough = self.trainings >= LEAST_TRAININGS and abs(self.difference.value) >= LEAST_GAIN
        return self.difference.sign if enough else 0


def ways_of(changes: Sequence[Change]) -> tuple[Way, ...]:
    """Return a way to train for each change alone."""
    return tuple(Way(own.label, {own.key: own.value}) for own in changes)


def compare_ways(subjects: Subjects, turns: Turns, seed: int, *, baseline: str = PLAIN.name) -> Comparison:
    """Rank the ways by their answers to plain photos.

    Args:
        subjects: the photos.
        turns: trained and asked.
        seed: of the bootstrap.
        baseline: what the others are set beside.
    """
    there = (turns.folds >= 0).all(0)
    answers = {way: tests[PLAIN.name][:, there] for way, tests in turns.answers.items()}
    return compare_held_out(subjects.held_out(turns.folds), answers, by=AUC, baseline=baseline, seed=seed)


def helps(subjects: Subjects, turns: Turns, changes: Sequence[Change], seed: int) -> dict[str, Helped]:
    """Return for each augmentation that was trained with what it was worth; each interval holds for itself.

    Args:
        subjects: the photos.
        turns: a way for each change, and one for none.
        changes: one for each augmentation.
        seed: of the bootstrap.
    """
    if not changes:
        return {}
    found = {}
    trainings = sum(len(np.unique(fold[fold >= 0])) for fold in turns.folds)
    for own in changes:
        # Each beside none alone: intervals that hold for a dozen together are too wide for a handful of trainings.
        pair = Turns(turns.folds, {name: turns.answers[name] for name in (PLAIN.name, own.label)})
        row = next(row for row in compare_ways(subjects, pair, seed).standings if row.name == own.label)
        assert row.from_baseline is not None
        found[own.name] = Helped(own, row.figures[AUC], row.from_baseline, trainings)
    return found
