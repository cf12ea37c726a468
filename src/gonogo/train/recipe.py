"""How a network is trained, as one value that can be written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from gonogo.config import from_dict
from gonogo.errors import ConfigError, did_you_mean
from gonogo.train.imbalance import REMEDIES


@dataclass(frozen=True)
class Recipe:
    """Training values; augmentations are in physical units and drawn anew for every photo and epoch.

    Attributes:
        epochs: passes over the training photos.
        batch_size: photos a step.
        optimizer: "adamw" or "adam".
        lr: learning rate; the highest one of a one-cycle schedule.
        weight_decay: decoupled, for adamw.
        schedule: "one-cycle" (a step at a time), "plateau" (halved after 3 epochs without a better validation loss)
            or "constant".
        label_smoothing: share of the target spread over all classes.
        imbalance: what is done where a class is rare: "none", "undersample", "oversample", "class-weights", "focal" or
            "logit-adjustment".
        focal_gamma: how much less the focal loss counts photos that are answered well.
        logit_tau: how far logit adjustment goes; 1 aims at the best balanced accuracy.
        keep: "best" for the epoch with the lowest validation loss, "last" for an epoch fixed beforehand, which a
            guarantee chosen on the same validation parts needs.
        patience: epochs without a better validation loss before stopping, 0 for never.
        hflip: mirror left and right, half of the photos.
        vflip: mirror top and bottom, half of the photos.
        rotate_degrees: turned by up to this much either way; 180 is any angle.
        scale_percent: made larger or smaller by up to this much.
        shift_percent: moved by up to this share of the width and height.
        brightness_levels: lighter or darker by up to this many grey levels of 255.
        contrast_percent: contrast around the photo's mean, more or less by up to this much.
        shear_degrees: upright lines lean by up to this much either way.
        blur_sigma: out of focus by a Gaussian of up to this many pixels of what the network sees.
        noise_levels: normal noise whose deviation is up to this many grey levels of 255.
        cutout_percent: a square of this share of the width covered with the photo's mean (DeVries and Taylor, 2017).
        seed: of weights, order and augmentation.
        threads: PyTorch threads; more than one slows tiny networks down.
        precision: of Lightning Fabric, such as "32-true" or "bf16-mixed".
    """

    epochs: int = 30
    batch_size: int = 32
    optimizer: Literal["adamw", "adam"] = "adamw"
    lr: float = 5e-3
    weight_decay: float = 0.01
    schedule: Literal["one-cycle", "plateau", "constant"] = "one-cycle"
    label_smoothing: float = 0.05
    imbalance: str = "none"
    focal_gamma: float = 2.0
    logit_tau: float = 1.0
    keep: Literal["best", "last"] = "best"
    patience: int = 10
    hflip: bool = True
    vflip: bool = True
    rotate_degrees: float = 180.0
    scale_percent: float = 10.0
    shift_percent: float = 3.0
    brightness_levels: float = 20.0
    contrast_percent: float = 20.0
    shear_degrees: float = 0.0
    blur_sigma: float = 0.0
    noise_levels: float = 0.0
    cutout_percent: float = 0.0
    seed: int = 0
    threads: int = 1
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"

    def __post_init__(self) -> None:
        if self.imbalance not in REMEDIES:
            raise ConfigError(f"recipe: imbalance is '{self.imbalance}'; {did_you_mean(self.imbalance, REMEDIES)}")
        at_least = {"epochs": 1, "batch_size": 2, "patience": 0, "threads": 1, "seed": 0}
        for name, lowest in at_least.items():
            if getattr(self, name) < lowest:
                raise ConfigError(f"recipe: {name} is {getattr(self, name)}, expected {lowest} or more")
        ranges = {
            "lr": (1e-8, 10.0),
            "weight_decay": (0.0, 1.0),
            "label_smoothing": (0.0, 0.9),
            "focal_gamma": (0.0, 10.0),
            "logit_tau": (0.0, 5.0),
            "rotate_degrees": (0.0, 180.0),
            "scale_percent": (0.0, 90.0),
            "shift_percent": (0.0, 100.0),
            "brightness_levels": (0.0, 255.0),
            "contrast_percent": (0.0, 100.0),
            "shear_degrees": (0.0, 60.0),
            "blur_sigma": (0.0, 20.0),
            "noise_levels": (0.0, 255.0),
            "cutout_percent": (0.0, 100.0),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"recipe: {name} is {getattr(self, name)}, expected {low:g} to {high:g}")


def resolve_recipe(*layers: Mapping[str, Any]) -> Recipe:
    """Put layers of values over the defaults, later ones winning.

    Raises:
        ConfigError: an unknown key, or a value of another type or range.
    """
    recipe = Recipe()
    for layer in layers:
        given = from_dict(Recipe, layer, where="recipe")
        recipe = replace(recipe, **{name: getattr(given, name) for name in layer})
    return recipe
