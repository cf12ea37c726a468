"""Options of a pretrained network that are left to the parts: ``cut=auto`` and ``unfrozen=auto``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import ModelSpec, make_spec
from gonogo.train.choose import rows_of
from gonogo.train.cut import choose_cut
from gonogo.train.prepare import Prepared
from gonogo.train.recipe import Recipe
from gonogo.train.unfreeze import choose_unfrozen

AUTO = "auto"


@dataclass(frozen=True)
class Left:
    """What is left to the parts, and what it may look at.

    Attributes:
        options: of the architecture as they were given, some of them "auto".
        splits: the photos that a cut may be chosen on.
        keep_size: whether the size of the input was given.
        recipe: of the fine-tuning.
        device: of Lightning Fabric.
    """

    options: Mapping[str, Any]
    splits: tuple[str, ...]
    keep_size: bool
    recipe: Recipe
    device: str


def without_automatic(arch: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are not left to the parts; "auto" stays, to be refused, where nothing can choose."""
    known = vars(ARCHITECTURES.get(arch).defaults)
    chosen = {"cut", "unfrozen"} & set(known)
    return {name: value for name, value in options.items() if value != AUTO or name not in chosen}


def choose_options(
    left: Left,
    prepared: Prepared,
    spec: ModelSpec,
    tensors: Mapping[str, Tensor],
    note: Callable[[str], None] | None,
) -> tuple[ModelSpec, Prepared, list[dict[str, Any]]]:
    """Choose what is left to the parts, the cut first.

    Args:
        left: what is left.
        prepared: the photos, with the levels of the weights.
        spec: the network, with defaults in place of what is left.
        tensors: its weights.
        note: called with each line the user should know.

    Returns:
        The network, its photos at the chosen size, and what was tried as JSON.

    Raises:
        UsageError: a class has one part alone, so that none can be held out.
    """
    rows: list[dict[str, Any]] = []
    if left.options.get("cut") == AUTO:
        given = without_automatic(spec.arch, left.options)
        choice = choose_cut(
            prepared, tensors, given, splits=left.splits, keep_size=left.keep_size, seed=left.recipe.seed, note=note
        )
        prepared, rows = choice.prepared, rows_of(choice.trials, choice.chosen)
        spec = make_spec(spec.arch, spec.num_classes, spec.in_channels, choice.options)
    if left.options.get("unfrozen") == AUTO:
        tried, taken = choose_unfrozen(prepared, spec, tensors, left.recipe, left.device, note)
        rows += rows_of(tried, taken)
        spec = replace(spec, options={**spec.options, **taken.options})
    return spec, prepared, rows
