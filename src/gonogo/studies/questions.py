"""The three questions that the sealant study left open, answered for any photos in the same form."""

from __future__ import annotations

import numpy as np

from gonogo.evaluate.comparison_words import sentences
from gonogo.evaluate.credibility import Credibility
from gonogo.evaluate.guarantee import percent
from gonogo.evaluate.metrics import Evaluation
from gonogo.report.study import Chapter, StudyTable
from gonogo.train.compare import Compared


def about_curve(credible: Credibility, name: str) -> Chapter:
    """Answer: is a curve that looks perfect overfitted, leaking, or drawn from too few photos?"""
    return Chapter(
        "Is the ROC curve real?",
        f"{credible.sentences[0]} It is that of {name}, every photo answered by a network that never saw its part, "
        "and it begins at (0, 0), where nothing is called defective.",
        credible.sentences[1:],
    )


def about_accuracy(figures: Evaluation, compared: Compared) -> Chapter:
    """Answer: does accuracy hide the imbalance?"""
    manifest = compared.plan.prepared.manifest
    counts = np.array(list(manifest.counts().values()))
    usual, name = counts.max() / counts.sum(), manifest.classes[int(counts.argmax())]
    accuracy, balanced = figures.accuracy, figures.balanced_accuracy
    value, low = accuracy.value or 0.0, accuracy.low or 0.0
    if low > usual:
        answer = (
            f"No: the best network is right for {percent(value)} of the photos, one that always says '{name}' for "
            f"{percent(usual)}."
        )
    else:
        answer = (
            f"Yes: who says '{name}' of every photo is right for {percent(usual)} of them and finds no other; the best "
            f"network is right for {percent(value)}, which is not proved to be more."
        )
    reasons = [
        f"Its balanced accuracy, for which both classes weigh alike, is {balanced.value:.1%} ({balanced.low:.1%} to "
        f"{balanced.high:.1%}); a network that always answers alike has 50 %."
    ]
    if figures.escape_rate is not None and figures.overkill_rate is not None:
        escape, overkill = figures.escape_rate, figures.overkill_rate
        reasons.append(
            f"Of {escape.n} defective {escape.unit} {percent(escape.value or 0.0)} escape (up to "
            f"{percent(escape.high or 1.0)} are possible), of {overkill.n} good ones {percent(overkill.value or 0.0)} "
            f"are lost (up to {percent(overkill.high or 1.0)}): these two say what accuracy does not."
        )
    return Chapter("Does accuracy hide the imbalance?", answer, tuple(reasons))


def about_remedies(remedies: Compared) -> Chapter:
    """Answer: undersample, oversample, or something else?"""
    first, *others = sentences(remedies.comparison)
    options = remedies.plan.prepared.geometry
    rows = tuple(
        (
            standing.name,
            *(
                f"{rate.value:.3f} ({rate.low:.3f} to {rate.high:.3f})"
                for rate in (standing.figures["auc"], standing.figures["balanced_accuracy"])
            ),
        )
        for standing in remedies.comparison.standings
    )
    size = f"{options.input_size[1]}x{options.input_size[0]}"
    basis = f"Each remedy trained the same tapering network on the same folds, at {size} pixels."
    return Chapter(
        "Undersample or oversample?",
        first,
        (*others, basis),
        StudyTable(("remedy", "ROC AUC", "balanced accuracy"), rows),
    )
