"""Is this curve real? A plain answer: how few parts it rests on, whether they leak, and what else would look alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy.typing as npt

from gonogo.evaluate.curves import roc_curve
from gonogo.evaluate.guarantee import needed_parts, percent, proven_rate
from gonogo.evaluate.measure import perfect_auc_limit
from gonogo.types import BoolArray, Rate, Unit

# An area that a perfect curve on as many parts would prove; with fewer than 59 parts of a kind it does not.
CONVINCING = 0.95
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Credibility:
    """The answer and the numbers behind it.

    Attributes:
        answer: "no" where parts leak; "not proved" where there are too few of them, the interval reaches a coin's .5,
            or nobody looked for leaks; otherwise "yes", within the interval.
        sentences: the reasons, in plain words.
        auc: area with its 95 % interval.
        auc_if_perfect: the true area that would still give a perfect curve on as many parts one time in twenty.
        good: how many good parts (photos where no parts are named).
        defective: how many defective ones.
        unit: what was counted.
        leaked: photos that show a part which is also in training; None where nobody looked.
    """

    answer: Literal["yes", "no", "not proved"]
    sentences: tuple[str, ...]
    auc: Rate
    auc_if_perfect: float
    good: int
    defective: int
    unit: Unit
    leaked: int | None

    @property
    def text(self) -> str:
        """The sentences as one paragraph."""
        return " ".join(self.sentences)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self) | {"sentences": list(self.sentences)}


def is_this_curve_real(
    positive: BoolArray,
    scores: npt.NDArray[Any],
    groups: Sequence[str] | None = None,
    *,
    leaked: int | None = None,
    kind: str | None = None,
) -> Credibility:
    """Say how far an ROC curve can be believed.

    Args:
        positive: (N,) bool, which photos are defective.
        scores: (N,) larger for what looks defective.
        groups: (N,) the part of each photo, or None where nobody named them.
        leaked: how many of the photos show a part that is also in training; None where nobody looked.
        kind: where photos are sorted into kinds, the one that stands in the place of defective, all others of good.

    Raises:
        DataError: no good or no defective photo.
    """
    curve = roc_curve(positive, scores, groups)
    limit = perfect_auc_limit(positive, groups, 1 - _CONFIDENCE)
    value, low = curve.auc.value or 0.0, curve.auc.low or 0.0
    names = ("good", "defective") if kind is None else ("other", f"'{kind}'")
    sides = _Sides(curve.good, curve.defective, curve.unit, *names)
    sentences = [_leak(leaked, len(positive)), sides.basis, sides.area(curve.auc, limit)]
    if value == 1:
        sentences.append(sides.allowed)
    elif low <= 0.5:
        sentences.append("The interval reaches 0.5: these photos cannot tell this network from a coin.")
    if limit < CONVINCING:
        needed = needed_parts(1 - CONVINCING, _CONFIDENCE)
        sentences.append(
            f"To prove an AUC of {CONVINCING:g} takes {needed} {curve.unit} of each kind, without a mistake."
        )
    if groups is None:
        sentences.append(
            "No parts are named, so every photo counts as one; where several show one part, less is proved than this "
            "says: name them (--group-by), or let copies be found (--find-copies)."
        )
    proved = limit >= CONVINCING and low > 0.5 and leaked is not None
    answer: Literal["yes", "no", "not proved"] = "no" if leaked else "yes" if proved else "not proved"
    opening = {"yes": "Yes, within its interval.", "no": "No.", "not proved": "That is not proved."}[answer]
    return Credibility(
        answer,
        (opening, *(sentence for sentence in sentences if sentence)),
        curve.auc,
        limit,
        curve.good,
        curve.defective,
        curve.unit,
        leaked,
    )


def _leak(leaked: int | None, photos: int) -> str:
    if leaked is None:
        return "Nobody looked whether its parts are in training too; a curve on known parts shows memory."
    if leaked:
        return (
            f"{leaked} of the {photos} photos show a part that is also in training: the curve shows memory. Keep parts "
            "together in the split, then look again."
        )
    return "No part of it is in training."


@dataclass(frozen=True)
class _Sides:
    """What the curve tells apart, in words.

    Attributes:
        good: how many on the side that should score low.
        defective: how many on the other.
        unit: what was counted.
        good_name: what the first are called.
        defective_name: what the others are called.
    """

    good: int
    defective: int
    unit: Unit
    good_name: str
    defective_name: str

    def _counted(self, number: int, name: str) -> str:
        return f"{number} {name} {self.unit[:-1] if number == 1 else self.unit}"

    @property
    def _both(self) -> tuple[str, str]:
        return self._counted(self.good, self.good_name), self._counted(self.defective, self.defective_name)

    @property
    def _rarer(self) -> str:
        return self._both[0] if self.good <= self.defective else self._both[1]

    @property
    def basis(self) -> str:
        """What the curve rests on."""
        basis = "It rests on {} and {}".format(*self._both)
        if self.good == self.defective:
            return f"{basis}."
        alone = min(self.good, self.defective) == 1
        return f"{basis}; the {self._rarer} decide{'s' if alone else ''} what it is worth."

    def area(self, auc: Rate, limit: float) -> str:
        """What its area says, and what a perfect one would."""
        if auc.value == 1:
            return (
                f"The AUC is 1, every {self.defective_name} photo above every {self.good_name} one; with {self._rarer} "
                f"a true AUC of {limit:.3f} looks as perfect one time in {1 / (1 - _CONFIDENCE):.0f}."
            )
        found = (
            f"The AUC is {auc.value:.3f}, with a 95 % interval over {self.unit} from {auc.low:.3f} to {auc.high:.3f}"
        )
        if limit >= CONVINCING:
            return f"{found}."
        return f"{found}; on {self._rarer} even a perfect curve proves no more than {limit:.3f}."

    @property
    def allowed(self) -> str:
        """What no mistake at all still allows."""
        overkill, escape = (percent(float(proven_rate(n, 0, _CONFIDENCE))) for n in (self.good, self.defective))
        good, defective = self._both
        if self.good_name != "good":
            return (
                f"None of {good} taken for {self.defective_name} still allows a rate of {overkill}, none missed of "
                f"{defective} one of {escape} (95 % confidence)."
            )
        return (
            f"None lost of {good} still allows an overkill rate of {overkill}, none missed of {defective} an escape "
            f"rate of {escape} (95 % confidence)."
        )
