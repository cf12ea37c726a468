"""What an augmentation must offer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gonogo.errors import UsageError

if TYPE_CHECKING:
    from gonogo.train.recipe import Recipe

# From the number of photos, their (height, width), the limit and the generator to (N, 2, 2): pixels, not shares.
Warp = Callable[[int, tuple[int, int], float, torch.Generator], Tensor]
# From (N, C, h, w) float32 grey levels, the limit and the generator to changed levels of the same shape.
Pixels = Callable[[Tensor, float, torch.Generator], Tensor]


@dataclass(frozen=True)
class Augmentation:
    """One change of photos that should keep the label, drawn anew for each photo within a limit.

    Attributes:
        key: the value of the recipe that limits it; 0 (or false) leaves every photo as it is.
        unit: of that value: "degrees", "percent of the width", "grey levels", ...; "on or off" for a mirror.
        maximum: the strongest that is sensible to try, in that unit; the recipe allows more.
        says: what happens to a photo, in a few words.
        warp: (N, 2, 2) matrices from output to input positions around the middle, in pixels, x first; for a change of
            pose that `change_pose` does not know by itself.
        pixels: changes the levels; for a change that is none of pose.
    """

    key: str
    unit: str
    maximum: float
    says: str
    warp: Warp | None = None
    pixels: Pixels | None = None

    @property
    def is_switch(self) -> bool:
        """Say whether it can only be on or off."""
        return self.unit == "on or off"

    @property
    def identity(self) -> float | bool:
        """Return the value of `key` that leaves every photo as it is."""
        return False if self.is_switch else 0.0

    def values(self, strength: float) -> dict[str, Any]:
        """Return the value for a recipe.

        Args:
            strength: 0 for none to 1 for the maximum; any above 0 turns a switch on.

        Raises:
            UsageError: strength is not 0 to 1.
        """
        if not 0 <= strength <= 1:
            raise UsageError(f"the strength of an augmentation is {strength:g}, expected 0 to 1")
        return {self.key: strength > 0 if self.is_switch else strength * self.maximum}

    def is_wanted(self, recipe: Recipe) -> bool:
        """Say whether a recipe asks for it."""
        return bool(getattr(recipe, self.key))


def spread(n: int, limit: float, generator: torch.Generator) -> Tensor:
    """Return (n,) values drawn evenly from -limit to limit."""
    return (torch.rand(n, generator=generator) * 2 - 1) * limit


def up_to(n: int, limit: float, generator: torch.Generator) -> Tensor:
    """Return (n,) values drawn evenly from 0 to limit."""
    return torch.rand(n, generator=generator) * limit
