"""How a network is trained, as one value that can be written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from gonogo.config import from_dict
from gonogo.errors import ConfigError, UsageError, did_you_mean
from gonogo.train.imbalance import REMEDIES

# Lowest values of whole numbers, and the lowest and highest of the others.
AT_LEAST = {
    "epochs": 0,
    "batch_size": 2,
    "photos_per_epoch": 0,
    "patience": 0,
    "threads": 1,
    "seed": 0,
    "warmup_epochs": 0,
    "step_epochs": 1,
}
RANGES = {
    "lr": (1e-8, 10.0),
    "weight_decay": (0.0, 1.0),
    "momentum": (0.0, 0.999),
    "clip_norm": (0.0, 1e6),
    "step_factor": (0.0, 1.0),
    "label_smoothing": (0.0, 0.9),
    "focal_gamma": (0.0, 10.0),
    "logit_tau": (0.0, 5.0),
    "mixup_alpha": (0.0, 10.0),
    "cutmix_alpha": (0.0, 10.0),
    "swa_start": (0.0, 1.0),
    "ema_decay": (0.0, 1.0),
    "progressive_resize": (0.1, 1.0),
    "rotate_degrees": (0.0, 180.0),
    "scale_percent": (0.0, 90.0),
    "shift_percent": (0.0, 100.0),
    "shear_degrees": (0.0, 60.0),
    "brightness_levels": (0.0, 255.0),
    "contrast_percent": (0.0, 100.0),
    "blur_sigma": (0.0, 20.0),
    "cutout_percent": (0.0, 100.0),
    "noise_levels": (0.0, 255.0),
}


@dataclass(frozen=True)
class Recipe:
    """Training values; augmentations are in physical units and drawn anew for every photo and epoch.

    Attributes:
        epochs: passes over the training photos; 0 keeps weights that came whole, classifier and all.
        batch_size: photos a step.
        sample: what each epoch shows evenly: "photos", or "parts" however many photos each has; of a part that comes
            up, any photo. With a remedy for imbalance, the parts of a class count as its photos otherwise do.
        photos_per_epoch: photos of an epoch; 0 for as many as there are (as the remedy for imbalance makes of them,
            where photos are drawn).

        optimizer: "adamw", "adam", "sgd" or "muon" (hidden layers by Muon, the others by AdamW).
        lr: learning rate; the highest one of a schedule.
        weight_decay: decoupled for adamw and muon, added to the gradient for sgd; adam has none.
        momentum: of sgd and muon; Muon's authors take .95.
        nesterov: whether their momentum looks one step ahead.
        clip_norm: a longer gradient is scaled down to this length; 0 for never.

        schedule: "one-cycle" (a step at a time), "cosine" (down to 0 a step at a time), "step" (down every few epochs),
            "plateau" (halved after 3 epochs without a better validation loss) or "constant".
        warmup_epochs: epochs in which the rate rises evenly; one-cycle has its own.
        step_epochs: epochs between two steps down.
        step_factor: what the rate is multiplied by at each.

        label_smoothing: share of the target spread over all classes.
        imbalance: what is done where a class is rare: "none", "undersample", "oversample", "class-weights", "focal" or
            "logit-adjustment".
        focal_gamma: how much less the focal loss counts photos that are answered well.
        logit_tau: how far logit adjustment goes; 1 aims at the best balanced accuracy.
        mixup_alpha: photos laid over each other in shares of a Beta(alpha, alpha); 0 for never.
        cutmix_alpha: a rectangle of one photo put into another, its area from a Beta(alpha, alpha); 0 for never. With
            both, each batch takes one of them by the toss of a coin.

        averaging: "swa" keeps the mean of the weights after each of the last epochs, "ema" a moving average over steps,
            "none" the weights themselves.
        swa_start: the share of the epochs that pass before the mean begins.
        ema_decay: what stays of the moving average at each step; less in the first steps.
        keep: "best" for the epoch with the lowest validation loss, "last" for an epoch fixed beforehand, which a
            guarantee chosen on the same validation parts needs.
        patience: epochs without a better validation loss before stopping, 0 for never.
        progressive_resize: share of the width and height at the start; the last quarter of the epochs has them whole.

        hflip: mirror left and right, half of the photos.
        vflip: mirror top and bottom, half of the photos.
        rotate_degrees: turned by up to this much either way; 180 is any angle.
        scale_percent: made larger or smaller by up to this much; with `shift_percent` what others call a random crop.
        shift_percent: moved by up to this share of the width and height.
        shear_degrees: upright lines lean by up to this much either way.
        brightness_levels: lighter or darker by up to this many grey levels of 255.
        contrast_percent: contrast around the photo's mean, more or less by up to this much.
        blur_sigma: out of focus by a Gaussian of up to this many pixels of what the network sees.
        cutout_percent: a square of this share of the width covered with the photo's mean (DeVries and Taylor, 2017).
        noise_levels: normal noise whose deviation is up to this many grey levels of 255.

        seed: of weights, order and augmentation.
        threads: PyTorch threads; more than one slows tiny networks down.
        precision: of Lightning Fabric, such as "32-true" or "bf16-mixed".
    """

    epochs: int = 30
    batch_size: int = 32
    sample: Literal["photos", "parts"] = "photos"
    photos_per_epoch: int = 0
    optimizer: Literal["adamw", "adam", "sgd", "muon"] = "adamw"
    lr: float = 5e-3
    weight_decay: float = 0.01
    momentum: float = 0.9
    nesterov: bool = True
    clip_norm: float = 0.0
    schedule: Literal["one-cycle", "cosine", "step", "plateau", "constant"] = "one-cycle"
    warmup_epochs: int = 0
    step_epochs: int = 10
    step_factor: float = 0.1
    label_smoothing: float = 0.05
    imbalance: str = "none"
    focal_gamma: float = 2.0
    logit_tau: float = 1.0
    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0
    averaging: Literal["none", "swa", "ema"] = "none"
    swa_start: float = 0.75
    ema_decay: float = 0.999
    keep: Literal["best", "last"] = "best"
    patience: int = 10
    progressive_resize: float = 1.0
    hflip: bool = True
    vflip: bool = True
    rotate_degrees: float = 180.0
    scale_percent: float = 10.0
    shift_percent: float = 3.0
    shear_degrees: float = 0.0
    brightness_levels: float = 20.0
    contrast_percent: float = 20.0
    blur_sigma: float = 0.0
    cutout_percent: float = 0.0
    noise_levels: float = 0.0
    seed: int = 0
    threads: int = 1
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"

    def __post_init__(self) -> None:
        if self.imbalance not in REMEDIES:
            raise ConfigError(f"recipe: imbalance is '{self.imbalance}'; {did_you_mean(self.imbalance, REMEDIES)}")
        for name, lowest in AT_LEAST.items():
            if getattr(self, name) < lowest:
                raise ConfigError(f"recipe: {name} is {getattr(self, name)}, expected {lowest} or more")
        for name, (low, high) in RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"recipe: {name} is {getattr(self, name)}, expected {low:g} to {high:g}")
        if self.warmup_epochs and self.schedule == "one-cycle":
            raise ConfigError(
                f"recipe: warmup_epochs is {self.warmup_epochs}, and one-cycle warms up by itself for 30 % of the "
                "steps; leave warmup_epochs out, or give another schedule, such as cosine"
            )
        if self.warmup_epochs and self.warmup_epochs >= self.epochs:
            raise ConfigError(
                f"recipe: warmup_epochs is {self.warmup_epochs}, expected fewer than the {self.epochs} epochs there are"
            )


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


def fixed_epoch(recipe: Recipe, given: Mapping[str, Any], what: str) -> Recipe:
    """Keep the last epoch: one picked on the parts held out would look better on them than it is.

    Args:
        recipe: to be changed.
        given: what the user said of it.
        what: needs it, for the message.

    Raises:
        UsageError: the recipe asks for the best epoch in so many words.
    """
    if given.get("keep", "last") != "last" or int(given.get("patience", 0)):
        raise UsageError(
            f"{what} needs an epoch that is fixed beforehand, found keep=best or patience in the recipe: on the parts "
            "that picked an epoch, its figures are too good and no promise holds; leave both out"
        )
    return replace(recipe, keep="last", patience=0)
