"""Which comes first after a convolution, BatchNorm or ReLU.

Before the ReLU a BatchNorm folds into the convolution and costs nothing once trained (Ioffe and Szegedy 2015, arXiv
1502.03167, section 3.2); the studies of castings and of steel sheet have it after the ReLU.
"""

from __future__ import annotations

from torch import nn

from gonogo.models.layers.separable import SeparableConv2d
from gonogo.models.layers.swap import ACTIVATIONS, Surgery, is_plain_sequence, swap


def norm_first(network: nn.Module) -> int:
    """Turn convolution, ReLU, BatchNorm into convolution, BatchNorm, ReLU; return how often."""
    return _exchange(network, ACTIVATIONS, (nn.BatchNorm2d,), bias=False)


def relu_first(network: nn.Module) -> int:
    """Turn convolution, BatchNorm, ReLU into convolution, ReLU, BatchNorm; return how often."""
    return _exchange(network, (nn.BatchNorm2d,), ACTIVATIONS, bias=True) + swap(network, _taken_apart)


def _exchange(
    network: nn.Module, first: tuple[type[nn.Module], ...], second: tuple[type[nn.Module], ...], *, bias: bool
) -> int:
    """Exchange two layers after each convolution of a plain sequence; give its bias or take it.

    A convolution needs a bias of its own only where no BatchNorm follows at once.
    """
    exchanged = sum(_exchange(child, first, second, bias=bias) for child in network.children())
    if not is_plain_sequence(network):
        return exchanged
    children = list(network.named_children())
    for (_, layer), (name, one), (other_name, other) in zip(children, children[1:], children[2:], strict=False):
        convolution = layer[1] if isinstance(layer, SeparableConv2d) else layer
        if isinstance(convolution, nn.Conv2d) and isinstance(one, first) and isinstance(other, second):
            setattr(network, name, other)
            setattr(network, other_name, one)
            _set_bias(convolution, bias)
            exchanged += 1
    return exchanged


def _set_bias(convolution: nn.Conv2d, bias: bool) -> None:
    if not bias:
        convolution.bias = None
    elif convolution.bias is None:
        weight = convolution.weight
        convolution.bias = nn.Parameter(weight.new_zeros(weight.shape[0]), requires_grad=weight.requires_grad)


def _taken_apart(layer: nn.Module) -> nn.Module | None:
    """Return activation and BatchNorm of timm's one layer for both, in this order."""
    activation = getattr(layer, "act", None)
    if not isinstance(layer, nn.BatchNorm2d) or not isinstance(activation, ACTIVATIONS):
        return None
    norm = nn.BatchNorm2d(layer.num_features, layer.eps, layer.momentum)
    norm.load_state_dict(layer.state_dict())
    for own, tensor in zip(norm.parameters(), layer.parameters(), strict=True):
        own.requires_grad_(tensor.requires_grad)
    return nn.Sequential(activation, norm)


NORM_FIRST = Surgery(
    "BatchNorm before the ReLU",
    norm_first,
    "no convolution, ReLU and BatchNorm in this order",
    "Ioffe and Szegedy 2015, arXiv 1502.03167",
)
RELU_FIRST = Surgery(
    "BatchNorm after the ReLU",
    relu_first,
    "no convolution, BatchNorm and ReLU in this order",
    "arXiv 2205.07118",
)
