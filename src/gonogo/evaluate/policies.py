"""Ways to choose the thresholds on validation: by a guarantee, by costs, by F1, by balanced accuracy.

Each policy is one class with one method, `choose`; `choose_decision` checks the photos and calls it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gonogo.data.task import Task
from gonogo.errors import DataError, UsageError
from gonogo.evaluate.decision import Decision, check_answers, choose_threshold
from gonogo.evaluate.guarantee import from_order_statistic, from_split_conformal, part_extremes, percent
from gonogo.evaluate.resample import Parts
from gonogo.evaluate.thresholds import Cuts, above, at_most
from gonogo.types import BoolArray, Float32Array, Int64Array

DEFAULT_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Validation:
    """What a policy chooses on: the answers to photos that the network was not fitted to.

    Attributes:
        task: the question.
        labels: (N,) class numbers.
        pred_probs: (N, K).
        groups: (N,) the part of each photo, or None where nobody named them.
    """

    task: Task
    labels: Int64Array
    pred_probs: Float32Array
    groups: Sequence[str] | None

    @property
    def defective(self) -> BoolArray:
        """(N,) bool."""
        return np.asarray(self.labels != self.task.good_index)

    @property
    def probs(self) -> Float32Array:
        """(N,) defect probabilities."""
        return Decision(self.task, 0.5, "").defect_probs(self.pred_probs)

    @property
    def parts(self) -> Parts:
        """Which photos show one part."""
        return Parts.of(self.groups, len(self.labels))


class Policy(Protocol):
    """A way to choose."""

    @property
    def sorts(self) -> bool:
        """True where it needs no good class."""

    def choose(self, validation: Validation) -> Decision:
        """Return the decision."""


@dataclass(frozen=True)
class BestBalancedAccuracy:
    """The mean of the shares of good and of defective photos answered right; for sorting, the likeliest class."""

    sorts = True

    def choose(self, validation: Validation) -> Decision:
        """Return the decision; no guarantee comes with it."""
        return choose_threshold(validation.task, validation.labels, validation.pred_probs)


@dataclass(frozen=True)
class BestF1:
    """The largest F1 of "defect" over validation photos, at the share of defects that they have."""

    sorts = False

    def choose(self, validation: Validation) -> Decision:
        """Return the decision; no guarantee comes with it."""
        cuts = Cuts(validation.probs, validation.defective)
        caught = validation.defective.sum() - cuts.escapes
        f1 = 2 * caught / (2 * caught + cuts.escapes + cuts.overkills)
        return Decision(validation.task, cuts.threshold(cuts.best(1 - f1)), "best F1 of defect on validation")


@dataclass(frozen=True)
class Costs:
    """The least expected cost of a photo on validation.

    Attributes:
        escape: of a defective photo called go, in any currency.
        overkill: of a good photo called no-go.
        review: of a photo looked at by a person, who is always right; None for no review band.
        prevalence: share of the photos on the line that are defective; None for that of validation.

    Raises:
        UsageError: a cost that is negative or no number, both mistakes free, or a prevalence outside 0..1.

    Source: Chow, IEEE Transactions on Information Theory 16 (1970), for the review band.
    """

    escape: float
    overkill: float
    review: float | None = None
    prevalence: float | None = None

    sorts = False

    def __post_init__(self) -> None:
        for name, cost in (("escape", self.escape), ("overkill", self.overkill), ("review", self.review)):
            if cost is not None and not (math.isfinite(cost) and cost >= 0):
                raise UsageError(f"--cost-{name} is {cost:g}, expected a cost of 0 or more, such as 3")
        if self.escape == self.overkill == 0:
            raise UsageError("--cost-escape and --cost-overkill are both 0, so every threshold is as good; give costs")
        if self.prevalence is not None and not 0 < self.prevalence < 1:
            raise UsageError(f"--prevalence is {self.prevalence:g}, expected a share between 0 and 1, such as 0.02")

    def choose(self, validation: Validation) -> Decision:
        """Return the decision; no guarantee comes with it."""
        cuts = Cuts(validation.probs, validation.defective)
        escape, overkill, review = self._weights(validation.defective)
        method = f"least cost on validation (an escape {self.escape:g}, an overkill {self.overkill:g}"
        if self.review is None:
            cut = cuts.best(cuts.escapes * escape + cuts.overkills * overkill)
            return Decision(validation.task, cuts.threshold(cut), method + ")")
        goods_below = cuts.overkills[0] - cuts.overkills
        below = cuts.escapes * review[0] + goods_below * review[1]  # what sending them to review would have cost
        lower, upper = cuts.best_pair(cuts.escapes * escape - below, cuts.overkills * overkill + below)
        no_go_from = None if lower == upper else cuts.threshold(upper)
        method += f", a review {self.review:g})"
        return Decision(validation.task, cuts.threshold(lower), method, no_go_from)

    def expected(self, decision: Decision, validation: Validation) -> float:
        """Return the expected cost of one photo under a decision, in the currency of the costs."""
        defective, verdicts = validation.defective, np.array(decision.verdicts(validation.pred_probs))
        escape, overkill, review = self._weights(defective)
        unscaled = (
            (defective & (verdicts == "go")).sum() * escape
            + (~defective & (verdicts == "no-go")).sum() * overkill
            + (defective & (verdicts == "review")).sum() * review[0]
            + (~defective & (verdicts == "review")).sum() * review[1]
        )
        return float(unscaled * self._scale)

    @property
    def _scale(self) -> float:
        """The dearest mistake; losses are compared in units of it."""
        return max(self.escape, self.overkill)

    def _weights(self, defective: BoolArray) -> tuple[float, float, tuple[float, float]]:
        """Return what one escape, one overkill and one review of a defective and of a good photo add to the cost."""
        prevalence = float(np.mean(defective)) if self.prevalence is None else self.prevalence
        of_defective = prevalence / defective.sum() / self._scale
        of_good = (1 - prevalence) / (~defective).sum() / self._scale
        review = self.review or 0.0
        return self.escape * of_defective, self.overkill * of_good, (review * of_defective, review * of_good)


@dataclass(frozen=True)
class MaxEscape:
    """The largest threshold that proves an escape rate, so that the fewest good parts are lost to it.

    A part escapes when any of its defective photos is a go; `guarantee` says what is promised and why. The threshold
    lies in the gap below the part that limits it, in the middle in log-odds: nobody's probability is next to it, and
    lowering a threshold weakens no promise about escapes. Where the parts are too few for the rate, the threshold lies
    below all of them, and the decision's guarantee says what that proves and what is missing.

    Attributes:
        rate: of defective parts, at most.
        confidence: over the draw of the validation parts.
        max_overkill: of good parts called no-go, at most, with the same confidence; what can be called neither go nor
            no-go then goes to review. None for no review band.

    Raises:
        UsageError: a rate or a confidence that is not above 0 and below 1.
    """

    rate: float
    confidence: float = DEFAULT_CONFIDENCE
    max_overkill: float | None = None

    sorts = False

    def __post_init__(self) -> None:
        check_rate(self.rate, "--max-escape")
        check_confidence(self.confidence)
        if self.max_overkill is not None:
            check_rate(self.max_overkill, "--max-overkill")

    def choose(self, validation: Validation) -> Decision:
        """Return the decision with its guarantee."""
        probs, defective, parts = validation.probs, validation.defective, validation.parts
        lowest = part_extremes(probs, defective, parts.codes)
        order, guarantee = from_order_statistic("escape", len(lowest), parts.unit, self.rate, self.confidence)
        threshold = at_most(float(lowest[order - 1]), probs)
        method = f"at most {percent(self.rate)} of defective {parts.unit} escape"
        if self.max_overkill is None:
            return Decision(validation.task, threshold, method, guarantee=guarantee)
        highest = -part_extremes(-probs, ~defective, parts.codes)
        order, overkill = from_order_statistic("overkill", len(highest), parts.unit, self.max_overkill, self.confidence)
        no_go_from = above(float(highest[order - 1]), probs)
        return Decision(
            validation.task,
            threshold,
            f"{method}, at most {percent(self.max_overkill)} of good ones are lost",
            # Where the two cross, the one threshold keeps both promises: it lies above the limit for good parts.
            no_go_from=no_go_from if no_go_from > threshold else None,
            guarantee=guarantee,
            overkill_guarantee=overkill,
        )


@dataclass(frozen=True)
class LabelSets:
    """For sorting: every photo gets the set of kinds it may be of, wide enough to hold its own kind.

    A part is answered wrongly when any of its photos has a set without its own kind. Without a confidence the promise
    holds on average over draws of the validation parts (split conformal prediction); with one, for this draw.

    Attributes:
        error: of parts answered wrongly, at most.
        confidence: over the draw of the validation parts, or None.

    Raises:
        UsageError: a rate or a confidence that is not above 0 and below 1.

    Source: Sadinle, Lei and Wasserman, Journal of the American Statistical Association 114 (2019), for the sets.
    """

    error: float
    confidence: float | None = None

    sorts = True

    def __post_init__(self) -> None:
        check_rate(self.error, "--set-error")
        if self.confidence is not None:
            check_confidence(self.confidence)

    def choose(self, validation: Validation) -> Decision:
        """Return the decision with its guarantee."""
        if not validation.task.is_sorting:
            raise UsageError(
                f"label sets are for sorting, but '{validation.task.good}' is the good class; give --max-escape, or "
                "--good none"
            )
        parts, rows = validation.parts, np.arange(len(validation.labels))
        own = validation.pred_probs[rows, validation.labels]
        lowest = part_extremes(own, np.ones(len(own), dtype=bool), parts.codes)
        order, guarantee = (
            from_split_conformal("label set", parts.n, parts.unit, self.error)
            if self.confidence is None
            else from_order_statistic("label set", parts.n, parts.unit, self.error, self.confidence)
        )
        return Decision(
            validation.task,
            None,
            "likeliest class",
            label_cut=float(lowest[order - 1]),
            label_guarantee=guarantee,
        )


def choose_decision(
    task: Task,
    labels: Int64Array,
    pred_probs: Float32Array,
    groups: Sequence[str] | None = None,
    policy: Policy | None = None,
) -> Decision:
    """Choose thresholds on validation.

    Args:
        task: the question.
        labels: (N,) class numbers.
        pred_probs: (N, K).
        groups: (N,) the part each photo shows, or None where nobody named them: then photos are counted.
        policy: how; best balanced accuracy unless given.

    Raises:
        DataError: no photos, no good or no defective one, or a probability that is not a number.
        UsageError: the policy asks for a good class and there is none, or the other way round.
    """
    policy = BestBalancedAccuracy() if policy is None else policy
    if not len(labels):
        raise DataError("no photos in validation; a threshold is chosen on them, so give a split that has some")
    check_policy(task, policy)
    check_answers(task, labels, pred_probs)
    return policy.choose(Validation(task, labels, pred_probs, groups))


def check_policy(task: Task, policy: Policy) -> None:
    """Check that a policy fits the question, which can be known before anything is trained.

    Raises:
        UsageError: the policy asks for a good class and there is none.
    """
    if task.is_sorting and not policy.sorts:
        raise UsageError(
            f"sorting into {', '.join(task.classes)} has no good class and so no escapes; name it with --good NAME, or "
            "leave the threshold's options out"
        )


def check_rate(rate: float, option: str) -> None:
    """Check a rate that is to be promised.

    Raises:
        UsageError: it is not above 0 and below 1.
    """
    if not 0 < rate < 1:
        why = " (no number of parts proves a rate of 0)" if rate == 0 else ""
        raise UsageError(f"{option} is {rate:g}, expected a rate above 0 and below 1{why}, such as 1% or 0.01")


def check_confidence(confidence: float) -> None:
    """Check a confidence.

    Raises:
        UsageError: it is not above 0 and below 1.
    """
    if not 0 < confidence < 1:
        why = " (no number of parts makes certain)" if confidence == 1 else ""
        raise UsageError(f"--confidence is {confidence:g}, expected above 0 and below 1{why}, such as 0.95")
