"""Does a change keep the label? What a judge can still tell of photos that were all changed, against plain ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gonogo.advise.changes import Change
from gonogo.advise.judge import out_of_fold
from gonogo.advise.subjects import Subjects
from gonogo.evaluate.comparison import Difference, compare_held_out
from gonogo.evaluate.held_out import AUC
from gonogo.evaluate.resample import Parts
from gonogo.types import Float32Array, Rate

PLAIN = "as it is"
# A loss of AUC below this is too small to refuse anything for, even where it is certain.
LEAST_LOSS = 0.02


@dataclass(frozen=True)
class Mistaken:
    """Parts that are taken for something else by a judge who never saw them.

    Attributes:
        changed: how many, when all photos are changed.
        plain: how many, when none is.
        parts: of how many; the good ones, or all of them where nothing is the good class.
        is_good: whether they are the good ones.
    """

    changed: int
    plain: int
    parts: int
    is_good: bool

    @property
    def in_words(self) -> str:
        """The count as text: "31 of 60 good parts come to look defective (2 as they are)"."""
        parts, like = ("good parts", "defective") if self.is_good else ("parts", "like another kind")
        return f"{self.changed} of {self.parts} {parts} come to look {like} ({self.plain} as they are)"


@dataclass(frozen=True)
class Kept:
    """What becomes of the label under one change.

    Attributes:
        change: what was done.
        auc: of the judge trained and tested on changed photos, parts never seen.
        difference: from the judge trained and tested on plain ones, with its interval.
        mistaken: the parts that came to look like something else.
        told: whether the judge can tell the plain photos at all; if not, nothing follows.
    """

    change: Change
    auc: Rate
    difference: Difference
    mistaken: Mistaken
    told: bool

    @property
    def is_lost(self) -> bool:
        """True where the change clearly takes the label away."""
        return self.told and self.difference.sign < 0 and self.difference.value <= -LEAST_LOSS


@dataclass(frozen=True)
class Labels:
    """The answer for all changes.

    Attributes:
        plain: AUC of the judge on plain photos.
        rows: one for each change, in their order.
    """

    plain: Rate
    rows: tuple[Kept, ...]

    @property
    def told(self) -> bool:
        """True where the judge can tell the plain photos of unseen parts apart."""
        return self.plain.low is not None and self.plain.low > 0.5

    def of(self, name: str) -> tuple[Kept, ...]:
        """Return the rows of one augmentation, the mildest first."""
        return tuple(row for row in self.rows if row.change.name == name)


def keeps_label(
    subjects: Subjects,
    plain: Float32Array,
    looks: Mapping[str, Float32Array],
    changes: tuple[Change, ...],
    seed: int,
) -> Labels:
    """Ask a judge of plain photos, and for each change one of changed photos, on the same parts held out.

    Args:
        subjects: the N photos.
        plain: (D, N, F) what they look like.
        looks: label of a change to the same of the changed photos.
        changes: those to judge.
        seed: of the bootstrap.
    """
    labels, fold, classes = subjects.labels, subjects.folds[0], len(subjects.prepared.task.classes)
    answers = {PLAIN: out_of_fold(plain, labels, fold, classes)}
    answers |= {own.label: out_of_fold(looks[own.label], labels, fold, classes) for own in changes}
    held = subjects.held_out(np.repeat(fold[None], len(plain), axis=0))
    compared = compare_held_out(held, answers, by=AUC, baseline=PLAIN, seed=seed)
    rows = {row.name: row for row in compared.standings}
    base = rows[PLAIN].figures[AUC]
    told = base.low is not None and base.low > 0.5
    wrong = {name: _mistaken(subjects, probs) for name, probs in answers.items()}
    found = []
    for own in changes:
        row = rows[own.label]
        assert row.from_baseline is not None
        good = subjects.prepared.task.good_index is not None
        mistaken = Mistaken(int(wrong[own.label].sum()), int(wrong[PLAIN].sum()), len(wrong[PLAIN]), good)
        found.append(Kept(own, row.figures[AUC], row.from_baseline, mistaken, told))
    return Labels(base, tuple(found))


def _mistaken(subjects: Subjects, pred_probs: Float32Array) -> Float32Array:
    """Return (P,) 1 for each good part (each part, for sorting) whose photos look like another class on average."""
    good, labels = subjects.prepared.task.good_index, subjects.labels
    mean = pred_probs.mean(0)
    right = mean[np.arange(len(labels)), labels] if good is None else mean[:, good]
    # Against each other class where there are several kinds; against a half where it is good or defective.
    limit = np.where(np.eye(mean.shape[1], dtype=bool)[labels], -1.0, mean).max(1) if good is None else 1 - right
    asked = np.ones(len(labels), dtype=bool) if good is None else labels == good
    names = None if subjects.groups is None else [g for g, own in zip(subjects.groups, asked, strict=True) if own]
    parts = Parts.of(names, int(asked.sum()))
    lead = np.bincount(parts.codes, (limit - right)[asked]) / np.bincount(parts.codes)
    return np.asarray(lead > 0, dtype=np.float32)
