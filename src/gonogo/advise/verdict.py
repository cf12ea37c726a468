"""From the three answers to one verdict for each augmentation, and to a recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from gonogo.advise.changes import Change, spoken
from gonogo.advise.covers import Covered
from gonogo.advise.helps import Helped
from gonogo.advise.keeps_label import Kept
from gonogo.train.augment import without_augmentation
from gonogo.train.recipe import Recipe

Answer = Literal["use", "refuse", "no evidence"]


@dataclass(frozen=True)
class Advice:
    """What to do with one augmentation.

    Attributes:
        name: in the registry.
        key: of the recipe.
        unit: of the value.
        answer: use it, refuse it, or leave it out because nothing speaks for it.
        value: for the recipe; the identity unless it is to be used.
        because: why, in a sentence.
        kept: whether the label survives, one row for each strength.
        covered: whether it is what parts show, likewise.
        helped: what training with it alone was worth; None where it was not trained.
    """

    name: str
    key: str
    unit: str
    answer: Answer
    value: float | bool
    because: str
    kept: tuple[Kept, ...]
    covered: tuple[Covered, ...]
    helped: Helped | None

    @property
    def verdict(self) -> str:
        """The answer in a few words."""
        if self.answer != "use":
            return self.answer
        return "use" if isinstance(self.value, bool) else f"use up to {spoken(self.value, self.unit)}"

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self) | {"verdict": self.verdict}


def to_train(kept: Sequence[Kept], covered: Sequence[Covered]) -> Change | None:
    """Choose the strength of an augmentation that is worth a training; None where none keeps the label.

    As much as photos of one part really show, if they show it; otherwise half of the maximum, or the most below it
    that keeps the label.

    Args:
        kept: a row for each strength, the mildest first.
        covered: likewise.
    """
    harmless = _harmless(kept)
    if not harmless:
        return None
    changes, shown = [row.change for row in harmless], covered[0].shown
    strongest = changes[-1]
    if shown is None or not shown.is_shown:
        return next((own for own in reversed(changes) if own.strength <= 0.5), strongest)
    if isinstance(strongest.value, bool):
        return strongest
    value = min(_rounded(shown.limit), float(strongest.value))
    return Change(strongest.name, strongest.key, strongest.unit, strongest.strength * value / strongest.value, value)


def advise_on(kept: tuple[Kept, ...], covered: tuple[Covered, ...], helped: Helped | None) -> Advice:
    """Weigh the three answers for one augmentation.

    It is used where the label survives, training with it alone does not clearly hurt, and something speaks for it:
    photos of one part really differ by it, or training with it clearly helped. That parts of one class differ by it,
    or that photos of new parts look more like changed ones, speaks for it only beside a training that gained. It is
    refused where the label is lost at a strength and nothing speaks for a smaller one.

    Args:
        kept: a row for each strength, the mildest first.
        covered: likewise.
        helped: what training with the strength of `to_train` was worth; None where none was trained.
    """
    change = kept[0].change
    lost = next((row for row in kept if row.is_lost), None)
    tried = to_train(kept, covered)
    shown, sign = covered[0].shown, 0 if helped is None else helped.sign
    gains = helped is not None and helped.gains
    proof = shown is not None and shown.is_proof
    nearer = gains and any(row.is_nearer for row in covered if row.change == tried)
    likely = gains and covered[0].is_shown and not proof
    off: float | bool = False if isinstance(change.value, bool) else 0.0

    def answer(which: Answer, value: float | bool, because: str) -> Advice:
        return Advice(change.name, change.key, change.unit, which, value, because, kept, covered, helped)

    if tried is None:
        assert lost is not None
        return answer("refuse", off, _loss(lost))
    if sign < 0:
        return answer("refuse", off, "trained with it, the network is clearly worse on parts never seen")
    if proof or likely or nearer or sign > 0:
        reasons = [_shown(covered[0])] if proof or likely else []
        reasons += ["training gained by it"] if likely and sign == 0 else []
        reasons += ["photos of new parts look more like changed ones, and training gained by it"] if nearer else []
        reasons += ["training with it clearly helped on parts never seen"] if sign > 0 else []
        limits = [f"from {_at(lost.change)} on, {_loss(lost)}"] if lost is not None else []
        return answer("use", tried.value, "; ".join([*reasons, *limits]))
    if lost is not None:
        return answer("refuse", off, _loss(lost))
    if not kept[0].told:
        return answer("no evidence", off, "the judge cannot tell the classes even on plain photos")
    if covered[0].is_shown and helped is not None:
        return answer("no evidence", off, f"{_shown(covered[0])}, but training with it did not gain")
    return answer("no evidence", off, "the label survives, but no photos show it and no training clearly gained by it")


def _harmless(kept: Sequence[Kept]) -> list[Kept]:
    """Return the rows below the first that loses the label."""
    found = []
    for row in kept:
        if row.is_lost:
            break
        found.append(row)
    return found


def _rounded(limit: float) -> float:
    """Return a limit rounded up to two digits that are easy to read."""
    step = 10.0 ** math.floor(math.log10(limit)) / 2
    return min(math.ceil(limit / step - 1e-9) * step, 180.0)


def _at(change: Change) -> str:
    return change.name if isinstance(change.value, bool) else spoken(change.value, change.unit)


def _loss(lost: Kept) -> str:
    at = "" if isinstance(lost.change.value, bool) else f" at {_at(lost.change)}"
    return f"it takes the label away{at}: {lost.mistaken.in_words}"


def _shown(covered: Covered) -> str:
    shown = covered.shown
    assert shown is not None
    basis = f"({shown.pairs:,} pairs of photos, {shown.parts} parts)"
    if isinstance(covered.change.value, bool):
        return f"{shown.typical:.0%} of the photos of one part are mirrored like this {basis}"
    return f"{shown.among} really differ by it, half of them by more than {_typical(covered)} {basis}"


def _typical(covered: Covered) -> str:
    assert covered.shown is not None
    return spoken(float(f"{covered.shown.typical:.2g}"), covered.change.unit)


def recipe_values(advice: Sequence[Advice]) -> dict[str, Any]:
    """Return every augmentation's value, those that are not to be used at their identity."""
    return {own.key: own.value for own in advice}


def used(advice: Sequence[Advice]) -> Mapping[str, Any]:
    """Return the values of the augmentations to use alone."""
    plain = without_augmentation(Recipe())
    return {own.key: own.value for own in advice if own.value != getattr(plain, own.key)}
