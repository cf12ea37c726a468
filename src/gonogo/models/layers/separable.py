"""Depthwise-separable convolution: each channel filtered alone, then the channels mixed at each place.

Source: Howard et al. 2017, "MobileNets", arXiv 1704.04861, section 3.1.
"""

from __future__ import annotations

from torch import nn


class SeparableConv2d(nn.Sequential):
    """A depthwise convolution without a bias, and a pointwise one; nothing stands between the two.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        kernel_size: of the depthwise convolution, as `nn.Conv2d` takes it; so are the following.
        stride: of the depthwise convolution.
        padding: of the depthwise convolution.
        dilation: of the depthwise convolution.
        bias: whether the pointwise convolution has one.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] | str = 0,
        dilation: int | tuple[int, ...] = 1,
        bias: bool = True,
    ) -> None:
        depthwise = nn.Conv2d(
            in_channels,
            in_channels,
            kernel_size,  # type: ignore[arg-type]
            stride,  # type: ignore[arg-type]
            padding,  # type: ignore[arg-type]
            dilation,  # type: ignore[arg-type]
            groups=in_channels,
            bias=False,
        )
        super().__init__(depthwise, nn.Conv2d(in_channels, out_channels, 1, bias=bias))
