"""BatchNorm's statistics brought up to date without a change of what the network answers."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def settle_norms(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give every BatchNorm the statistics of what really comes in, and let its scale and shift make up for them.

    After weights were set by other means than learning, the statistics are those of other weights. The network answers
    as it should with them, but learning would begin elsewhere: in training BatchNorm normalises by what comes in. Once
    settled, both are the same.

    Args:
        network: in evaluation; its BatchNorms have scale and shift.
        batches: (N, C, h, w) inputs.
    """
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d)]
    sums: dict[nn.Module, list[Tensor]] = {
        norm: [torch.zeros(3, norm.num_features, dtype=torch.float64)] for norm in norms
    }

    def look(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0].detach().transpose(0, 1).flatten(1)
        places = torch.full((len(values),), values.shape[1])
        sums[norm].append(torch.stack([places, values.sum(1), values.square().sum(1)]).double().cpu())

    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    try:
        with torch.no_grad():
            for inputs in batches:
                network(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    for norm in norms:
        places, total, squares = torch.stack(sums[norm]).sum(0)
        if (places > 0).all():
            mean = total / places
            _settle(norm, mean, (squares / places - mean.square()).clamp_min(0))


def _settle(norm: nn.BatchNorm2d | nn.BatchNorm1d, mean: Tensor, var: Tensor) -> None:
    """Change one layer's statistics, (C,) float64 each, and nothing of what it says."""
    assert norm.running_mean is not None and norm.running_var is not None
    with torch.no_grad():
        was = torch.sqrt(norm.running_var.double() + norm.eps)
        scale, offset = norm.weight.double() / was, mean.to(was) - norm.running_mean.double()
        norm.bias.add_((scale * offset).to(norm.bias))
        norm.weight.copy_(scale * torch.sqrt(var.to(was) + norm.eps))
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(var)
