"""What criteria look at: weights, and what training photos do in the network."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gonogo.compress.prune.graph import Group, mask
from gonogo.compress.prune.moments import Reached, blank, outputs, readings, watch
from gonogo.models.architecture import Network
from gonogo.types import Float64Array, Int64Array

# Photos a step where gradients or maps are collected.
BATCH = 32
ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Hardswish, nn.LeakyReLU)
NORMS = (nn.BatchNorm2d, nn.BatchNorm1d)


@dataclass
class Evidence:
    """A network and the training photos that it is judged on.

    Attributes:
        network: in evaluation; criteria leave its weights as they are.
        photos: (N, C, h, w) float32, normalised.
        labels: (N,) class numbers.
        seed: of the random control.
    """

    network: Network
    photos: Tensor
    labels: Tensor
    seed: int = 0
    _maps: dict[str, Tensor] = field(default_factory=dict, init=False)

    def weight(self, layer: str) -> Tensor:
        """Return a layer's weight, float64 and without its history."""
        weight = self.network.get_submodule(layer).weight
        assert isinstance(weight, Tensor)
        return weight.detach().double()

    def filters(self, group: Group) -> list[Tensor]:
        """Return for each layer that makes the group's channels their filters: (C, F), 0 where it makes none."""
        return [
            placed(self.weight(m.layer).flatten(1)[torch.from_numpy(m.channels)], m.of, group.width)
            for m in group.made_by
        ]

    def scales(self, group: Group) -> list[Tensor]:
        """Return for each BatchNorm of the group the scales of its channels: (C,), 0 where it has none."""
        norms = [m for m in group.side("out") if isinstance(self.network.get_submodule(m.layer), NORMS)]
        return [placed(self.weight(m.layer)[torch.from_numpy(m.channels)], m.of, group.width) for m in norms]

    @cached_property
    def batch_gradients(self) -> list[dict[str, Tensor]]:
        """The gradient of the loss with respect to every weight, batch by batch."""
        return [self._gradient(*batch) for batch in self._batches(BATCH)]

    @cached_property
    def curvature(self) -> dict[str, Tensor]:
        """The mean over photos of the squared gradient, which stands for the diagonal of the Hessian."""
        total: dict[str, Tensor] = {}
        for batch in self._batches(1):
            for name, gradient in self._gradient(*batch).items():
                total[name] = total.get(name, torch.zeros_like(gradient)) + gradient.square() / len(self.labels)
        return total

    @cached_property
    def loss(self) -> float:
        """The loss of the network as it is."""
        return self._loss()

    def loss_without(self, group: Group, channel: int) -> float:
        """Return the loss where nothing reads one channel."""
        state = {m.layer: self.network.get_submodule(m.layer).weight for m in group.side("in")}
        before = {layer: weight.detach().clone() for layer, weight in state.items() if isinstance(weight, Tensor)}
        mask(self.network, {group: np.array([channel])})
        try:
            return self._loss()
        finally:
            with torch.no_grad():
                for layer, weight in before.items():
                    state[layer].copy_(weight)  # type: ignore[operator]

    def maps(self, group: Group) -> list[Tensor]:
        """Return for each layer that makes the group's channels what they show of the photos: (N, C, h, w) float32.

        Taken after the BatchNorm and the activation that follow the layer at once.
        """
        missing = [m.layer for m in group.made_by if m.layer not in self._maps]
        if missing:
            self._maps |= capture(self.network, self.photos, missing)
        found = []
        for m in group.made_by:
            values = self._maps[m.layer][:, torch.from_numpy(m.channels)]
            values = values[:, :, None, None] if values.ndim == 2 else values
            found.append(placed(values.transpose(0, 1), m.of, group.width).transpose(0, 1))
        return found

    def covariance(self, layer: str) -> Tensor:
        """Return how what a layer reads of the photos varies together, with a small ridge: (F, F) float64.

        Computed anew each time: those of wide layers would fill the memory.
        """
        module = self.network.get_submodule(layer)
        moments = blank(module)

        def look(_: str, inputs: Tensor, output: Tensor) -> None:
            moments.add(readings(module, inputs), outputs(output))
            raise Reached

        with watch(self.network, [layer], look), torch.no_grad():
            for photos, _ in self._batches(BATCH):
                with suppress(Reached):
                    self.network(photos)
        return moments.covariance

    def _batches(self, size: int) -> list[tuple[Tensor, Tensor]]:
        return list(zip(torch.split(self.photos, size), torch.split(self.labels, size), strict=True))

    def _loss(self) -> float:
        with torch.no_grad():
            total = sum(
                float(F.cross_entropy(self.network(photos).float(), labels, reduction="sum"))
                for photos, labels in self._batches(4 * BATCH)
            )
        return total / len(self.labels)

    def _gradient(self, photos: Tensor, labels: Tensor) -> dict[str, Tensor]:
        # Frozen layers are judged too; they learn nothing from it.
        named = {name: parameter for name, parameter in self.network.named_parameters() if name.endswith("weight")}
        learns = {name: parameter.requires_grad for name, parameter in named.items()}
        for parameter in named.values():
            parameter.requires_grad_(True)
        loss = F.cross_entropy(self.network(photos), labels)
        gradients = torch.autograd.grad(loss, list(named.values()))
        for name, parameter in named.items():
            parameter.requires_grad_(learns[name])
        return dict(zip(named, gradients, strict=True))


def placed(values: Tensor, of: Int64Array, width: int) -> Tensor:
    """Put what belongs to (M,) channels of a layer in the places of the group's: (M, ...) to (C, ...)."""
    whole = values.new_zeros(width, *values.shape[1:])
    whole[torch.from_numpy(of)] = values
    return whole


def total(scores: Sequence[Tensor]) -> Float64Array:
    """Add the scores of a group's layers up: (C,)."""
    return np.asarray(torch.stack([values.double() for values in scores]).sum(0).numpy(), dtype=np.float64)


def capture(network: Network, photos: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Return what each layer gives, after the BatchNorm and activation that follow it at once.

    Args:
        network: in evaluation.
        photos: (N, C, h, w).
        layers: names.

    Returns:
        (N, C', h', w') or (N, C') float32 by name.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in layers}
    current: dict[int, str] = {}
    alive: list[Tensor] = []
    latest: dict[str, Tensor] = {}

    def look(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        name = names[module]
        if name in found:
            start = name
        elif isinstance(module, (*NORMS, *ACTIVATIONS)) and id(inputs[0]) in current:
            start = current.pop(id(inputs[0]))
        else:
            return
        latest[start] = output.clone()  # an activation may work in place
        alive.append(output)  # or another tensor might be given its number
        if not isinstance(module, ACTIVATIONS):
            current[id(output)] = start

    names = {module: name for name, module in network.named_modules()}
    leaves = [module for module in names if not list(module.children())]
    hooks = [module.register_forward_hook(look) for module in leaves]
    try:
        with torch.no_grad():
            for batch in torch.split(photos, BATCH):
                network(batch)
                for name, values in latest.items():
                    found[name].append(values)
                current.clear()
                alive.clear()
                latest.clear()
    finally:
        for hook in hooks:
            hook.remove()
    return {name: torch.cat(values) for name, values in found.items()}
