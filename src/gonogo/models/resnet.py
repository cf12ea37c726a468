"""Residual networks for photos of 32x32 pixels: the first form, and the one whose blocks begin with their BatchNorm.

Sources: He et al. 2015, "Deep Residual Learning for Image Recognition", arXiv 1512.03385, section 4.2, with shortcuts
that have no parameters (option A); He et al. 2016, "Identity Mappings in Deep Residual Networks", arXiv 1603.05027, as
Keras' example for CIFAR-10 has it, which the steel-sheet study took.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gonogo.errors import UsageError
from gonogo.models.architecture import Architecture, Network, PoolingHead, Pretraining
from gonogo.models.pretrained import LEVELS
from gonogo.models.vgg import CIFAR_RECIPE
from gonogo.models.weights import match_weights

STAGES = 3
STEM = 16
CLASSIFIER = "linear."


def _keras_norm(channels: int) -> nn.BatchNorm2d:
    """Return a BatchNorm with Keras' defaults."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Subsample(nn.Conv2d):
    """Every second pixel of each channel, with channels of zeros before and after them, as a fixed 1x1 convolution.

    This is option A of the paper to the bit. Written as a slice and a padding it would cost ONNX Runtime the layout in
    which it computes convolutions fastest, and libraries that prune cannot follow a padding of channels.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 1, stride=2, bias=False)
        before = (out_channels - in_channels) // 2
        weight = torch.zeros_like(self.weight)
        weight[range(before, before + in_channels), range(in_channels)] = 1
        self.weight = nn.Parameter(weight, requires_grad=False)


class Residual(nn.Module):
    """A block: what it computes added to what came in.

    Args:
        computed: the block's layers.
        shortcut: makes what came in fit; None where it fits.
        activation: of the sum; None for none.
    """

    def __init__(self, computed: nn.Sequential, shortcut: nn.Module | None, activation: nn.Module | None) -> None:
        super().__init__()
        self.computed = computed
        self.shortcut = shortcut or nn.Identity()
        self.activation = activation or nn.Identity()

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn (N, C, h, w) into (N, C', h', w')."""
        outputs: Tensor = self.activation(self.computed(inputs) + self.shortcut(inputs))
        return outputs


@dataclass(frozen=True)
class ResNetOptions:
    """Shape of a residual network.

    Attributes:
        blocks: in each of the three stages: n of depth 6 n + 2, of the second form 9 n + 2.
    """

    blocks: int = 3

    def __post_init__(self) -> None:
        if self.blocks < 1:
            raise UsageError(f"found blocks={self.blocks}, expected 1 or more")


def _conv(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)


class ResNet(Network):
    """The first form; see `ResNetOptions`."""

    body: nn.Sequential

    def __init__(self, num_classes: int, in_channels: int, options: ResNetOptions) -> None:
        super().__init__()
        width = STEM
        stages: list[nn.Module] = [nn.Sequential(_conv(in_channels, width), nn.BatchNorm2d(width), nn.ReLU())]
        for stage in range(STAGES):
            for block in range(options.blocks):
                halves = stage > 0 and block == 0
                stages.append(self._block(width, width * 2 if halves else width))
                width *= 2 if halves else 1
        self.body = nn.Sequential(*stages)
        self.head = PoolingHead(width, num_classes, pool="avg", hidden=0, dropout=0.0, one_logit=False)

    def _block(self, in_channels: int, width: int) -> Residual:
        halves = width != in_channels
        computed = nn.Sequential(
            _conv(in_channels, width, 2 if halves else 1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            _conv(width, width),
            nn.BatchNorm2d(width),
        )
        return Residual(computed, Subsample(in_channels, width) if halves else None, nn.ReLU())


class ResNetV2(Network):
    """The second form, of bottlenecks; see `ResNetOptions`."""

    def __init__(self, num_classes: int, in_channels: int, options: ResNetOptions) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(in_channels, STEM, 3, padding=1), _keras_norm(STEM), nn.ReLU())
        stages: list[nn.Module] = [stem]
        channels, inner = STEM, STEM
        for stage in range(STAGES):
            out = inner * 4 if stage == 0 else channels * 2
            for block in range(options.blocks):
                # The stem's own BatchNorm and ReLU stand before the very first block.
                normed = stage == 0 and block == 0
                stride = 2 if stage > 0 and block == 0 else 1
                stages.append(self._block(channels, inner, out, stride, normed))
                channels = out
            inner = out
        last = nn.Sequential(_keras_norm(channels), nn.ReLU())
        self.body = nn.Sequential(*stages, last)
        self.head = PoolingHead(channels, num_classes, pool="avg", hidden=0, dropout=0.0, one_logit=False)

    def _block(self, in_channels: int, inner: int, out_channels: int, stride: int, normed: bool) -> Residual:
        def norm(width: int) -> list[nn.Module]:
            return [_keras_norm(width), nn.ReLU()]

        computed = nn.Sequential(
            *([] if normed else norm(in_channels)),
            nn.Conv2d(in_channels, inner, 1, stride),
            *norm(inner),
            nn.Conv2d(inner, inner, 3, padding=1),
            *norm(inner),
            nn.Conv2d(inner, out_channels, 1),
        )
        fits = in_channels == out_channels
        return Residual(computed, None if fits else nn.Conv2d(in_channels, out_channels, 1, stride), None)


def load_weights(network: Network, options: ResNetOptions, weights: Mapping[str, Tensor]) -> None:
    """Put weights into a residual network of the first form; with as many classes, the classifier too.

    Args:
        network: of these options, three input channels.
        options: its options.
        weights: a state dict of the same layers in the same order, its classifier called "linear", if it has one.

    Raises:
        UsageError: weights of another network.
    """
    assert isinstance(network, ResNet)
    expected = {name: tensor for name, tensor in network.body.state_dict().items() if "shortcut" not in name}
    head = network.head.state_dict()
    given = {name: tensor for name, tensor in weights.items() if name.startswith(CLASSIFIER)}
    fitting = match_weights(expected, weights, f"a ResNet-{6 * options.blocks + 2}", classifier=CLASSIFIER)
    for name, tensor in fitting.items():
        expected[name].copy_(tensor)
    if [tensor.shape for tensor in given.values()] == [tensor.shape for tensor in head.values()]:
        for own, tensor in zip(head.values(), given.values(), strict=True):
            own.copy_(tensor)


def _first_form(blocks: int) -> Architecture:
    depth = 6 * blocks + 2
    return Architecture(
        ResNet,
        ResNetOptions(blocks),
        colour="rgb",
        recipe=CIFAR_RECIPE,
        source="arXiv 1512.03385",
        pretraining=Pretraining(
            what=f"a ResNet-{depth}'s that was trained on CIFAR-10",
            levels=lambda _: LEVELS["imagenet"],
            load=load_weights,
            required=False,
        ),
        size=(32, 32),
    )


def _second_form(blocks: int) -> Architecture:
    return Architecture(
        ResNetV2,
        ResNetOptions(blocks),
        colour="rgb",
        recipe={**CIFAR_RECIPE, "batch_size": 32, "epochs": 200, "optimizer": "adam", "lr": 1e-3, "weight_decay": 0.0},
        source="arXiv 1603.05027",
        size=(32, 32),
    )


RESNET20, RESNET56 = _first_form(3), _first_form(9)
RESNET20_V2, RESNET47_V2, RESNET65_V2 = _second_form(2), _second_form(5), _second_form(7)
