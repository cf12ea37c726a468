"""A file that answers otherwise than the network (eight bits): its threshold is chosen anew, on its own answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gonogo.errors import ExportError, UsageError
from gonogo.evaluate.metrics import evaluate, why_refused
from gonogo.evaluate.options import policy_from
from gonogo.evaluate.policies import choose_decision
from gonogo.export import Exporter
from gonogo.export.parity import load_photos
from gonogo.gauge.facts import Facts
from gonogo.gauge.golden import one_at_a_time
from gonogo.runtimes import Session
from gonogo.train.run import Run
from gonogo.types import Answer

CHUNK = 32


def check_together(exporters: dict[str, Exporter]) -> None:
    """Refuse formats that cannot stand in one gauge: a gauge has one threshold.

    Args:
        exporters: by name.

    Raises:
        UsageError: one of several answers otherwise than the network.
    """
    coarse = [name for name, exporter in exporters.items() if not exporter.is_exact]
    if coarse and len(exporters) > 1:
        raise UsageError(
            f"'{coarse[0]}' has a threshold of its own, and a gauge has one; export it as a gauge of its own: "
            f"--format {coarse[0]} alone"
        )


def facts_anew(run: Run, facts: Facts, session: Session, name: str) -> Facts:
    """Choose the threshold on a file's own answers to the validation photos, as the training chose the network's.

    Args:
        run: what the file was made from.
        facts: of the network.
        session: the open file.
        name: of the file, for messages.

    Returns:
        The facts with the decision and the figures that hold for this file.

    Raises:
        ExportError: a promise that the network keeps and the file does not, or a file that ranks photos worse than the
            network's own interval has room for.
        UsageError: a gauge from good parts alone, whose limit does not come from validation.
    """
    if run.metrics.get("good_alone"):
        raise UsageError(
            "a gauge from good parts alone has no code in eight bits yet: its limit comes from parts held back in "
            "training; export --format c"
        )
    val = run.manifest().select("val")
    answers = []
    for start in range(0, len(val), CHUNK):
        photos = load_photos(val, list(val.samples[start : start + CHUNK]), run.config.geometry)
        answers.append(one_at_a_time(session, photos))
    told = Answer.join(answers)
    groups = val.groups if run.manifest().has_groups else None
    decision = choose_decision(run.config.task, val.labels, told.pred_probs, groups, policy_from(**run.config.decision))
    figures = evaluate(decision, val.labels, told.pred_probs, groups).to_json() | {"leaky": run.config.leaky}
    _check(facts, decision.shortfalls, figures, why_refused(decision, told.pred_probs), name)
    about = {**facts.about, "guarantee": figures["guarantee"], "val": figures}
    return replace(facts, decision=decision, about=about)


def _check(facts: Facts, shortfalls: tuple[str, ...], figures: dict[str, Any], refused: str | None, name: str) -> None:
    """Refuse a file that is worse than its network in what the network promises or can do."""
    if refused is not None:
        raise ExportError(f"{name} is of no use: {refused}; it was not written: export --format c")
    if shortfalls and not facts.decision.shortfalls:
        raise ExportError(
            f"{name} does not keep the network's promise ({shortfalls[0]}); it was not written: export --format c"
        )
    which = "accuracy" if figures.get("auc") is None else "auc"
    before, after = _value(facts.about["val"].get(which), "low"), _value(figures.get(which), "value")
    if before is not None and after is not None and after < before:
        raise ExportError(
            f"{name} has a validation {which} of {after:.3f}, below the interval of the network's own (from "
            f"{before:.3f}); it was not written: export --format c"
        )


def _value(rate: Any, name: str) -> float | None:
    value = rate.get(name) if isinstance(rate, dict) else rate
    return None if value is None or not np.isfinite(value) else float(value)
