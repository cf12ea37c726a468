"""Muon: the update of a hidden layer is the nearest orthogonal matrix to its momentum; AdamW does the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW

# Of the quintic iteration (Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024).
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5
# So that an update is as large as AdamW's and one learning rate serves both (Liu et al., "Muon is Scalable for LLM
# Training", 2025).
LIKE_ADAMW = 0.2


def orthogonalise(matrix: Tensor, steps: int = STEPS) -> Tensor:
    """Bring all singular values near 1 by Newton-Schulz iterations; singular vectors stay.

    Args:
        matrix: (m, n).
        steps: iterations; after five, singular values lie at .7 to 1.2, but for those that were almost 0.
    """
    a, b, c = COEFFICIENTS
    values: Tensor = matrix / (matrix.norm() + 1e-7)
    tall = len(matrix) > matrix.shape[1]
    if tall:
        values = values.T
    for _ in range(steps):
        gram = values @ values.T
        values = a * values + (b * gram + c * gram @ gram) @ values
    return values.T if tall else values


class Muon(AdamW):
    """Muon for the groups that have ``orthogonal`` set, AdamW for the others.

    PyTorch's own takes matrices only, and rounds to bfloat16 whatever the device: on a CPU without such units that is
    slower, and no test could hold it to the paper.

    Args:
        groups: `split_parameters` makes them.
        lr: of both.
        weight_decay: decoupled, of both.
        momentum: of the orthogonal groups.
        nesterov: look one step ahead, as published.
    """

    def __init__(
        self, groups: list[dict[str, Any]], lr: float, weight_decay: float, momentum: float, nesterov: bool
    ) -> None:
        self.momentum, self.nesterov = momentum, nesterov
        super().__init__(groups, lr=lr, weight_decay=weight_decay)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step; the gradients of the orthogonal groups are used up."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"] if group["orthogonal"] else ():
                if weight.grad is not None:
                    self._turn(weight, group["lr"], group["weight_decay"])
                    weight.grad = None  # AdamW passes over what has none
        super().step()
        return loss

    def _turn(self, weight: Tensor, lr: float, weight_decay: float) -> None:
        state = self.state[weight]
        if not state:
            # AdamW counts steps for every weight, and looks for the count when a checkpoint is loaded.
            state["step"] = torch.tensor(0.0)
            state["momentum_buffer"] = torch.zeros_like(weight)
        state["step"] += 1
        gradient, momentum = weight.grad, state["momentum_buffer"]
        assert gradient is not None
        momentum.mul_(self.momentum).add_(gradient)
        ahead = gradient.add(momentum, alpha=self.momentum) if self.nesterov else momentum
        # One row for each output channel of a convolution.
        update = orthogonalise(ahead.flatten(1))
        size = LIKE_ADAMW * max(update.shape) ** 0.5
        weight.mul_(1 - lr * weight_decay).add_(update.view(weight.shape), alpha=-lr * size)


def split_parameters(network: nn.Module) -> list[dict[str, Any]]:
    """Return two groups: the weights of hidden convolutions and linear layers, and all the rest.

    The rest is what the paper leaves to AdamW: the first and the last layer, biases, norms, embeddings. Depthwise
    convolutions are there too: their filters share no input, so that there is no matrix to make orthogonal.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, nn.modules.conv._ConvNd | nn.Linear)]
    hidden = [layer.weight for layer in layers[1:-1] if getattr(layer, "groups", 1) == 1 and layer.weight.requires_grad]
    chosen = {id(weight) for weight in hidden}
    rest = [weight for weight in network.parameters() if weight.requires_grad and id(weight) not in chosen]
    return [{"params": params, "orthogonal": params is hidden} for params in (hidden, rest) if params]
