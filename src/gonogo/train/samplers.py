"""Which photos an epoch shows: all of them, or the parts evenly, however often each was photographed.

Where some parts have hundreds of photos and others one, a network that sees every photo as often learns the few.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gonogo.train.imbalance import REMEDIES
from gonogo.train.recipe import Recipe


@dataclass(frozen=True)
class Units:
    """What is drawn, each as often as the others: photos, or the photos of one part and class together.

    Attributes:
        labels: (U,) class numbers.
        places: (N,) the places of the training photos, those of each unit side by side.
        first: (U,) where in `places` each unit begins.
        sizes: (U,) how many photos each has.
    """

    labels: Tensor
    places: Tensor
    first: Tensor
    sizes: Tensor

    @classmethod
    def photos(cls, labels: Tensor) -> Units:
        """Return every photo as a unit of its own; labels (N,)."""
        places = torch.arange(len(labels))
        return cls(labels, places, places, torch.ones_like(places))

    @classmethod
    def parts(cls, labels: Tensor, parts: Tensor) -> Units:
        """Return the parts as units; one with photos of two classes is one of each.

        Args:
            labels: (N,) class numbers.
            parts: (N,) part numbers.
        """
        pairs, unit = torch.unique(torch.stack([parts, labels], 1), dim=0, return_inverse=True)
        sizes = torch.bincount(unit, minlength=len(pairs))
        return cls(pairs[:, 1], torch.argsort(unit, stable=True), sizes.cumsum(0) - sizes, sizes)


def units_of(labels: Tensor, parts: Tensor, recipe: Recipe) -> Units:
    """Return what a recipe draws evenly; labels and parts (N,) of the training photos."""
    return Units.parts(labels, parts) if recipe.sample == "parts" else Units.photos(labels)


def draw(units: Units, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Return (M,) the places of the photos of one epoch, in their order; M does not depend on chance.

    Units come in the order of the remedy for imbalance, so with "oversample" every class has as many of them. That
    order begins anew, with other chance, until there are photos enough; of a unit, any of its photos is taken.

    Args:
        units: of the training photos.
        recipe: its `imbalance` and `photos_per_epoch`; 0 stands for one order of photos, and for parts for as many
            photos as there are.
        generator: on the CPU.
    """
    order = REMEDIES.get(recipe.imbalance).order
    drawn = [order(units.labels, generator)]
    wanted = recipe.photos_per_epoch or (len(units.places) if recipe.sample == "parts" else len(drawn[0]))
    while sum(map(len, drawn)) < wanted:
        drawn.append(order(units.labels, generator))
    chosen = torch.cat(drawn)[:wanted]
    if recipe.sample == "photos":
        return chosen
    within = (torch.rand(wanted, generator=generator, dtype=torch.float64) * units.sizes[chosen]).long()
    return units.places[units.first[chosen] + within]
