"""Figures of a classifier: escape and overkill first, then the usual ones, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gonogo.evaluate.decision import Decision
from gonogo.evaluate.intervals import bootstrap, share
from gonogo.types import BoolArray, Float32Array, Int64Array, Rate


@dataclass(frozen=True)
class ClassFigures:
    """Precision, recall and F1 of one class, and how many photos of it there were."""

    precision: float
    recall: float
    f1: float
    n: int


@dataclass(frozen=True)
class Evaluation:
    """What was measured on one set of photos.

    Attributes:
        n: photos.
        escape_rate: share of the defective that were called good; None for sorting.
        overkill_rate: share of the good that were called defective; None for sorting.
        accuracy: share answered correctly.
        balanced_accuracy: mean recall of the classes.
        auc: area under the ROC curve; for sorting, the mean of each kind against the rest.
        classes: figures of each class by name.
        confusion: true class to answered class to photos.
        decision: the threshold used.
    """

    n: int
    escape_rate: Rate | None
    overkill_rate: Rate | None
    accuracy: Rate
    balanced_accuracy: Rate
    auc: Rate
    classes: dict[str, ClassFigures]
    confusion: dict[str, dict[str, int]]
    decision: Decision

    def to_json(self) -> dict[str, Any]:
        """Return the eval object of ``--json``."""
        plain = asdict(self)
        decision = plain.pop("decision")
        plain["f1"] = {name: figures["f1"] for name, figures in plain["classes"].items()}
        return plain | {"threshold": decision["threshold"], "threshold_method": decision["method"], "guarantee": None}


def confusion_matrix(labels: Int64Array, answers: Int64Array, num_classes: int) -> Int64Array:
    """Return (K, K) counts, true class by answered class."""
    return np.bincount(labels * num_classes + answers, minlength=num_classes**2).reshape(num_classes, num_classes)


def balanced_accuracy(labels: Int64Array, answers: Int64Array) -> float:
    """Return the mean recall over the classes that occur."""
    return float(np.mean([np.mean(answers[labels == k] == k) for k in np.unique(labels)]))


def roc_auc(positive: BoolArray, scores: np.ndarray) -> float | None:
    """Return the area under the ROC curve, ties counted half; None where one side is empty.

    Source: Mann and Whitney, Annals of Mathematical Statistics 18 (1947).
    """
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not n_positive or not n_negative:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_ranks = np.cumsum(counts) - (counts - 1) / 2
    total = mean_ranks[inverse][positive].sum()
    return float((total - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def _auc(decision: Decision, labels: Int64Array, pred_probs: Float32Array) -> float | None:
    good = decision.task.good_index
    if good is not None:
        return roc_auc(labels != good, decision.defect_probs(pred_probs))
    areas = [roc_auc(labels == k, pred_probs[:, k]) for k in range(pred_probs.shape[1])]
    known = [area for area in areas if area is not None]
    return float(np.mean(known)) if known else None


def evaluate(
    decision: Decision, labels: Int64Array, pred_probs: Float32Array, groups: Sequence[str] | None = None
) -> Evaluation:
    """Measure.

    Args:
        decision: classes and threshold.
        labels: (N,) true class numbers, N at least 1.
        pred_probs: (N, K).
        groups: (N,) the part each photo shows, or None where nobody named them.
    """
    names = decision.task.classes
    answers = decision.labels(pred_probs)
    matrix = confusion_matrix(labels, answers, len(names))
    figures = {}
    for k, name in enumerate(names):
        hits, answered, there = int(matrix[k, k]), int(matrix[:, k].sum()), int(matrix[k].sum())
        precision, recall = hits / max(answered, 1), hits / max(there, 1)
        figures[name] = ClassFigures(precision, recall, 2 * hits / max(answered + there, 1), there)
    escape, overkill = _line_rates(decision, labels, answers, groups)
    return Evaluation(
        n=len(labels),
        escape_rate=escape,
        overkill_rate=overkill,
        accuracy=share(labels == answers, groups),
        balanced_accuracy=bootstrap(
            lambda i: balanced_accuracy(labels[i], answers[i]), len(labels), groups, strata=labels
        ),
        auc=bootstrap(lambda i: _auc(decision, labels[i], pred_probs[i]), len(labels), groups, strata=labels),
        classes=figures,
        confusion={a: {b: int(matrix[i, j]) for j, b in enumerate(names)} for i, a in enumerate(names)},
        decision=decision,
    )


def _line_rates(
    decision: Decision, labels: Int64Array, answers: Int64Array, groups: Sequence[str] | None
) -> tuple[Rate | None, Rate | None]:
    good = decision.task.good_index
    if good is None:
        return None, None

    def rate(mask: BoolArray, wrong: BoolArray) -> Rate:
        return share(wrong[mask], None if groups is None else [g for g, m in zip(groups, mask, strict=True) if m])

    return rate(labels != good, answers == good), rate(labels == good, answers != good)


def why_refused(decision: Decision, pred_probs: Float32Array) -> str | None:
    """Return why nobody should use this network: it answers every photo alike; None where it does not."""
    answers = np.unique(decision.labels(pred_probs))
    if len(pred_probs) < 2 or len(answers) > 1:
        return None
    return (
        f"the network answers '{decision.task.classes[answers[0]]}' for all {len(pred_probs)} photos: "
        "it has learnt nothing; train longer, or look at the photos"
    )
