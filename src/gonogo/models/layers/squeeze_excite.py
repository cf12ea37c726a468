"""Squeeze-and-excitation: each channel is weighed by what all channels are like over the whole photo.

Source: Hu et al. 2018, "Squeeze-and-Excitation Networks", arXiv 1709.01507, section 3; without biases, as in its last
version.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gonogo.models.layers.separable import SeparableConv2d
from gonogo.models.layers.swap import ACTIVATIONS, Surgery, is_convolution, is_patches, is_plain_sequence

# The paper's. Below LEAST hidden channels there would be next to nothing to tell photos apart by.
REDUCTION, LEAST = 16, 4


class SqueezeExcite(nn.Module):
    """Weigh each channel by a number from 0 to 1.

    Args:
        channels: of the features.
        reduction: by how much the hidden layer is narrower; it has 4 channels at least.
    """

    def __init__(self, channels: int, reduction: int = REDUCTION) -> None:
        super().__init__()
        hidden = max(channels // reduction, LEAST)
        self.squeeze = nn.Linear(channels, hidden, bias=False)
        self.excite = nn.Linear(hidden, channels, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Turn (N, C, h, w) into (N, C, h, w)."""
        weights = torch.sigmoid(self.excite(torch.relu(self.squeeze(features.mean((2, 3))))))
        return features * weights[:, :, None, None]


def is_window(layer: nn.Module) -> bool:
    """Say whether it is a convolution, separable or not, of more than one place, and not of patches side by side."""
    if isinstance(layer, SeparableConv2d):
        return True
    return (
        isinstance(layer, nn.Conv2d) and is_convolution(layer) and max(layer.kernel_size) > 1 and not is_patches(layer)
    )


def _channels(layer: nn.Module) -> int:
    """Return how many channels come out of a convolution, separable or not."""
    return [part.out_channels for part in layer.modules() if isinstance(part, nn.Conv2d)][-1]


def add_squeeze_excite(network: nn.Module) -> int:
    """Weigh the channels after each convolution that sees more than one place.

    In a plain sequence this comes after the BatchNorm and the activation that follow the convolution; in other modules,
    which may use an activation more than once, after the BatchNorm that is named next.

    Returns:
        To how many convolutions it was added.
    """
    added = 0
    children = list(network.named_children())
    follows = (nn.BatchNorm2d, *ACTIVATIONS) if is_plain_sequence(network) else (nn.BatchNorm2d,)
    for place, (name, child) in enumerate(children):
        if name == "shortcut" or isinstance(child, SqueezeExcite):
            continue
        if not is_window(child):
            added += add_squeeze_excite(child)
            continue
        channels, last = _channels(child), (name, child)
        for following in children[place + 1 :]:
            if not isinstance(following[1], follows) or getattr(following[1], "num_features", channels) != channels:
                break
            last = following
        setattr(network, last[0], nn.Sequential(last[1], SqueezeExcite(channels)))
        added += 1
    return added


SQUEEZE_EXCITE = Surgery(
    "weigh channels by the whole photo",
    add_squeeze_excite,
    "no convolution that sees more than one place",
    "Hu et al. 2018, arXiv 1709.01507",
)
