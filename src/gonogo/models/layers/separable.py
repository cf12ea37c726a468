"""Depthwise-separable convolution: each channel filtered alone, then the channels mixed at each place.

Source: Howard et al. 2017, "MobileNets", arXiv 1704.04861, section 3.1.
"""

from __future__ import annotations

from torch import nn

from gonogo.models.layers.swap import Surgery, is_convolution, swap

LEAST_CHANNELS = 8


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


def _separated(layer: nn.Module) -> nn.Module | None:
    """Return a separable convolution for a dense one; None where nothing would be saved."""
    if (
        not isinstance(layer, nn.Conv2d)
        or not is_convolution(layer)
        or layer.groups > 1
        or layer.padding_mode != "zeros"
    ):
        return None
    window, channels, width = layer.kernel_size[0] * layer.kernel_size[1], layer.in_channels, layer.out_channels
    # The colours of a photo are mixed at once: to filter each alone would leave a first layer next to nothing.
    if window == 1 or channels < LEAST_CHANNELS or window * channels * width <= channels * (window + width):
        return None
    return SeparableConv2d(
        channels, width, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.bias is not None
    )


SEPARABLE = Surgery(
    "depthwise-separable convolutions for dense ones",
    lambda network: swap(network, _separated),
    "no dense convolution",
    "Howard et al. 2017, arXiv 1704.04861",
)
