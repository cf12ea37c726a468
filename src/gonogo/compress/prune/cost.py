"""What a network costs once channels are gone, without building it: exact, and quick enough to search with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gonogo.models.architecture import Network
from gonogo.models.cost import dry_run
from gonogo.models.pruned import Pruning

WEIGHTED = (nn.Conv2d, nn.Linear)


@dataclass(frozen=True)
class LayerCost:
    """One layer.

    Attributes:
        wide: channels it gives.
        deep: channels it takes; 1 for a depthwise convolution and a BatchNorm, which lose both at once.
        each: multiply-adds of one channel given for one taken.
        weights: parameters of one channel given for one taken.
        biases: parameters, and statistics, of one channel given.
    """

    wide: int
    deep: int
    each: int
    weights: int
    biases: int


@dataclass(frozen=True)
class Cost:
    """Of a whole network: multiply-adds of one photo, and parameters with BatchNorm's statistics."""

    macs: int
    params: int


class CostModel:
    """Costs of one network with channels gone.

    Args:
        network: as it is before.
        in_channels: C of its input.
        size: h and w of its input.
    """

    def __init__(self, network: Network, in_channels: int, size: tuple[int, int]) -> None:
        places: dict[nn.Module, int] = {}

        def look(module: nn.Module, _: object, output: Tensor) -> None:
            per_channel = output[0].numel() // output.shape[1 if isinstance(module, nn.Conv2d) else -1]
            places[module] = places.get(module, 0) + per_channel

        hooks = [m.register_forward_hook(look) for m in network.modules() if isinstance(m, WEIGHTED)]
        try:
            dry_run(network, (1, in_channels, *size))
        finally:
            for hook in hooks:
                hook.remove()
        self.layers = {
            name: _layer_cost(module, places.get(module, 0))
            for name, module in network.named_modules()
            if list(module.parameters(recurse=False))
        }

    def __call__(self, pruning: Pruning) -> Cost:
        """Return the cost after a step that takes channels out."""
        macs, params = 0, 0
        for name, layer in self.layers.items():
            lost = pruning.channels.get(name, {})
            wide = layer.wide - len(lost.get("out", ()))
            deep = layer.deep - (len(lost.get("in", ())) if layer.deep > 1 else 0)
            macs += wide * deep * layer.each
            params += wide * deep * layer.weights + wide * layer.biases
        return Cost(macs, params)


def _layer_cost(module: nn.Module, places: int) -> LayerCost:
    own = sum(p.numel() for p in module.parameters(recurse=False))
    if isinstance(module, WEIGHTED):
        weight = module.weight
        wide, depth = weight.shape[:2]
        bias = 0 if module.bias is None else 1
        window = int(torch.Size(weight.shape[2:]).numel())
        return LayerCost(wide, depth, places * window, window, bias)
    statistics = sum(b.numel() for b in module.buffers(recurse=False) if b.is_floating_point())
    wide = next(module.parameters(recurse=False)).shape[0]
    return LayerCost(wide, 1, 0, 0, (own + statistics) // wide)
