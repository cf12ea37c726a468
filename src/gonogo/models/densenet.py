"""DenseNet for photos of 32x32 pixels: every layer sees the outputs of all layers before it.

Source: Huang et al. 2016, "Densely Connected Convolutional Networks", arXiv 1608.06993; depth 40, growth 12, without
bottlenecks and compression: 1.0 M parameters in its table 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gonogo.errors import UsageError
from gonogo.models.architecture import Architecture, Network, PoolingHead
from gonogo.models.vgg import CIFAR_RECIPE

BLOCKS = 3
STEM = 16


@dataclass(frozen=True)
class DenseNetOptions:
    """Shape of a DenseNet.

    Attributes:
        depth: convolutions and classifier together: 4 more than a multiple of 3.
        growth: channels that each layer adds.
    """

    depth: int = 40
    growth: int = 12

    def __post_init__(self) -> None:
        if self.depth < 7 or (self.depth - 4) % BLOCKS or self.growth < 1:
            raise UsageError(
                f"found depth={self.depth} and growth={self.growth}, expected a depth of 7, 10, 13, ... and a growth "
                "of 1 or more"
            )


class DenseLayer(nn.Module):
    """BatchNorm, ReLU and a 3x3 convolution, whose output is put beside its input."""

    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        self.computed = nn.Sequential(
            nn.BatchNorm2d(in_channels), nn.ReLU(), nn.Conv2d(in_channels, growth, 3, padding=1, bias=False)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn (N, C, h, w) into (N, C + growth, h, w)."""
        return torch.cat([inputs, self.computed(inputs)], 1)


def _transition(channels: int) -> nn.Sequential:
    """Mix the channels and halve the size."""
    return nn.Sequential(
        nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 1, bias=False), nn.AvgPool2d(2)
    )


class DenseNet(Network):
    """A DenseNet; see `DenseNetOptions`."""

    def __init__(self, num_classes: int, in_channels: int, options: DenseNetOptions) -> None:
        super().__init__()
        channels = STEM
        stages: list[nn.Module] = [nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)]
        for block in range(BLOCKS):
            layers = (options.depth - 4) // BLOCKS
            stages += [DenseLayer(channels + layer * options.growth, options.growth) for layer in range(layers)]
            channels += layers * options.growth
            if block < BLOCKS - 1:
                stages.append(_transition(channels))
        self.body = nn.Sequential(*stages, nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU()))
        self.head = PoolingHead(channels, num_classes, pool="avg", hidden=0, dropout=0.0, one_logit=False)


DENSENET40 = Architecture(
    DenseNet,
    DenseNetOptions(),
    colour="rgb",
    recipe={**CIFAR_RECIPE, "batch_size": 64, "epochs": 300},
    source="arXiv 1608.06993",
    size=(32, 32),
)
