"""Which of several candidates is best on the same photos, or that the data cannot tell them apart.

All candidates are drawn for together: a bootstrap over whole parts gives every figure its interval and every pair the
interval of their difference, which is far narrower than the intervals of the two suggest. A difference must also be
larger than the luck of a training: every fold is one, and how the difference changes from fold to fold says how much
that is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gonogo.errors import UsageError, did_you_mean
from gonogo.evaluate.guarantee import proven_rate
from gonogo.evaluate.held_out import AUC, BALANCED, COST, OVERKILL, Figure, HeldOut, figures_of
from gonogo.evaluate.intervals import scipy_special
from gonogo.evaluate.measure import LEAST_DRAWS, is_blind, widen
from gonogo.evaluate.policies import BestBalancedAccuracy, Costs, MaxEscape, Policy
from gonogo.evaluate.resample import DRAWS, Parts, draw_parts, percentiles
from gonogo.types import Float32Array, Float64Array, Rate, Unit

CONFIDENCE = 0.95
# Name of a measure to whether more of it is better.
MEASURES = {AUC: True, BALANCED: True, OVERKILL: False, COST: False}
_SPOKEN = {"auc": AUC, "balanced-accuracy": BALANCED, "overkill": OVERKILL, "cost": COST}
# Photos times rounds times draws for each candidate; beyond it fewer samples are drawn.
_MOST_WORK = 5e7


@dataclass(frozen=True)
class Difference:
    """One figure minus another, on the same parts.

    Attributes:
        value: the difference.
        low: lower end of its interval, over parts and over trainings, whichever is further; all differences to one
            candidate hold together with 95 % confidence.
        high: upper end.
    """

    value: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 or -1 where the interval leaves out 0, which is then on its other side; 0 where it does not."""
        return int(self.low > 0) - int(self.high < 0)


@dataclass(frozen=True)
class Standing:
    """One candidate.

    Attributes:
        name: of the candidate.
        figures: by name, each with its 95 % interval over parts.
        from_best: its measure minus that of the best value; None for that one itself.
        from_baseline: its measure minus that of the baseline; None for the baseline, and where there is none.
    """

    name: str
    figures: dict[str, Rate]
    from_best: Difference | None
    from_baseline: Difference | None


@dataclass(frozen=True)
class Comparison:
    """Candidates in order, and what can be said of them.

    Attributes:
        by: the measure, a key of `MEASURES`.
        standings: the best value first.
        baseline: the candidate that stands for doing nothing; None where there is none.
        parts: good and defective parts, or those of each class (photos where no parts are named).
        unit: what was counted.
        rounds: how often all folds were trained.
    """

    by: str
    standings: tuple[Standing, ...]
    baseline: str | None
    parts: dict[str, int]
    unit: Unit
    rounds: int

    @property
    def tied(self) -> tuple[str, ...]:
        """The best value and all that cannot be told apart from it; one name where there is a best."""
        return tuple(row.name for row in self.standings if row.from_best is None or row.from_best.sign == 0)

    @property
    def best(self) -> str | None:
        """The best one; None where the data cannot tell it from another."""
        return self.standings[0].name if len(self.tied) == 1 else None

    def beside_baseline(self, sign: int) -> tuple[str, ...]:
        """Return who is shown to be better (1) or worse (-1) than the baseline, or neither (0)."""
        towards = 1 if MEASURES[self.by] else -1
        rows = [(row.name, row.from_baseline) for row in self.standings]
        return tuple(name for name, difference in rows if difference and difference.sign * towards == sign)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self) | {
            "best": self.best,
            "tied": list(self.tied),
            "standings": [asdict(row) for row in self.standings],
        }


def measure_for(policy: Policy, by: str | None = None, *, sorts: bool = False) -> str:
    """Return the measure that candidates are ranked by.

    Args:
        policy: how thresholds are chosen; says what matters where `by` does not.
        by: a key of `MEASURES`, or what the command line calls it: "auc", "balanced-accuracy", "overkill", "cost".
        sorts: no class is the good one.

    Raises:
        UsageError: no such measure, or one that needs another way to choose thresholds.
    """
    if by is None:
        return COST if isinstance(policy, Costs) else OVERKILL if isinstance(policy, MaxEscape) else AUC
    name = _SPOKEN.get(by, by)
    if name not in MEASURES:
        raise UsageError(f"unknown measure --by '{by}'; {did_you_mean(by, _SPOKEN)}")
    if name == COST and not isinstance(policy, Costs):
        raise UsageError("--by cost needs to know what mistakes cost; give --cost-escape and --cost-overkill")
    if name == OVERKILL and not isinstance(policy, MaxEscape):
        raise UsageError("--by overkill alone is best where everything passes; give --max-escape too, such as 1%")
    if sorts and name not in (AUC, BALANCED):
        raise UsageError(f"--by {by} needs a good class; name it with --good NAME, or rank --by balanced-accuracy")
    return name


def compare_held_out(
    held: HeldOut,
    pred_probs: Mapping[str, Float32Array],
    *,
    policy: Policy | None = None,
    by: str | None = None,
    baseline: str | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Comparison:
    """Rank candidates by their answers to the same photos, each held out.

    The draws of parts are the same for all candidates. Percentile intervals are stretched for few parts, and those of
    differences for how many there are (Bonferroni), so that a best one is named wrongly at most once in twenty times.

    Args:
        held: the photos and their folds.
        pred_probs: name to (R, N, K): for each round the answers of networks not trained on the photo's fold.
        policy: how thresholds are chosen on the other folds; best balanced accuracy unless given.
        by: see `measure_for`.
        baseline: the candidate that stands for doing nothing.
        draws: of the bootstrap, fewer for very many photos.
        seed: of the draws.

    Raises:
        UsageError: the measure does not fit the question or the policy.
        DataError: no threshold can be chosen, or a probability is not a number.

    Source: for the stretching Hesterberg, The American Statistician 69 (2015), with the distances of the percentiles
    from the value in place of their ranks.
    """
    policy = policy or BestBalancedAccuracy()
    by = measure_for(policy, by, sorts=held.task.is_sorting)
    candidates = {
        name: [figures_of(held, fold, probs, policy) for fold, probs in zip(held.folds, rounds, strict=True)]
        for name, rounds in pred_probs.items()
    }
    drawn = _draw(held, candidates, draws, seed)
    values = {name: _values(held, rounds) for name, rounds in candidates.items()}
    order = sorted(values, key=lambda name: values[name][by], reverse=MEASURES[by])
    pairs = _Pairs(
        by, _fewest(held), values, drawn, {name: _by_training(held, c, by) for name, c in candidates.items()}
    )
    standings = tuple(
        Standing(
            name,
            {
                figure: _rate(held, candidates[name][0][figure], value, drawn[name][figure], _top(figure))
                for figure, value in values[name].items()
            },
            None if name == order[0] else pairs.difference(name, order[0]),
            None if name == baseline or baseline not in values else pairs.difference(name, baseline),
        )
        for name in order
    )
    parts = {side: held.parts_of(photos).n for side, photos in held.sides.items()}
    unit: Unit = "photos" if held.groups is None else "parts"
    return Comparison(by, standings, baseline if baseline in values else None, parts, unit, len(held.folds))


def _values(held: HeldOut, rounds: list[dict[str, Figure]]) -> dict[str, float]:
    """Return the mean of each figure over the rounds."""
    ones = np.ones((1, len(held.labels)))
    return {name: float(np.mean([figures[name](ones)[0] for figures in rounds])) for name in rounds[0]}


def _draw(
    held: HeldOut, candidates: Mapping[str, list[dict[str, Figure]]], draws: int, seed: int
) -> dict[str, dict[str, Float64Array]]:
    """Return candidate to figure to (D,) values of the draws."""
    photos = len(held.labels)
    draws = int(np.clip(_MOST_WORK / (photos * len(held.folds)), min(LEAST_DRAWS, draws), draws))
    parts = Parts.of(held.groups, photos)
    pieces: dict[str, dict[str, list[Float64Array]]] = {name: {} for name in candidates}
    for counts in draw_parts(parts.strata(held.labels), photos, draws, seed):
        weights = counts[:, parts.codes]
        for name, own in candidates.items():
            for figure in own[0]:
                mean = np.mean([figures[figure](weights) for figures in own], axis=0)
                pieces[name].setdefault(figure, []).append(mean)
    return {name: {figure: np.concatenate(own) for figure, own in figures.items()} for name, figures in pieces.items()}


def _rate(held: HeldOut, figure: Figure, value: float, drawn: Float64Array, top: float) -> Rate:
    """Return a figure with its interval, widened by what the exact intervals allow where a bootstrap is blind."""
    parts = Parts.of(held.groups, len(held.labels))
    low, high = _stretched(percentiles(drawn, value), value, _fewest(held), 1)
    if is_blind((low, high), parts.strata(held.labels)):
        low, high = widen((low, high), figure.allowed)
    return Rate(value, max(low, 0.0), min(high, top), parts.n, parts.unit)


def _top(figure: str) -> float:
    return math.inf if figure == COST else 1.0


def _fewest(held: HeldOut) -> int:
    return min(held.parts_of(photos).n for photos in held.sides.values() if photos.any())


def _stretched(ends: tuple[float, float], value: float, n: int, intervals: int) -> tuple[float, float]:
    """Move the ends of a percentile interval away from its value.

    Args:
        ends: of the 95 % interval.
        value: inside it.
        n: parts of the rarest kind.
        intervals: how many must hold together.
    """
    if n < 2:
        return -math.inf, math.inf
    special = scipy_special()
    tail = (1 - CONFIDENCE) / 2
    factor = float(special.stdtrit(n - 1, 1 - tail / intervals) * math.sqrt(n / (n - 1)) / special.ndtri(1 - tail))
    return value - factor * (value - ends[0]), value + factor * (ends[1] - value)


def _by_training(held: HeldOut, rounds: list[dict[str, Figure]], by: str) -> Float64Array:
    """Return (T,) the measure of each training on the fold that it was not trained on; NaN where it lacks a class."""
    values = []
    for fold, figures in zip(held.folds, rounds, strict=True):
        inside = np.array([fold == number for number in np.unique(fold)], dtype=np.float64)
        values.append(figures[by](inside))
    return np.concatenate(values)


class _Pairs:
    """Differences of two candidates in the measure.

    Args:
        by: the measure.
        fewest: parts of the rarest kind.
        values: candidate to figure to value.
        drawn: candidate to figure to (D,) values of the same draws.
        trained: candidate to (T,) values of its trainings, in the same order of folds.
    """

    def __init__(
        self,
        by: str,
        fewest: int,
        values: Mapping[str, Mapping[str, float]],
        drawn: Mapping[str, Mapping[str, Float64Array]],
        trained: Mapping[str, Float64Array],
    ) -> None:
        self._values = {name: figures[by] for name, figures in values.items()}
        self._drawn = {name: figures[by] for name, figures in drawn.items()}
        self._trained, self._fewest, self._limit = trained, fewest, _top(by)
        self._intervals = max(1, len(values) - 1)
        self._most = max(self._values.values()) if by == COST else 1.0

    def difference(self, name: str, other: str) -> Difference:
        """Return the first minus the second."""
        value = self._values[name] - self._values[other]
        low, high = widen(self._over_parts(name, other, value), self._over_trainings(name, other, value))
        return Difference(value, max(low, -self._limit), min(high, self._limit))

    def _over_parts(self, name: str, other: str, value: float) -> tuple[float, float]:
        ends = percentiles(self._drawn[name] - self._drawn[other], value)
        if ends[1] - ends[0] >= 1e-12:
            return _stretched(ends, value, self._fewest, self._intervals)
        # No draw tells them apart: then they may still differ on a share of parts that none of these is among.
        tail = (1 - CONFIDENCE) / 2 / self._intervals
        room = self._most * float(proven_rate(self._fewest, 0, 1 - tail))
        return value - room, value + room

    def _over_trainings(self, name: str, other: str, value: float) -> tuple[float, float]:
        """Return Student's interval of the mean difference of the trainings, around the value."""
        differences = self._trained[name] - self._trained[other]
        differences = differences[~np.isnan(differences)]
        if len(differences) < 2:
            return -math.inf, math.inf
        tail = (1 - CONFIDENCE) / 2 / self._intervals
        factor = float(scipy_special().stdtrit(len(differences) - 1, 1 - tail))
        half = factor * float(differences.std(ddof=1)) / math.sqrt(len(differences))
        return value - half, value + half
