"""A comparison in plain sentences: who is best, who cannot be told apart, and on how little that rests."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gonogo.evaluate.comparison import Comparison, Difference
from gonogo.evaluate.held_out import AUC, BALANCED, COST, ESCAPE, OVERKILL
from gonogo.evaluate.measure import FEW

TITLES = {
    AUC: "ROC AUC",
    BALANCED: "balanced accuracy",
    ESCAPE: "escape",
    OVERKILL: "overkill",
    COST: "cost of a photo",
}
# Beyond it, more parts are no advice.
_MANY_TIMES = 1000


def shown(measure: str, value: float) -> str:
    """Return a figure, or a difference of two, as text."""
    if measure == AUC:
        return f"{value:.3f}"
    return f"{value:.3g}" if measure == COST else f"{100 * value:.1f} %"


def sentences(comparison: Comparison) -> tuple[str, ...]:
    """Return what is found, in plain words."""
    said = [_order(comparison)]
    if comparison.baseline is not None and len(comparison.standings) > 1:
        said.append(_beside_baseline(comparison))
    return (*said, _basis(comparison))


def _order(comparison: Comparison) -> str:
    by, rows = comparison.by, comparison.standings
    first, measure = rows[0], TITLES[by]
    rate = first.figures[by]
    assert rate.value is not None and rate.low is not None and rate.high is not None
    value = f"{shown(by, rate.value)} ({shown(by, rate.low)} to {shown(by, rate.high)})"
    if by == AUC and rate.low <= 0.5:
        return f"None is shown to be better than a coin: '{first.name}', ahead of all, has {measure} {value}."
    if len(rows) == 1:
        return f"'{first.name}' alone: {measure} {value}."
    behind = rows[1].from_best
    assert behind is not None
    if comparison.best is not None:
        return (
            f"'{first.name}' is best by {measure}: {value}; the next, '{rows[1].name}', is {_apart(by, behind)} behind."
        )
    ahead = f"'{first.name}' is ahead with {value}" if behind.value else f"the first are equal with {value}"
    text = f"These data cannot tell {_list(comparison.tied)} apart by {measure}; {ahead}."
    worse = [row.name for row in rows if row.name not in comparison.tied]
    if worse:
        text += f" Worse {'is' if len(worse) == 1 else 'are'} {_list(worse)}."
    tied = next((row for row in rows[1:] if row.name in comparison.tied and row.from_best), None)
    return text + ("" if tied is None or tied.from_best is None else _needed(tied.from_best, tied.name, first.name))


def _apart(by: str, difference: Difference) -> str:
    """Return how far two are apart, without a sign."""
    low, high = sorted((abs(difference.low), abs(difference.high)))
    return f"{shown(by, abs(difference.value))} ({shown(by, low)} to {shown(by, high)})"


def _needed(difference: Difference, name: str, first: str) -> str:
    """Say how many times as much would tell two apart, if they differ as much as they seem to."""
    towards = difference.high if difference.value < 0 else -difference.low
    if not difference.value or not math.isfinite(towards):
        return ""
    # An interval shrinks with the root of the parts; its end must come from beyond zero to zero.
    times = ((abs(difference.value) + towards) / abs(difference.value)) ** 2
    if times > _MANY_TIMES:
        return ""
    more = f"{math.ceil(times)} times as many parts and trainings (--repeats)"
    return f" If '{first}' and '{name}' differ as they seem to, about {more} would show it."


def _beside_baseline(comparison: Comparison) -> str:
    baseline, by = comparison.baseline, TITLES[comparison.by]
    better, worse = comparison.beside_baseline(1), comparison.beside_baseline(-1)
    text = f"Nothing is shown to be better than '{baseline}'"
    if better:
        text = f"{_list(better)} {'is' if len(better) == 1 else 'are'} better than '{baseline}' by {by}"
    return text + (f"; worse than it {'is' if len(worse) == 1 else 'are'} {_list(worse)}." if worse else ".")


def _basis(comparison: Comparison) -> str:
    unit = comparison.unit
    counts = [f"{n} {name}" for name, n in comparison.parts.items()]
    text = f"This rests on {_listed(counts)} {unit}"
    if min(comparison.parts.values()) < FEW:
        text += f"; with so few, one of the {unit} more or less changes the figures"
    if unit == "photos":
        text += " (no parts are named, so every photo counts as one)"
    again = f", in {comparison.rounds} rounds of folds and seeds" if comparison.rounds > 1 else ""
    return f"{text}{again}. A difference counts only if it is larger than parts and the luck of a training explain."


def _list(names: Sequence[str]) -> str:
    return _listed([f"'{name}'" for name in names])


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
