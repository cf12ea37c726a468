"""Ways to train that are compared with each other, named and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from gonogo.errors import UsageError, did_you_mean
from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import ModelSpec, count_frozen, count_parameters, make_spec
from gonogo.train.build import build_checked
from gonogo.train.imbalance import REMEDIES
from gonogo.train.prepare import Prepared
from gonogo.train.recipe import Recipe, fixed_epoch, resolve_recipe
from gonogo.train.transfer import Weights, WeightsSource, read_pretrained

NO_REMEDY = "none"
ALL = "all"


@dataclass(frozen=True)
class Candidate:
    """A way to train.

    Attributes:
        name: what tables call it.
        arch: a name from the registry.
        arch_options: changes to its widths and the like.
        recipe: changes to the architecture's recipe.
        weights: the pretrained ones that it stands on, if it does.
        surgery: names of what is done to the network before it learns.
    """

    name: str
    arch: str = "taper"
    arch_options: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    weights: WeightsSource = None
    surgery: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entrant:
    """A candidate of which everything was read and checked.

    Attributes:
        name: what tables call it.
        arch: its architecture.
        recipe: with an epoch that is fixed beforehand.
        weights: pretrained ones, empty for a network that learns from nothing.
        arch_options: changes to the architecture's options.
        surgery: names of what is done to the network before it learns.
    """

    name: str
    arch: str
    recipe: Recipe
    weights: Weights
    arch_options: Mapping[str, Any]
    surgery: tuple[str, ...] = ()

    @classmethod
    def of(cls, candidate: Candidate) -> Entrant:
        """Read and check a candidate.

        Raises:
            UsageError: a name or an option that does not exist, or that would change nothing or say too much.
            ConfigError: a value of the recipe that does not exist.
            DataError: a weights file that cannot be read.
        """
        architecture = ARCHITECTURES.get(candidate.arch)
        architecture.options(candidate.arch_options)
        recipe = fixed_epoch(resolve_recipe(architecture.recipe, candidate.recipe), candidate.recipe, "compare")
        if recipe.schedule == "plateau":
            raise UsageError(
                f"'{candidate.name}' has schedule 'plateau', which follows the loss on photos held out, and here these "
                "are what is measured; add --set schedule=one-cycle"
            )
        weights = read_pretrained(candidate.arch, candidate.weights, candidate.arch_options)
        if architecture.needs_weights and recipe.imbalance != NO_REMEDY:
            raise UsageError(
                f"architecture '{candidate.arch}' fits its head at once, all classes weighing alike, so --imbalance "
                f"{recipe.imbalance} changes nothing; leave --imbalance out"
            )
        return cls(candidate.name, candidate.arch, recipe, weights, candidate.arch_options, candidate.surgery)

    def spec(self, prepared: Prepared) -> ModelSpec:
        """Return its network for these photos."""
        channels = prepared.geometry.network_channels
        return make_spec(self.arch, len(prepared.task.classes), channels, dict(self.arch_options), self.surgery)

    def params(self, prepared: Prepared) -> int:
        """Return how many parameters it has.

        Raises:
            UsageError: the photos are too small for it.
        """
        network = build_checked(self.spec(prepared), prepared.geometry)
        return sum(count_parameters(network)) + count_frozen(network)


def candidates_for(
    archs: str,
    imbalance: str,
    *,
    arch_options: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    weights: WeightsSource = None,
) -> tuple[Candidate, ...]:
    """Return a candidate for each architecture and each remedy for imbalance.

    Args:
        archs: names from the registry, with commas between them.
        imbalance: names of remedies, with commas between them, or "all".
        arch_options: changes to the architecture's options.
        recipe: changes to its recipe.
        weights: for those architectures that stand on pretrained ones.

    Raises:
        UsageError: a name that does not exist or stands twice, options of more than one architecture, or weights that
            no architecture takes.
    """
    chosen = _names(archs, "--arch", ARCHITECTURES)
    remedies = list(REMEDIES) if imbalance.strip() == ALL else _names(imbalance, "--imbalance", (*REMEDIES, ALL))
    if recipe and "imbalance" in recipe:
        raise UsageError("the recipe names a remedy for imbalance, expected them in --imbalance; leave it out there")
    if arch_options and len(chosen) > 1:
        raise UsageError(f"--with says nothing of which of {len(chosen)} architectures; give one --arch with it")
    # Where one needs weights they are meant for that one, not for those that only may start from some.
    learnt = [arch for arch in chosen if ARCHITECTURES.get(arch).needs_weights] or [
        arch for arch in chosen if ARCHITECTURES.get(arch).pretraining is not None
    ]
    if weights is not None and not learnt:
        raise UsageError(f"{', '.join(chosen)} learns from nothing; leave --weights out")
    return tuple(
        Candidate(
            arch if len(remedies) == 1 else remedy if len(chosen) == 1 else f"{arch}, {remedy}",
            arch,
            arch_options or {},
            {**(recipe or {}), "imbalance": remedy},
            weights if arch in learnt else None,
        )
        for arch, remedy in product(chosen, remedies)
    )


def _names(text: str, option: str, known: Iterable[str]) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{option} is empty; there are: {', '.join(sorted(known))}")
    for name in names:
        if name not in known:
            raise UsageError(f"unknown {option} '{name}'; {did_you_mean(name, known)}")
        if name == ALL:
            raise UsageError(f"found {option} {text}; 'all' stands alone")
        if names.count(name) > 1:
            raise UsageError(f"{option} names '{name}' twice; leave one out")
    return names
