"""Which networks are tried: tapers of several widths and depths, and stumps where pretrained weights are at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import optuna

from gonogo.train.candidates import Candidate
from gonogo.train.recipe import Recipe
from gonogo.train.transfer import WeightsSource

TAPER, STUMP = "taper", "stump"
STEMS = {"4x7": (4, 7), "2x5": (2, 5)}  # stride and kernel of the first convolution
LEARNING_RATES = (2.5e-3, 5e-3, 1e-2)
BATCHES = (16, 32)
AUGMENTS = (0.25, 0.5, 1.0)  # of the recipe's own strength
# How the first ones learn: little changes of light and scale did best on castings, real ones and drawn ones.
FIRST = {"lr": 5e-3, "batch_size": 16, "augment": 0.25}
STRENGTHS = ("scale_percent", "shift_percent", "brightness_levels", "contrast_percent")
CUTS = (2, 3, 4, 5, 6, 7, 8, 10, 11, 12)
# The shorter side of what a network may see, in pixels.
SIDES = (48, 200)
MOST_REDUCTIONS = 4


@dataclass(frozen=True)
class Proposal:
    """A network to try.

    Attributes:
        candidate: the way to train.
        reduce: the whole number that the photos are reduced by.
    """

    candidate: Candidate
    reduce: int

    @property
    def is_learnt_elsewhere(self) -> bool:
        """Whether its features are fixed, so that it is fitted within seconds."""
        return self.candidate.weights is not None

    def in_words(self) -> str:
        """Return what it is."""
        options = self.candidate.arch_options
        if self.is_learnt_elsewhere:
            return f"stump cut after block {options['cut']}, photos reduced {self.reduce}x"
        widths = "-".join(str(width) for width in options["widths"])
        kernel, stride = options["kernels"][0], options["strides"][0]
        return f"taper {widths}, first step {kernel}x{kernel} by {stride}, photos reduced {self.reduce}x"


@dataclass(frozen=True)
class Space:
    """What may be proposed for these photos.

    Attributes:
        reductions: whole numbers, the finest first.
        weights: pretrained ones of a stump; None where there are none.
        recipe: changes to every taper's recipe.
    """

    reductions: tuple[int, ...]
    weights: WeightsSource = None
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def anchors(self) -> list[dict[str, Any]]:
        """Return the parameters that are tried first: what did best on other sets."""
        finest, middle = self.reductions[0], self.reductions[(len(self.reductions) - 1) // 2]
        small = {"family": TAPER, "reduce": middle, "stem": "4x7", "width": 12, "peak": 1.35, "last": 8, "depth": 4}
        wide = small | {"width": 24, "peak": 1.65, "last": 16}
        fine = small | {"reduce": finest, "stem": "2x5"}
        found = [*(own | FIRST for own in (small, wide, fine)), self.slow_taper]
        if finest != middle:
            found.append({**small, **FIRST, "reduce": finest})
        if self.weights is None:
            return found
        # First those that are fitted within seconds: with few parts there may be time for little else.
        return [*({"family": STUMP, "reduce": middle, "cut": cut} for cut in (7, 12, 4)), *found]

    @property
    def small_taper(self) -> dict[str, Any]:
        """The parameters of the first network that learns from nothing."""
        return next(params for params in self.anchors() if params["family"] == TAPER)

    @property
    def slow_taper(self) -> dict[str, Any]:
        """The parameters of the one that finds the smallest defects, and takes longest to train, of the first."""
        shape = {"stem": "2x5", "width": 16, "peak": 2.0, "last": 16, "depth": 4}
        return {"family": TAPER, "reduce": self.reductions[0], **shape, **FIRST}

    def propose(self, trial: optuna.trial.BaseTrial) -> Proposal:
        """Return the network that a trial stands for; its parameters are drawn where they are not fixed yet."""
        families = [TAPER] if self.weights is None else [TAPER, STUMP]
        family = trial.suggest_categorical("family", families)
        reduce = trial.suggest_categorical("reduce", self.reductions)
        if family == STUMP:
            cut = trial.suggest_categorical("cut", CUTS)
            return Proposal(Candidate(f"stump-{cut}", STUMP, {"cut": cut}, {}, self.weights), reduce)
        stride, kernel = STEMS[trial.suggest_categorical("stem", list(STEMS))]
        depth = trial.suggest_int("depth", 3, 5)
        widths = taper_widths(
            trial.suggest_int("width", 8, 32, step=4),
            trial.suggest_float("peak", 1.0, 2.0, step=0.05),
            trial.suggest_int("last", 8, 24, step=8),
            depth,
        )
        strides = (stride, 2, *(2 if stride == 2 and number == 0 else 1 for number in range(depth - 2)))
        options = {
            "widths": widths,
            "kernels": (kernel, *(3 for _ in range(depth - 1))),
            "strides": strides,
            "pools": (1,) * depth,
            "norms": (True,) * depth,
        }
        strength = trial.suggest_categorical("augment", AUGMENTS)
        defaults = vars(Recipe()) | dict(self.recipe)
        recipe = {
            **self.recipe,
            "lr": trial.suggest_categorical("lr", LEARNING_RATES),
            "batch_size": trial.suggest_categorical("batch_size", BATCHES),
            **{name: strength * defaults[name] for name in STRENGTHS},
        }
        return Proposal(Candidate("taper-" + "-".join(map(str, widths)), TAPER, options, recipe), reduce)


def taper_widths(first: int, peak: float, last: int, depth: int) -> tuple[int, ...]:
    """Return channels, multiples of 4: the first layer's, the most in the second, then evenly down to the last's.

    Args:
        first: channels of the first layer.
        peak: the second layer's, as a multiple of them.
        last: channels of the last layer.
        depth: layers, 3 or more.
    """
    second = max(first * peak, last)
    inner = [second + (last - second) * step / (depth - 2) for step in range(depth - 2)]
    return (first, *(4 * round(width / 4) for width in inner), last)


def reductions_for(short_side: int, chosen: int | None = None) -> tuple[int, ...]:
    """Return the whole numbers that photos may be reduced by, evenly from the finest to the coarsest.

    Args:
        short_side: of the photo, in pixels.
        chosen: by the user; then it is the only one.
    """
    if chosen is not None:
        return (chosen,)
    finest = max(1, -(-short_side // SIDES[1]))
    coarsest = max(finest, short_side // SIDES[0])
    count = min(MOST_REDUCTIONS, coarsest - finest + 1)
    steps = [finest * (coarsest / finest) ** (place / max(1, count - 1)) for place in range(count)]
    return tuple(sorted({round(step) for step in steps}))
