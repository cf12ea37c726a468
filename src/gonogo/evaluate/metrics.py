"""Figures of a classifier: escape and overkill first, then the usual ones, each with its interval.

Counts (escape, overkill, accuracy, precision, recall) have Clopper and Pearson's interval, the other figures that of a
bootstrap over whole parts (`measure`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gonogo.errors import DataError
from gonogo.evaluate.decision import Decision
from gonogo.evaluate.figures import Answers, Ranking
from gonogo.evaluate.intervals import share
from gonogo.evaluate.measure import measure
from gonogo.types import BoolArray, Float32Array, GoNoGo, Int64Array, Rate


@dataclass(frozen=True)
class ClassFigures:
    """Precision, recall and F1 of one class, and how many photos of it there were."""

    precision: float
    recall: float
    f1: float
    n: int


@dataclass(frozen=True)
class LabelSetFigures:
    """What the label sets are worth: share of photos whose set holds their kind, and how many kinds a set holds."""

    covered: Rate
    mean_size: float


@dataclass(frozen=True)
class Evaluation:
    """What was measured on one set of photos.

    Attributes:
        n: photos.
        escape_rate: share of the defective that were called go; None for sorting.
        overkill_rate: share of the good that were called no-go; None for sorting.
        review_rate: share of all that were sent to review; None where none was and there is no review band.
        accuracy: share answered correctly.
        balanced_accuracy: mean recall of the classes.
        auc: area under the ROC curve; for sorting, the mean of each kind against the rest.
        average_precision: step-wise area under the precision-recall curve of "defect"; for sorting, the mean as above.
        precision: share of the photos held back that are defective; None for sorting.
        recall: share of the defective photos that were held back; None for sorting.
        f1_defect: harmonic mean of the two; None for sorting.
        mcc: Matthews' correlation, of "defect" for go or no-go, of all kinds for sorting.
        classes: figures of each class by name.
        confusion: true class to answered class to photos.
        label_sets: None where they are not calibrated.
        decision: the thresholds used.

    A photo in review is held back: it counts as called defective everywhere but in the overkill rate.
    """

    n: int
    escape_rate: Rate | None
    overkill_rate: Rate | None
    review_rate: Rate | None
    accuracy: Rate
    balanced_accuracy: Rate
    auc: Rate
    average_precision: Rate
    precision: Rate | None
    recall: Rate | None
    f1_defect: Rate | None
    mcc: Rate
    classes: dict[str, ClassFigures]
    confusion: dict[str, dict[str, int]]
    label_sets: LabelSetFigures | None
    decision: Decision

    def to_json(self) -> dict[str, Any]:
        """Return the eval object of ``--json``."""
        plain = asdict(self)
        del plain["decision"]
        plain["f1"] = {name: figures["f1"] for name, figures in plain["classes"].items()}
        decision = self.decision
        promises = {
            name: None if promise is None else promise.to_json()
            for name, promise in (
                ("guarantee", decision.guarantee),
                ("overkill_guarantee", decision.overkill_guarantee),
                ("label_guarantee", decision.label_guarantee),
            )
        }
        return (
            plain
            | promises
            | {
                "threshold": decision.threshold,
                "threshold_method": decision.method,
                "no_go_from": decision.no_go_from,
            }
        )


def confusion_matrix(labels: Int64Array, answers: Int64Array, num_classes: int) -> Int64Array:
    """Return (K, K) counts, true class by answered class."""
    return np.bincount(labels * num_classes + answers, minlength=num_classes**2).reshape(num_classes, num_classes)


def balanced_accuracy(labels: Int64Array, answers: Int64Array) -> float:
    """Return the mean recall over the classes that occur."""
    return float(np.mean([np.mean(answers[labels == k] == k) for k in np.unique(labels)]))


def matthews(labels: Int64Array, answers: Int64Array) -> float:
    """Return the correlation of true and answered classes, -1 to 1; 0 where either is always the same."""
    tally = Answers(labels, answers, int(max(labels.max(), answers.max())) + 1).tally(np.ones((1, len(labels))))
    return float(tally.matthews[0])


def roc_auc(positive: BoolArray, scores: np.ndarray) -> float | None:
    """Return the area under the ROC curve, ties counted half; None where one side is empty."""
    return _area(positive, scores, 0)


def average_precision(positive: BoolArray, scores: np.ndarray) -> float | None:
    """Return the step-wise area under the precision-recall curve; None where one side is empty."""
    return _area(positive, scores, 1)


def _area(positive: BoolArray, scores: np.ndarray, which: int) -> float | None:
    if positive.all() or not positive.any():
        return None
    return float(Ranking(positive, scores).areas(np.ones((1, len(scores))))[which][0])


def evaluate(
    decision: Decision,
    labels: Int64Array,
    pred_probs: Float32Array,
    groups: Sequence[str] | None = None,
    novelty: Float32Array | None = None,
) -> Evaluation:
    """Measure.

    Args:
        decision: classes and thresholds.
        labels: (N,) true class numbers, N at least 1.
        pred_probs: (N, K).
        groups: (N,) the part each photo shows, or None where nobody named them.
        novelty: (N,) how unlike everything in training each photo is, where it is measured: above 1 it is in review.

    Raises:
        DataError: a probability is not a number.
    """
    if not np.isfinite(pred_probs).all():
        broken = int((~np.isfinite(pred_probs)).any(axis=1).sum())
        raise DataError(
            f"the network answers no number for {broken} of {len(labels)} photos, expected probabilities; train again, "
            "with a smaller learning rate"
        )
    # The bootstrap draws by place; in an order of their own the photos give the same interval however they arrive.
    order = np.lexsort((*pred_probs.T, labels))
    labels, pred_probs = labels[order], pred_probs[order]
    groups = None if groups is None else [groups[i] for i in order]
    novelty = None if novelty is None else novelty[order]
    answers = decision.labels(pred_probs)
    names = decision.task.classes
    matrix = confusion_matrix(labels, answers, len(names))
    tally = Answers(labels, answers, len(names)).tally(np.ones((1, len(labels))))
    columns = zip(tally.precision[0], tally.recall[0], tally.f1[0], tally.there[0], strict=True)
    figures = measure(decision, labels, answers, pred_probs, groups)
    return Evaluation(
        n=len(labels),
        **_line_rates(decision, labels, decision.verdicts(pred_probs, novelty), groups),
        accuracy=share(labels == answers, groups),
        balanced_accuracy=figures["balanced_accuracy"],
        auc=figures["auc"],
        average_precision=figures["average_precision"],
        f1_defect=figures.get("f1_defect"),
        mcc=figures["mcc"],
        classes={
            name: ClassFigures(float(precision), float(recall), float(f1), int(n))
            for name, (precision, recall, f1, n) in zip(names, columns, strict=True)
        },
        confusion={a: {b: int(matrix[i, j]) for j, b in enumerate(names)} for i, a in enumerate(names)},
        label_sets=_label_sets(decision, labels, pred_probs, groups),
        decision=decision,
    )


def _line_rates(
    decision: Decision, labels: Int64Array, told: Sequence[GoNoGo | None], groups: Sequence[str] | None
) -> dict[str, Rate | None]:
    verdicts, good = np.array(told), decision.task.good_index
    in_review = verdicts == "review"
    review = share(in_review, groups) if decision.has_review or in_review.any() else None
    if good is None:
        return dict.fromkeys(("escape_rate", "overkill_rate", "precision", "recall")) | {"review_rate": review}
    defective, held = labels != good, verdicts != "go"

    def rate(among: BoolArray, hits: BoolArray) -> Rate:
        return share(hits[among], None if groups is None else [g for g, m in zip(groups, among, strict=True) if m])

    return {
        "escape_rate": rate(defective, ~held),
        "overkill_rate": rate(~defective, verdicts == "no-go"),
        "review_rate": review,
        "precision": rate(held, defective),
        "recall": rate(defective, held),
    }


def _label_sets(
    decision: Decision, labels: Int64Array, pred_probs: Float32Array, groups: Sequence[str] | None
) -> LabelSetFigures | None:
    if decision.label_cut is None:
        return None
    sets = decision.label_sets(pred_probs)
    return LabelSetFigures(share(sets[np.arange(len(labels)), labels], groups), float(sets.sum(axis=1).mean()))


def why_refused(decision: Decision, pred_probs: Float32Array, labels: Int64Array | None = None) -> str | None:
    """Return why nobody should use this network: it answers every photo alike; None where it does not.

    Args:
        decision: classes and thresholds.
        pred_probs: (N, K).
        labels: (N,) class numbers, where all photos may be of one class: then it is right to answer that one.
    """
    if labels is not None and len(labels) and (labels == labels[0]).all():
        answers = decision.labels(pred_probs)
        if (answers == labels[0]).any():
            return None
    answers = np.unique(decision.labels(pred_probs))
    verdicts = set(decision.verdicts(pred_probs))
    if len(pred_probs) < 2 or (len(answers) > 1 and verdicts != {"no-go"} and verdicts != {"review"}):
        return None
    if verdicts == {"review"}:
        return (
            f"the gauge sends all {len(pred_probs)} photos to review: nobody needs it; ask for a weaker guarantee, or "
            "for more parts"
        )
    said = f"'{decision.task.classes[answers[0]]}'" if len(answers) == 1 else "some defect"
    return (
        f"the network answers {said} for all {len(pred_probs)} photos: "
        "it has learnt nothing; train longer, or look at the photos"
    )
