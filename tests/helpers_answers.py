"""Answers of a network that nobody trained, for pages of evaluations."""

from __future__ import annotations

import numpy as np

from gonogo.data.task import Task
from gonogo.evaluate.metrics import evaluate
from gonogo.evaluate.options import policy_from
from gonogo.evaluate.policies import choose_decision
from gonogo.report.answered import Answered

LINE = Task(("defect", "ok"), "ok")


def line_answers(
    seed: int, parts: int, views: int = 2, distance: float = 3.4
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return labels, probabilities and parts: as many defective as good parts, so far apart in standard deviations."""
    rng = np.random.default_rng(seed)
    labels, part = np.repeat([0, 1], parts * views), np.repeat(np.arange(2 * parts), views)
    logits = 2 * (rng.normal(size=2 * parts)[part] + np.where(labels == 0, distance / 2, -distance / 2))
    probs = 1 / (1 + np.exp(-logits - rng.normal(size=len(labels))))
    return labels, np.stack([probs, 1 - probs], axis=1).astype(np.float32), tuple(f"part {number}" for number in part)


def line_answered(parts: int = 60, *, leaked: int | None = 0, name: str = "gauge", **decision: object) -> Answered:
    """Return an evaluation of good and defective parts, its threshold chosen on 80 others of each."""
    known, known_probs, known_groups = line_answers(1, 80)
    chosen = choose_decision(LINE, known, known_probs, known_groups, policy_from(**decision))  # type: ignore[arg-type]
    labels, pred_probs, groups = line_answers(2, parts, distance=3.4 if parts > 10 else 30)
    figures = evaluate(chosen, labels, pred_probs, groups)
    return Answered(
        name, "test", chosen, labels, pred_probs, groups, figures, leaked, (known, known_probs), None, ("a note",)
    )


def sorted_answered(classes: tuple[str, ...] = ("crack", "dent", "rust"), name: str = "gauge") -> Answered:
    """Return an evaluation of several kinds without a good one, and no validation photos."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(classes)), 40)
    logits = rng.normal(size=(len(labels), len(classes)))
    logits[np.arange(len(labels)), labels] += 2.2
    exponents = np.exp(logits)
    pred_probs = (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32)
    decision = choose_decision(Task(classes, None), labels, pred_probs)
    return Answered(name, "all", decision, labels, pred_probs, None, evaluate(decision, labels, pred_probs), None)
