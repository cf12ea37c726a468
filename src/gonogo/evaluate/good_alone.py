"""The limit of a gauge that was shown good parts alone: what is promised of good parts, and nothing of defects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gonogo.data.task import Task
from gonogo.errors import UsageError
from gonogo.evaluate.decision import Decision, check_numbers
from gonogo.evaluate.guarantee import from_order_statistic, part_extremes, percent
from gonogo.evaluate.options import parse_confidence, parse_rate
from gonogo.evaluate.policies import DEFAULT_CONFIDENCE
from gonogo.evaluate.resample import Parts
from gonogo.evaluate.thresholds import above
from gonogo.types import Float32Array

# The probability of a defect at the limit of the distance itself.
AT_LIMIT = 0.5


@dataclass(frozen=True)
class GoodLimit:
    """Where a gauge that was shown no defect draws the line.

    Attributes:
        max_overkill: of good parts called no-go, at most; None to keep the limit of the distance itself.
        confidence: over the draw of the validation parts.
    """

    max_overkill: float | None = None
    confidence: float = DEFAULT_CONFIDENCE

    def choose(self, task: Task, pred_probs: Float32Array, groups: Sequence[str] | None, held_back: float) -> Decision:
        """Return the decision.

        With a rate it is the smallest threshold that proves it, so that the fewest defects escape; `guarantee` says
        what is promised and why. Where the parts are too few, the threshold lies above all of them.

        Args:
            task: the question.
            pred_probs: (N, K) of the validation photos, all good.
            groups: (N,) the part each photo shows, or None where nobody named them.
            held_back: share of the photos of good parts that the limit of the distance itself leaves out.

        Raises:
            DataError: a probability is not a number.
        """
        check_numbers(pred_probs)
        if self.max_overkill is None:
            method = f"at most {percent(held_back)} of photos of good parts held out are farther from the others"
            return Decision(task, AT_LIMIT, method)
        probs, parts = Decision(task, AT_LIMIT, "").defect_probs(pred_probs), Parts.of(groups, len(pred_probs))
        highest = -part_extremes(-probs, np.ones(len(probs), dtype=np.bool_), parts.codes)
        order, overkill = from_order_statistic("overkill", len(highest), parts.unit, self.max_overkill, self.confidence)
        return Decision(
            task,
            above(float(highest[order - 1]), probs),
            f"at most {percent(self.max_overkill)} of good {parts.unit} are lost",
            overkill_guarantee=overkill,
        )


def limit_from(**options: Any) -> GoodLimit:
    """Return the limit that a command's options ask for.

    Args:
        options: the arguments of `policy_from` that were given.

    Raises:
        UsageError: an option that needs defects, or one that is impossible.
    """
    needs_defects = [name for name in options if name not in ("max_overkill", "confidence")]
    if needs_defects:
        raise UsageError(
            f"--{needs_defects[0].replace('_', '-')} needs photos of defects, and there is none: without one nothing "
            "can be promised of escapes; leave it out, or limit the good parts lost with --max-overkill"
        )
    if "max_overkill" not in options:
        if "confidence" in options:
            raise UsageError("--confidence says nothing without --max-overkill; give that too, or leave it out")
        return GoodLimit()
    rate = parse_rate(options["max_overkill"], "--max-overkill")
    sure = parse_confidence(options["confidence"]) if "confidence" in options else DEFAULT_CONFIDENCE
    return GoodLimit(rate, sure)
