"""What a network costs: multiply-adds."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode


def dry_run(network: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """Return what a network answers as a tensor that has a shape and no content; nothing is computed.

    Args:
        network: answers as in evaluation, and keeps the mode it is in.
        shape: of its input.

    Raises:
        RuntimeError: the network does not take such an input.
    """
    tensors = {name: tensor.to("meta") for name, tensor in [*network.named_parameters(), *network.named_buffers()]}
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            output: Tensor = functional_call(network, tensors, torch.zeros(shape, device="meta"))
    finally:
        network.train(training)
    return output


def count_macs(network: nn.Module, in_channels: int, size: tuple[int, int]) -> int:
    """Return the multiply-adds for one photo: of convolutions, linear layers and attention's matrix products.

    Additions of a bias, norms, activations and pooling are not counted, as is usual. A large photo costs no more to
    count than a small one.

    Args:
        network: takes (N, C, h, w).
        in_channels: C.
        size: h and w.

    Raises:
        RuntimeError: the photo is too small for the network.
    """
    with FlopCounterMode(display=False) as counter:
        dry_run(network, (1, in_channels, *size))
    return int(counter.get_total_flops()) // 2
