"""What a network costs: multiply-adds of its convolutions and linear layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def count_macs(network: nn.Module, in_channels: int, size: tuple[int, int]) -> int:
    """Return the multiply-adds for one photo, counted while it runs.

    Args:
        network: takes (N, C, h, w).
        in_channels: C.
        size: h and w.
    """
    total = 0

    def convolution(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        total += output[0].numel() * module.weight[0].numel()

    def linear(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Linear)
        total += output[0].numel() * module.in_features

    hooks = [
        module.register_forward_hook(convolution if isinstance(module, nn.Conv2d) else linear)
        for module in network.modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            network(torch.zeros(1, in_channels, *size))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return total
