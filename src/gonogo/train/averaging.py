"""Averages of the weights along the way: SWA over epochs, EMA over steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gonogo.train.recipe import Recipe

# From no argument to batches of inputs and labels, as the loader yields them.
Batches = Callable[[], Iterable[tuple[Tensor, Tensor]]]


def first_averaged(recipe: Recipe) -> int:
    """Return the epochs that pass before any average exists; weights of these are never kept."""
    return min(int(recipe.swa_start * recipe.epochs), recipe.epochs - 1) if recipe.averaging == "swa" else 0


def ema_decay(decay: float, averaged: int) -> float:
    """Return the decay at a step: the first ones forget faster, so that the start is not in the average for ever.

    Args:
        decay: the largest.
        averaged: the steps that are in the average already; min(decay, (1 + n) / (10 + n)), as TensorFlow's
            ExponentialMovingAverage has it.
    """
    return min(decay, (1 + averaged) / (10 + averaged))


def _ema(decay: float) -> Callable[[Any, Any, Any], None]:
    def update(averages: Any, weights: Any, averaged: Any) -> None:
        moving = get_ema_multi_avg_fn(ema_decay(decay, int(averaged)))  # type: ignore[no-untyped-call]
        moving(averages, weights, averaged)

    return update


class Averaging:
    """The average of a network's weights: none, SWA (Izmailov et al., UAI 2018) or EMA.

    Args:
        network: on its device.
        recipe: which average.
    """

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        self.kind, self.first = recipe.averaging, first_averaged(recipe)
        self.model: AveragedModel | None = None
        if self.kind == "swa":
            self.model = AveragedModel(network)
        elif self.kind == "ema":
            # BatchNorm's statistics are averaged with the weights that they belong to.
            self.model = AveragedModel(network, multi_avg_fn=_ema(recipe.ema_decay), use_buffers=True)

    def end_step(self, network: nn.Module) -> None:
        """Take the weights after a step into the average."""
        if self.kind == "ema" and self.model is not None:
            self.model.update_parameters(network)

    def end_epoch(self, network: nn.Module, epoch: int) -> None:
        """Take the weights after an epoch, counted from 0, into the average."""
        if self.kind == "swa" and self.model is not None and epoch >= self.first:
            self.model.update_parameters(network)

    @contextmanager
    def applied(self, network: nn.Module, forward: nn.Module, batches: Batches) -> Iterator[None]:
        """Give the network the averaged weights for a while; nothing changes where there is no average yet.

        Args:
            network: whose weights are exchanged.
            forward: the same network, perhaps wrapped; called to estimate BatchNorm's statistics anew for SWA.
            batches: of the training photos.
        """
        if self.model is None or not int(self.model.n_averaged):
            yield
            return
        own = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        network.load_state_dict(self.model.module.state_dict())
        if self.kind == "swa":
            estimate_norms(network, forward, batches)
        try:
            yield
        finally:
            network.load_state_dict(own)

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint must hold; nothing where nothing is averaged."""
        return {} if self.model is None else dict(self.model.state_dict())

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from a checkpoint."""
        if self.model is not None:
            self.model.load_state_dict(state)


def estimate_norms(network: nn.Module, forward: nn.Module, batches: Batches) -> None:
    """Estimate the statistics of BatchNorm anew as the mean over all batches, for weights that were never trained.

    `torch.optim.swa_utils.update_bn` does the same, but also forgets the statistics of frozen layers, which stay in
    evaluation and get no new ones.

    Args:
        network: whose layers are changed.
        forward: the same network, perhaps wrapped.
        batches: of the training photos.
    """
    forward.train()
    norms = [layer for layer in network.modules() if isinstance(layer, _BatchNorm) and layer.training]
    momenta = [norm.momentum for norm in norms]
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches, each counting alike
    with torch.no_grad():
        for inputs, _ in batches():
            forward(inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
