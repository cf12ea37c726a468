"""The page of an evaluation: can the curves be believed, what does a threshold cost, are probabilities honest."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from gonogo.evaluate.credibility import Credibility, is_this_curve_real
from gonogo.evaluate.curves import roc_curve
from gonogo.evaluate.decision import Decision
from gonogo.evaluate.metrics import Evaluation
from gonogo.report.answered import Answered, interval
from gonogo.report.curves import precision_recall_section, reliability_section, roc_section, trade_off_sections
from gonogo.report.page import percent, write_page
from gonogo.types import Rate


def write_evaluation_page(path: Path, answered: Answered, made: datetime | None = None) -> None:
    """Write the page.

    Args:
        path: the HTML file.
        answered: what was evaluated.
        made: when, with its time zone; now unless given.

    Raises:
        UsageError: the folder cannot be written.
    """
    kinds = answered.kinds
    curves = {name: roc_curve(own, scores, answered.groups) for name, (own, scores) in kinds.items()}
    rarest = min(kinds, key=lambda name: min(curves[name].good, curves[name].defective), default=None)
    credible = None
    if rarest is not None:
        sorted_into = rarest if len(kinds) > 1 else None
        credible = is_this_curve_real(*kinds[rarest], answered.groups, leaked=answered.leaked, kind=sorted_into)
    sections = [reliability_section(answered)]
    if curves:
        precision_recall = precision_recall_section(answered)
        sections = [roc_section(answered, curves), *trade_off_sections(answered), precision_recall, *sections]
    # Of two classes there is one curve, and its area is the one that the page gives throughout.
    auc = next(iter(curves.values())).auc if len(curves) == 1 else answered.figures.auc
    write_page(
        path,
        "evaluation.html",
        made or datetime.now().astimezone(),
        answered=answered,
        figures=answered.figures,
        verdict=_verdict(answered, credible),
        facts=_facts(answered.figures, auc),
        credible=credible,
        about=None if answered.decision.task.good or rarest is None else rarest,
        sections=sections,
        promises=_promises(answered.decision),
    )


def _verdict(answered: Answered, credible: Credibility | None) -> tuple[str, str]:
    """Return how grave it is, and one sentence."""
    figures = answered.figures
    if answered.refused is not None:
        return "error", f"{answered.refused[0].upper()}{answered.refused[1:]}."
    if figures.escape_rate is None or figures.escape_rate.value is None or figures.overkill_rate is None:
        found = f"{percent(figures.accuracy.value)} of {figures.n:,} photos are sorted right."
    else:
        found = f"{percent(figures.escape_rate.value)} of the defective escape"
        if figures.overkill_rate.value is not None:
            found += f", {percent(figures.overkill_rate.value)} of the good are lost"
        found += "."
    if credible is None:
        return "warning", f"{found} A single class tells nothing of the other."
    grade = {"yes": "info", "no": "error", "not proved": "warning"}[credible.answer]
    said = {
        "yes": "The curves can be believed within their intervals.",
        "no": "The figures are too good: parts of these photos are in training.",
        "not proved": "How far that can be believed is not proved.",
    }
    return grade, f"{found} {said[credible.answer]}"


def _facts(figures: Evaluation, auc: Rate) -> list[tuple[str, str, str]]:
    """Return value, what it is, and its interval."""
    rows = [("escape", figures.escape_rate), ("overkill", figures.overkill_rate), ("review", figures.review_rate)]
    if figures.escape_rate is None:
        rows = [("accuracy", figures.accuracy), ("balanced accuracy", figures.balanced_accuracy)]
    found = [(percent(rate.value), name, interval(rate)) for name, rate in rows if rate is not None]
    if auc.value is not None:
        found.append((f"{auc.value:.3f}", "ROC AUC", interval(auc, 3)))
    return found


def _promises(decision: Decision) -> list[tuple[str, str | None]]:
    promises = (decision.guarantee, decision.overkill_guarantee, decision.label_guarantee)
    return [(promise.sentence, promise.shortfall) for promise in promises if promise is not None]
