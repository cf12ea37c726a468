"""Stumps: the first blocks of a pretrained MobileNetV2, each channel's statistics over the photo, a linear head.

With few parts, early features learnt elsewhere tell more than any features learnt from those parts;
`docs/experiments.md` has the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from gonogo.errors import DataError, UsageError
from gonogo.models.architecture import Architecture, Network, Pretraining
from gonogo.models.mobilenet import LAST_BLOCK, mobilenet_v2_features
from gonogo.models.pretrained import FINE_TUNING, LEVELS, PretrainedNetwork, make_head
from gonogo.models.weights import match_weights

HUB_URL = "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth"
# What torchvision's two files begin with, as their names say; both expect ImageNet's levels.
HUB_HASHES = ("b0353104", "7ebf99e0")


@dataclass(frozen=True)
class StumpOptions:
    """Shape of a stump.

    Attributes:
        cut: the last block that is kept, 0 (the stem) to 18 (all); what follows it is thrown away.
        statistics: of each channel over the photo, some of avg, max and std.
        levels: what the weights expect of the pixels: "half" for x / 127.5 - 1, "imagenet" for torchvision's files.
        unfrozen: how many of the last blocks learn; the others keep the weights they came with.
        axes: directions of the distance from good parts that have a variance of their own, where there is no defect to
            learn from; found on the photos. 0 for a linear head.
    """

    cut: int = 7
    statistics: tuple[Literal["avg", "max", "std"], ...] = ("avg", "max", "std")
    levels: Literal["half", "imagenet"] = "half"
    unfrozen: int = 0
    axes: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.cut <= LAST_BLOCK:
            raise UsageError(f"found cut={self.cut}, expected 0 to {LAST_BLOCK}")


class Stump(PretrainedNetwork):
    """A stump; see `StumpOptions`."""

    body: nn.Sequential
    watched = -1  # what was learnt elsewhere overlooks nothing, and the last stage says most

    def __init__(self, num_classes: int, in_channels: int, options: StumpOptions) -> None:
        super().__init__()
        self.body = mobilenet_v2_features(in_channels, options.cut)
        self.unfreeze(options.unfrozen)
        channels = [layer.out_channels for layer in self.body.modules() if isinstance(layer, nn.Conv2d)][-1]
        self.head = make_head(channels, num_classes, options.statistics, options.axes)

    def stages(self) -> list[list[nn.Parameter]]:
        """Return the blocks' parameters."""
        return [list(block.parameters()) for block in self.body]


def load_backbone(network: Network, options: StumpOptions, weights: Mapping[str, Tensor]) -> None:
    """Put MobileNetV2's weights into a stump; for one channel the stem is folded, exactly.

    On a grey photo the three channels are equal, and so a convolution answers the same as one with the sum of its
    weights over them - also at the border, where a colour network pads with zeros, only if the channels share one mean.

    Args:
        network: a stump.
        options: its options.
        weights: a state dict with torchvision's or timm's names, three input channels.

    Raises:
        UsageError: weights of another network, or a stem that cannot be folded.
    """
    assert isinstance(network, Stump)
    with torch.device("meta"):
        whole = mobilenet_v2_features(3, LAST_BLOCK)
    expected = {f"features.{name}": tensor for name, tensor in whole.state_dict().items()}
    fitting = match_weights(expected, weights, "MobileNetV2", classifier="classifier.")
    own = network.body.state_dict()
    for name, tensor in own.items():
        source = fitting.get(f"features.{name}", tensor)
        tensor.copy_(_fold(source, options) if source.shape[1:2] == (3,) and tensor.shape[1] == 1 else source)


def _fold(stem: Tensor, options: StumpOptions) -> Tensor:
    """Sum a (C, 3, k, k) stem over its channels: (C, 1, k, k)."""
    levels = LEVELS[options.levels]
    if len(set(levels.mean)) > 1 or len(set(levels.std)) > 1:
        raise UsageError(
            f"levels={options.levels} has another mean for each colour, which one channel cannot follow at the border; "
            "give --colour rgb: a grey camera's channel is then repeated"
        )
    return stem.sum(1, keepdim=True)


def fetch_weights(options: StumpOptions) -> Mapping[str, Tensor]:
    """Download torchvision's weights into PyTorch's own cache.

    Raises:
        UsageError: the options expect other grey levels than these weights.
        DataError: the hub cannot be reached, or the file is not what its name says.
    """
    if options.levels != "imagenet":
        raise UsageError("the hub's weights expect ImageNet's levels; add --with levels=imagenet --colour rgb")
    try:
        state: Mapping[str, Tensor] = torch.hub.load_state_dict_from_url(
            HUB_URL, map_location="cpu", check_hash=True, weights_only=True, progress=False
        )
    except (OSError, RuntimeError) as error:
        raise DataError(f"cannot fetch {HUB_URL} ({error}); fetch it elsewhere and give --weights FILE") from error
    return state


STUMP = Architecture(
    Stump,
    StumpOptions(),
    recipe=FINE_TUNING,
    source="MobileNetV2, arXiv 1801.04381, cut short",
    pretraining=Pretraining(
        what="MobileNetV2's",
        levels=lambda options: LEVELS[options.levels],
        load=load_backbone,
        fetch=fetch_weights,
        known={start: {"levels": "imagenet"} for start in HUB_HASHES},
    ),
    variants=({"cut": 4}, {"cut": 7}, {"cut": 12}),
)
