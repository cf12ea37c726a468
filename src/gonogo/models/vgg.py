"""VGG-16 with BatchNorm for photos of 32x32 pixels.

Source: Simonyan and Zisserman 2014, arXiv 1409.1556, column D, in the form of Li et al. 2016, "Pruning Filters for
Efficient ConvNets", arXiv 1608.08710: BatchNorm after each convolution, one hidden layer of 512; 1.5e7 parameters and
3.13e8 multiply-adds.
"""

from __future__ import annotations

from dataclasses import dataclass

from gonogo.errors import UsageError
from gonogo.models.architecture import Architecture, Network, PoolingHead
from gonogo.models.pattern import last_width, pattern_body


@dataclass(frozen=True)
class VggOptions:
    """Shape of a VGG network.

    Attributes:
        pattern: the body, as `gonogo.models.pattern` has it. Of the five poolings the last one is the head's, an
            average, so that a photo of 32x32 pixels keeps a map of 2x2.
        hidden: width of the head's hidden layer, 0 for none.
        dropout: before the hidden layer.
    """

    pattern: str = "c64 c64 P c128 c128 P c256 c256 c256 P c512 c512 c512 P c512 c512 c512"
    hidden: int = 512
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if self.hidden < 0 or not 0 <= self.dropout < 1:
            raise UsageError("hidden starts at 0; dropout is 0 to below 1")


class Vgg(Network):
    """A VGG network; see `VggOptions`."""

    def __init__(self, num_classes: int, in_channels: int, options: VggOptions) -> None:
        super().__init__()
        self.body = pattern_body(options.pattern, in_channels, order="conv-bn-relu")
        self.head = PoolingHead(
            last_width(options.pattern),
            num_classes,
            pool="avg",
            hidden=options.hidden,
            dropout=options.dropout,
            one_logit=False,
        )


# What the published recipes for CIFAR-10 share, as far as ours can say it: mirrored, and shifted by 4 of 32 pixels.
CIFAR_RECIPE = {
    "batch_size": 128,
    "epochs": 160,
    "label_smoothing": 0.0,
    "hflip": True,
    "vflip": False,
    "rotate_degrees": 0.0,
    "scale_percent": 0.0,
    "shift_percent": 12.5,
    "brightness_levels": 0.0,
    "contrast_percent": 0.0,
}

VGG16_BN = Architecture(
    Vgg,
    VggOptions(),
    colour="rgb",
    recipe=CIFAR_RECIPE,
    source="arXiv 1608.08710",
    size=(32, 32),
)
