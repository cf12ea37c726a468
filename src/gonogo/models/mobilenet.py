"""MobileNetV2, layer by layer and name by name as torchvision has it, so that its weight files fit as they are.

Source: Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", arXiv 1801.04381, table 2.
"""

from __future__ import annotations

from torch import Tensor, nn

# Expansion, output channels, blocks, stride of the first block: table 2 of the paper.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
STEM, LAST = 32, 1280
# The stem is block 0, the 17 inverted residuals follow, and the last convolution is a block of its own.
LAST_BLOCK = 18


class ConvNormReLU6(nn.Sequential):
    """Convolution, BatchNorm and ReLU6, padded to keep the size at stride 1."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU6(inplace=True),
        )


class InvertedResidual(nn.Module):
    """Widen, filter each channel alone, narrow; added to the input where stride and width allow."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = in_channels * expansion
        widen = [ConvNormReLU6(in_channels, width, 1)] if expansion > 1 else []
        self.conv = nn.Sequential(
            *widen,
            ConvNormReLU6(width, width, 3, stride, groups=width),
            nn.Conv2d(width, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.adds = stride == 1 and in_channels == out_channels

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn (N, C, h, w) into (N, C', h', w')."""
        outputs: Tensor = self.conv(inputs)
        return inputs + outputs if self.adds else outputs


def mobilenet_v2_features(in_channels: int, cut: int) -> nn.Sequential:
    """Return the stem and the blocks up to number `cut`: 0 the stem alone, 17 the last block, 18 the last convolution.

    Args:
        in_channels: 3 as published, 1 for a folded stem.
        cut: the last layer that is kept.
    """
    layers: list[nn.Module] = [ConvNormReLU6(in_channels, STEM, 3, 2)]
    width = STEM
    for expansion, out_channels, blocks, stride in STAGES:
        for block in range(blocks):
            layers.append(InvertedResidual(width, out_channels, stride if block == 0 else 1, expansion))
            width = out_channels
    layers.append(ConvNormReLU6(width, LAST, 1))
    return nn.Sequential(*layers[: cut + 1])
