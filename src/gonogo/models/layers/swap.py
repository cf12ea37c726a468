"""What a surgery is: putting layers in the place of others, anywhere in a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.SiLU, nn.GELU, nn.Hardswish, nn.LeakyReLU)


@dataclass(frozen=True)
class Surgery:
    """An entry of the registry.

    Attributes:
        what: it does, for lists.
        operate: changes a network in place and returns how many layers it replaced or added.
        otherwise: what a network has where there is nothing to do, for the message.
        source: the paper.
    """

    what: str
    operate: Callable[[nn.Module], int]
    otherwise: str
    source: str


def swap(network: nn.Module, make: Callable[[nn.Module], nn.Module | None]) -> int:
    """Replace layers, wherever they are; what was put in is not searched again.

    Args:
        network: changed in place.
        make: from a layer to what takes its place, None to keep it.

    Returns:
        How many were replaced.
    """
    replaced = 0
    for name, child in list(network.named_children()):
        other = make(child)
        if other is None:
            replaced += swap(child, make)
        else:
            setattr(network, name, other)
            replaced += 1
    return replaced


def is_convolution(layer: nn.Module) -> bool:
    """Say whether it is a convolution that computes as PyTorch's own does; some libraries pad by the photo's size."""
    return isinstance(layer, nn.Conv2d) and type(layer).forward is nn.Conv2d.forward


def is_patches(layer: nn.Conv2d) -> bool:
    """Say whether it cuts the photo into patches that do not overlap, as transformers do."""
    return min(layer.kernel_size) > 1 and layer.kernel_size == layer.stride


def is_plain_sequence(module: nn.Module) -> bool:
    """Say whether a module does nothing but apply its children one after the other."""
    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward
