"""What is tried: every augmentation of the registry, each at a few strengths."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gonogo.train.augment import AUGMENTATIONS, augment, without_augmentation
from gonogo.train.recipe import Recipe

STRENGTHS = (0.25, 0.5, 1.0)
REDUCE = "reduce"
SHORT = {"degrees": "\N{DEGREE SIGN}", "times": "x"}


@dataclass(frozen=True)
class Change:
    """One augmentation at one strength.

    Attributes:
        name: of the augmentation, in the registry; `REDUCE` for a reduction.
        key: the recipe's.
        unit: of the value.
        strength: share of the largest that is sensible, 0 to 1.
        value: of the recipe's key.
    """

    name: str
    key: str
    unit: str
    strength: float
    value: float | bool

    @property
    def label(self) -> str:
        """The change in words, alike for no two."""
        return self.name if isinstance(self.value, bool) else f"{self.name} {spoken(self.value, self.unit)}"

    def apply(self, levels: Tensor, seed: int) -> Tensor:
        """Return (N, C, h, w) levels changed, each photo by its own draw."""
        return augment(levels, recipe_of({self.key: self.value}), torch.Generator().manual_seed(seed))


def recipe_of(values: dict[str, Any]) -> Recipe:
    """Return a recipe with these augmentations and no others."""
    return replace(without_augmentation(Recipe()), **values)


def all_changes() -> dict[str, tuple[Change, ...]]:
    """Return for every augmentation of the registry what is tried of it, the mildest first."""
    return {name: _changes(name) for name in AUGMENTATIONS}


def _changes(name: str) -> tuple[Change, ...]:
    entry = AUGMENTATIONS.get(name)
    strengths = (1.0,) if entry.is_switch else STRENGTHS
    return tuple(Change(name, entry.key, entry.unit, s, entry.values(s)[entry.key]) for s in strengths)


def at_maximum() -> dict[str, Any]:
    """Return the recipe's values with every augmentation at its largest."""
    return {changes[-1].key: changes[-1].value for changes in all_changes().values()}


def spoken(value: float, unit: str) -> str:
    """Return a value with its unit as text."""
    if unit.startswith("percent"):
        return f"{value:g} %"
    return f"{value:g}{SHORT.get(unit, ' ' + unit)}"
