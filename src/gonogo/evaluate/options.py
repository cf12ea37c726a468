"""Options in words to a policy: "1%", a pair of costs, and what contradicts what."""

from __future__ import annotations

import math

from gonogo.errors import UsageError
from gonogo.evaluate.policies import (
    DEFAULT_CONFIDENCE,
    BestBalancedAccuracy,
    BestF1,
    Costs,
    LabelSets,
    MaxEscape,
    Policy,
    check_confidence,
    check_rate,
)

Number = float | str


def parse_rate(value: Number, option: str = "--max-escape") -> float:
    """Read a rate.

    Args:
        value: a number, or text such as "1%", "1 %" or "0.01".
        option: what it was given for, for messages.

    Raises:
        UsageError: it is no number, or not above 0 and below 1.
    """
    rate = _number(value, option, "a rate such as 1% or 0.01", percent=True)
    if isinstance(value, str) and "%" not in value and 1 <= rate < 100:
        raise UsageError(
            f"{option} is {value}, expected a rate above 0 and below 1, such as 0.01; write {rate:g}% for percent"
        )
    check_rate(rate, option)
    return rate


def policy_from(
    *,
    max_escape: Number | None = None,
    max_overkill: Number | None = None,
    confidence: Number | None = None,
    cost_escape: Number | None = None,
    cost_overkill: Number | None = None,
    cost_review: Number | None = None,
    prevalence: Number | None = None,
    best_f1: bool = False,
    set_error: Number | None = None,
) -> Policy:
    """Return the policy that a command's options ask for; best balanced accuracy where they ask for none.

    Args:
        max_escape: rate of defective parts called go, at most.
        max_overkill: rate of good parts called no-go, at most; opens a review band.
        confidence: of the guarantee, .95 unless given.
        cost_escape: of a defective photo called go.
        cost_overkill: of a good photo called no-go.
        cost_review: of a photo sent to review; opens a review band.
        prevalence: share of the line's photos that are defective.
        best_f1: the best F1 of "defect".
        set_error: for sorting, rate of parts whose label sets miss their kind, at most.

    Raises:
        UsageError: options that contradict each other, lack each other, or are impossible.
    """
    costs = ("--cost-escape", "--cost-overkill")
    cost = costs[0] if cost_escape is not None else costs[1] if cost_overkill is not None else None
    asked = (
        ("--max-escape", max_escape is not None),
        (cost, cost is not None),
        ("--best-f1", best_f1),
        ("--set-error", set_error is not None),
    )
    chosen = [name for name, given in asked if given]
    if len(chosen) > 1:
        raise UsageError(f"{chosen[0]} and {chosen[1]} both choose the threshold; give one of them")
    for name, value, needs in (
        ("--max-overkill", max_overkill, ("--max-escape",)),
        ("--confidence", confidence, ("--max-escape", "--set-error")),
        ("--cost-review", cost_review, costs),
        ("--prevalence", prevalence, costs),
    ):
        if value is not None and not set(chosen) & set(needs):
            raise UsageError(f"{name} says nothing without {' or '.join(needs)}; give that too, or leave it out")
    if max_escape is not None:
        overkill = None if max_overkill is None else parse_rate(max_overkill, "--max-overkill")
        sure = DEFAULT_CONFIDENCE if confidence is None else parse_confidence(confidence)
        return MaxEscape(parse_rate(max_escape), sure, overkill)
    if set_error is not None:
        return LabelSets(
            parse_rate(set_error, "--set-error"), None if confidence is None else parse_confidence(confidence)
        )
    if cost is not None:
        return _costs(cost_escape, cost_overkill, cost_review, prevalence)
    return BestF1() if best_f1 else BestBalancedAccuracy()


def _costs(escape: Number | None, overkill: Number | None, review: Number | None, prevalence: Number | None) -> Costs:
    if escape is None or overkill is None:
        given, missing = ("overkill", "escape") if escape is None else ("escape", "overkill")
        raise UsageError(f"--cost-{given} says nothing without --cost-{missing}; only their ratio matters, give both")
    return Costs(
        _number(escape, "--cost-escape", "a cost such as 500"),
        _number(overkill, "--cost-overkill", "a cost such as 3"),
        None if review is None else _number(review, "--cost-review", "a cost such as 1"),
        None if prevalence is None else _number(prevalence, "--prevalence", "a share such as 2%", percent=True),
    )


def parse_confidence(value: Number) -> float:
    """Read a confidence.

    Args:
        value: a number, or text such as "95%", "95 %" or "0.95".

    Raises:
        UsageError: it is no number, or not above 0 and below 1.
    """
    confidence = _number(value, "--confidence", "such as 0.95 or 95%", percent=True)
    check_confidence(confidence)
    return confidence


def _number(value: Number, option: str, expected: str, *, percent: bool = False) -> float:
    text = str(value).strip()
    share = percent and text.endswith("%")
    try:
        number = float(text.removesuffix("%") if share else text)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise UsageError(f"{option} is '{value}', expected {expected}")
    return number / 100 if share else number
