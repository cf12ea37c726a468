"""What a threshold promises of parts that nobody has seen yet, and how many parts such a promise needs.

The promise. Let the defective parts of validation, and those to come, be drawn alike and photographed alike, and let
the network be fixed before they are looked at. A part is missed at a threshold when any of its defective photos would
be a go. Then, with the stated confidence over the draw of the validation parts, a new defective part is missed with at
most the stated probability.

Why it holds. Order the parts by the smallest defect probability among their defective photos. Whatever the
distribution, the chance that a new part lies below the k-th smallest of n is at most a Beta(k, n - k + 1) variable, so
it exceeds R with probability at most P(Binomial(n, R) <= k - 1). The largest k for which that is at most 1 - confidence
follows from n, R and the confidence alone. It is fixed before any probability is looked at, so choosing it costs
nothing; a search for a threshold at which the misses counted on these same parts look few enough would. Ties and any
threshold below the k-th smallest only make misses rarer.

Why photos do not count. Thirty photos of one part are nearly one observation. A bound that takes them for thirty
promises far more than was seen (``benchmarks/coverage.py`` shows by how much).

Sources: Wilks, Annals of Mathematical Statistics 12 (1941), tolerance limits from order statistics; Vovk, Conditional
validity of inductive conformal predictors, Machine Learning 92 (2013); Angelopoulos et al., Conformal risk control,
ICLR 2024.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from gonogo.errors import GaugeError
from gonogo.evaluate.intervals import scipy_special
from gonogo.types import BoolArray, Int64Array, Unit

About = Literal["escape", "overkill", "label set"]
ORDER_STATISTIC = "exact binomial, order statistic"
SPLIT_CONFORMAL = "split conformal"
_MISS = {
    "escape": ("miss", "misses"),
    "overkill": ("false alarm", "false alarms"),
    "label set": ("wrong set", "wrong sets"),
}


@dataclass(frozen=True)
class Guarantee:
    """A promise about new parts.

    Attributes:
        about: "escape": a defective part has a photo called go; "overkill": a good part has a photo called no-go;
            "label set": a part has a photo whose kind is not in its set.
        rate: the promise: the one asked for where the data prove it, otherwise the smallest one that they do.
        confidence: over the draw of the validation parts; None where the promise holds on average over such draws.
        method: how it was proved.
        unit: what was counted: parts where the data name them, otherwise photos.
        n: how many of them.
        misses: how many of them may lie on the wrong side of the threshold.
        proven: the smallest rate that these numbers prove; below `rate` where there were parts to spare.
        asked: what was asked for.
        needed: how many are needed for what was asked, with no miss among them.
    """

    about: About
    rate: float
    confidence: float | None
    method: str
    unit: Unit
    n: int
    misses: int
    proven: float
    asked: float
    needed: int

    @property
    def met(self) -> bool:
        """True where the data prove what was asked for."""
        return self.proven <= self.asked

    @property
    def shortfall(self) -> str | None:
        """One line that says what is proved instead and how many parts are needed; None where the promise is met."""
        if self.met:
            return None
        proven, asked = _apart(self.proven, self.asked)
        unit = self.unit[:-1] if self.n == 1 else self.unit
        misses = _MISS[self.about][self.misses != 1]
        return (
            f"{self.misses} {misses} in {self.n} {unit} {'proves' if self.confidence else 'supports'} {proven}, not "
            f"{asked}: {self.needed} are needed{f' ({percent(self.confidence)} confidence)' if self.confidence else ''}"
        )

    @property
    def sentence(self) -> str:
        """The promise in words."""
        broken = {
            ("escape", "parts"): "a new defective part is called go in any of its defective photos",
            ("escape", "photos"): "a new defective photo is called go",
            ("overkill", "parts"): "a new good part is called no-go in any of its photos",
            ("overkill", "photos"): "a new good photo is called no-go",
            ("label set", "parts"): "a new part has a photo whose set lacks its kind",
            ("label set", "photos"): "a new photo's set lacks its kind",
        }[self.about, self.unit]
        sure = "on average over such data" if self.confidence is None else f"{percent(self.confidence)} confidence"
        return f"{broken} with probability {percent(self.rate)} at most ({sure}, from {self.n} {self.unit})"

    def to_json(self) -> dict[str, Any]:
        """Return plain values, with what follows from them for readers of the file."""
        return {**asdict(self), "met": self.met, "shortfall": self.shortfall}

    @classmethod
    def from_json(cls, values: Any) -> Guarantee:
        """Read what `to_json` wrote.

        Raises:
            GaugeError: keys are missing, or values are impossible.
        """
        try:
            found = cls(
                about=values["about"],
                rate=float(values["rate"]),
                confidence=None if values["confidence"] is None else float(values["confidence"]),
                method=str(values["method"]),
                unit=values["unit"],
                n=int(values["n"]),
                misses=int(values["misses"]),
                proven=float(values["proven"]),
                asked=float(values["asked"]),
                needed=int(values["needed"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise GaugeError(f"the decision's guarantee lacks {error}; export the gauge again") from error
        rates = [found.rate, found.proven, found.asked] + ([] if found.confidence is None else [found.confidence])
        possible = (
            found.about in get_args(About)
            and found.unit in get_args(Unit)
            and all(0 < rate <= 1 for rate in rates)
            and 0 <= found.misses < found.n
            and found.rate == max(found.proven, found.asked)
        )
        if not possible:
            raise GaugeError(f"the decision's guarantee contradicts itself ({values}); export the gauge again")
        return found


def order_for(n: int, rate: float, confidence: float) -> int:
    """Return which order statistic of n parts proves the rate: the largest k, or 0 where n is too small for any.

    A threshold at or below the k-th smallest part lets k - 1 of the n pass and proves `rate` with `confidence`.

    Args:
        n: parts.
        rate: above 0 and below 1.
        confidence: above 0 and below 1.

    Source: Wilks 1941.
    """
    special = scipy_special()
    misses = np.arange(n)
    # P(Binomial(n, rate) <= misses) grows with the misses.
    return int(np.searchsorted(special.bdtr(misses, n, rate), 1 - confidence, side="right"))


def proven_rate(n: int, misses: int | Int64Array, confidence: float) -> npt.NDArray[np.float64]:
    """Return the smallest rate that so many misses in n parts prove: Clopper and Pearson's one-sided upper limit.

    Args:
        n: parts, at least 1.
        misses: () or (M,) 0 to n.
        confidence: above 0 and below 1.
    """
    missed = np.asarray(misses)
    limit = scipy_special().betaincinv(missed + 1, np.maximum(n - missed, 0.5), confidence)
    return np.asarray(np.where(missed >= n, 1.0, limit))


def needed_parts(rate: float, confidence: float) -> int:
    """Return how many parts without a miss prove a rate: the smallest n with (1 - rate)^n <= 1 - confidence."""
    n = max(1, math.ceil(math.log(1 - confidence) / math.log1p(-rate)))
    # The quotient of two rounded logarithms may land on the wrong side of a whole number.
    while n > 1 and order_for(n - 1, rate, confidence):
        n -= 1
    while not order_for(n, rate, confidence):
        n += 1
    return n


def from_order_statistic(about: About, n: int, unit: Unit, asked: float, confidence: float) -> tuple[int, Guarantee]:
    """Return which order statistic to put the threshold at, and what it promises.

    Where n parts are too few for what was asked, it is the first: the most cautious there is.

    Args:
        about: what is promised.
        n: parts, at least 1.
        unit: what they are.
        asked: the rate.
        confidence: of the promise.
    """
    order = max(1, order_for(n, asked, confidence))
    proven = float(proven_rate(n, order - 1, confidence))
    if order_for(n, asked, confidence):
        # The same inequality twice; rounding must not make a promise look missed by its last digit.
        proven = min(proven, asked)
    needed = needed_parts(asked, confidence)
    return order, Guarantee(
        about, max(proven, asked), confidence, ORDER_STATISTIC, unit, n, order - 1, proven, asked, needed
    )


def from_split_conformal(about: About, n: int, unit: Unit, asked: float) -> tuple[int, Guarantee]:
    """Return which order statistic keeps the mean miss rate over all draws of n parts, and what it promises.

    A new part is equally likely to take any place among n others, so it lies below the k-th smallest with probability
    k / (n + 1) at most.

    Source: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World (2005).
    """
    order = max(1, math.floor(asked * (n + 1) + 1e-9))
    proven = order / (n + 1)
    if abs(proven - asked) < 1e-9:
        proven = asked
    needed = max(1, math.ceil(1 / asked - 1 - 1e-9))
    return order, Guarantee(about, max(proven, asked), None, SPLIT_CONFORMAL, unit, n, order - 1, proven, asked, needed)


def part_extremes(scores: npt.NDArray[Any], photos: BoolArray, codes: Int64Array) -> npt.NDArray[Any]:
    """Return each part's smallest score among some of its photos, ascending.

    Args:
        scores: (N,).
        photos: (N,) bool, which photos count.
        codes: (N,) the number of each photo's part.

    Returns:
        (P,) for the P parts that have such a photo.
    """
    values, owners = scores[photos], codes[photos]
    order = np.lexsort((values, owners))
    first = np.ones(len(order), dtype=bool)
    first[1:] = np.diff(owners[order]) != 0
    return np.sort(values[order][first])


def percent(rate: float) -> str:
    """Return a rate as short text, such as "5.1 %", "1 %" or "99.99 %"."""
    value = 100 * rate
    room = min(value, 100 - value)
    digits = 1 if room >= 1 else 1 - math.floor(math.log10(room)) if room > 0 else 0
    text = f"{value:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def _apart(proven: float, asked: float) -> tuple[str, str]:
    """Return two rates as text, the larger one with as many digits as it takes to tell them apart."""
    first, second = percent(proven), percent(asked)
    for digits in range(2, 15):
        if first != second:
            break
        rounded = f"{100 * proven:.{digits}f}"
        first = f"{rounded} %" if float(rounded) > 100 * asked else second
    return first, second
