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
) -> Credibility:
    """Say how far an ROC curve can be believed.

    Args:
        positive: (N,) bool, which photos are defective.
        scores: (N,) larger for what looks defective.
        groups: (N,) the part of each photo, or None where nobody named them.
        leaked: how many of the photos show a part that is also in training; None where nobody looked.

    Raises:
        DataError: no good or no defective photo.
    """
    curve = roc_curve(positive, scores, groups)
    limit = perfect_auc_limit(positive, groups, 1 - _CONFIDENCE)
    value, low = curve.auc.value or 0.0, curve.auc.low or 0.0
    sentences = [
        _leak(leaked, len(positive)),
        _basis(curve.good, curve.defective, curve.unit),
        _area(curve.auc, limit, curve.good, curve.defective, curve.unit),
    ]
    if value == 1:
        sentences.append(_allowed(curve.good, curve.defective, curve.unit))
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


def _count(number: int, kind: str, unit: Unit) -> str:
    return f"{number} {kind} {unit[:-1] if number == 1 else unit}"


def _leak(leaked: int | None, photos: int) -> str:
    if leaked is None:
        return "Nobody looked whether its parts are in training too; a curve on known parts shows memory."
    if leaked:
        return (
            f"{leaked} of the {photos} photos show a part that is also in training: the curve shows memory. Keep parts "
            "together in the split, then look again."
        )
    return "No part of it is in training."


def _basis(good: int, defective: int, unit: Unit) -> str:
    basis = f"It rests on {_count(good, 'good', unit)} and {_count(defective, 'defective', unit)}"
    if good == defective:
        return f"{basis}."
    rarer, kind = (good, "good") if good < defective else (defective, "defective")
    return f"{basis}; the {_count(rarer, kind, unit)} decide{'s' if rarer == 1 else ''} what it is worth."


def _area(auc: Rate, limit: float, good: int, defective: int, unit: Unit) -> str:
    rarer, kind = (good, "good") if good <= defective else (defective, "defective")
    if auc.value == 1:
        return (
            f"The AUC is 1, every defective photo above every good one; with {_count(rarer, kind, unit)} a true AUC of "
            f"{limit:.3f} looks as perfect one time in {1 / (1 - _CONFIDENCE):.0f}."
        )
    found = f"The AUC is {auc.value:.3f}, with a 95 % interval over {unit} from {auc.low:.3f} to {auc.high:.3f}"
    if limit >= CONVINCING:
        return f"{found}."
    return f"{found}; on {_count(rarer, kind, unit)} even a perfect curve proves no more than {limit:.3f}."


def _allowed(good: int, defective: int, unit: Unit) -> str:
    overkill, escape = (float(proven_rate(n, 0, _CONFIDENCE)) for n in (good, defective))
    return (
        f"None lost of {_count(good, 'good', unit)} still allows an overkill rate of {percent(overkill)}, none missed "
        f"of {_count(defective, 'defective', unit)} an escape rate of {percent(escape)} (95 % confidence)."
    )
