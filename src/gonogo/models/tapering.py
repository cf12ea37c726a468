"""Tapering networks: the widest convolution first, fewer channels towards the classifier.

Source: "Development of a lightweight tapering network for casting inspection", ICCR 2021, arXiv 2205.07118.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import nn

from gonogo.errors import UsageError
from gonogo.models.architecture import Architecture, Network, PoolingHead


@dataclass(frozen=True)
class TaperOptions:
    """Shape of a tapering network; every tuple has one value for each stage.

    Attributes:
        widths: output channels.
        kernels: size of the convolution.
        strides: of the convolution.
        pools: size of the max pooling that ends the stage, 1 for none.
        norms: whether the stage has a BatchNorm.
        order: BatchNorm before the ReLU (it folds into the convolution) or after it (the study's, which does not).
        padding: "same" keeps the size at stride 1, "valid" pads nothing.
        stem_reduce: average pooling before the first stage, 1 for none.
        pool: pooling head, "avg", "max" or "avgmax".
        hidden: width of a hidden layer in the head, 0 for none.
        dropout: before the classifier.
        one_logit: one sigmoid output for two classes.
        norm_momentum: share of each batch in BatchNorm's running statistics.
        norm_eps: added to BatchNorm's variance.
    """

    widths: tuple[int, ...] = (12, 16, 16, 8)
    kernels: tuple[int, ...] = (7, 3, 3, 3)
    strides: tuple[int, ...] = (4, 2, 1, 1)
    pools: tuple[int, ...] = (1, 1, 1, 1)
    norms: tuple[bool, ...] = (True, True, True, True)
    order: Literal["conv-bn-relu", "conv-relu-bn"] = "conv-bn-relu"
    padding: Literal["same", "valid"] = "same"
    stem_reduce: int = 1
    pool: Literal["avg", "max", "avgmax"] = "avgmax"
    hidden: int = 0
    dropout: float = 0.0
    one_logit: bool = False
    norm_momentum: float = 0.1
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        stages = len(self.widths)
        for name in ("kernels", "strides", "pools", "norms"):
            if len(getattr(self, name)) != stages:
                raise UsageError(f"{name} has {len(getattr(self, name))} values, expected {stages}, one for each width")
        whole = (*self.widths, *self.kernels, *self.strides, *self.pools, self.stem_reduce)
        if not stages or min(whole) < 1 or self.hidden < 0 or not 0 <= self.dropout < 1:
            raise UsageError("widths, kernels, strides and pools start at 1, hidden at 0; dropout is 0 to below 1")


def _stage(in_channels: int, options: TaperOptions, index: int) -> nn.Sequential:
    width, kernel = options.widths[index], options.kernels[index]
    norm_first = options.norms[index] and options.order == "conv-bn-relu"
    layers: list[nn.Module] = [
        nn.Conv2d(
            in_channels,
            width,
            kernel,
            stride=options.strides[index],
            padding=kernel // 2 if options.padding == "same" else 0,
            bias=not norm_first,  # the BatchNorm that follows at once has its own
        )
    ]
    norm = nn.BatchNorm2d(width, eps=options.norm_eps, momentum=options.norm_momentum) if options.norms[index] else None
    after = [norm, nn.ReLU()] if norm_first else [nn.ReLU(), norm]
    layers += [layer for layer in after if layer is not None]
    if options.pools[index] > 1:
        layers.append(nn.MaxPool2d(options.pools[index]))
    return nn.Sequential(*layers)


class Taper(Network):
    """A tapering network; see `TaperOptions`."""

    def __init__(self, num_classes: int, in_channels: int, options: TaperOptions) -> None:
        super().__init__()
        stem = [nn.AvgPool2d(options.stem_reduce)] if options.stem_reduce > 1 else []
        inputs = (in_channels, *options.widths[:-1])
        self.body = nn.Sequential(*stem, *(_stage(width, options, index) for index, width in enumerate(inputs)))
        self.head = PoolingHead(
            options.widths[-1],
            num_classes,
            pool=options.pool,
            hidden=options.hidden,
            dropout=options.dropout,
            one_logit=options.one_logit,
        )


TAPER = Architecture(Taper, TaperOptions())

TAPER_WIDE = Architecture(Taper, TaperOptions(widths=(24, 40, 32, 16)))

# For defects a few pixels wide: each step looks at half the pixels of the one before, where "taper" begins with a
# quarter, which costs four times as many multiply-adds.
TAPER_FINE = Architecture(Taper, TaperOptions(kernels=(5, 3, 3, 3), strides=(2, 2, 2, 1)))

# The study's network, 5,801 trained numbers and 64 statistics at three input channels; Adam, batch 32, 20 epochs,
# learning rate reduced on plateaus, no augmentation. BatchNorm has the defaults of Keras, which the study used: with
# PyTorch's (0.1, 1e-5) after the ReLU, validation jumps between 45 and 97 % from epoch to epoch.
TAPER_STUDY = Architecture(
    Taper,
    TaperOptions(
        widths=(16, 16, 8, 8, 8),
        kernels=(3, 3, 3, 3, 3),
        strides=(1, 1, 1, 1, 1),
        pools=(2, 2, 2, 1, 1),
        norms=(True, False, False, True, True),
        order="conv-relu-bn",
        padding="valid",
        pool="avg",
        hidden=64,
        one_logit=True,
        norm_momentum=0.01,
        norm_eps=1e-3,
    ),
    colour="rgb",
    recipe={
        "optimizer": "adam",
        "lr": 1e-3,
        "weight_decay": 0.0,
        "schedule": "plateau",
        "epochs": 20,
        "patience": 0,
        "label_smoothing": 0.0,
        "hflip": False,
        "vflip": False,
        "rotate_degrees": 0.0,
        "scale_percent": 0.0,
        "shift_percent": 0.0,
        "brightness_levels": 0.0,
        "contrast_percent": 0.0,
    },
    source="ICCR 2021, arXiv 2205.07118",
)
