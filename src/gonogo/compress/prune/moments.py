"""What layers read of training photos, and what they should say to it: second moments, added up batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# A step of so many photos keeps what layers read within the caches' reach.
BATCH = 32
# Added to each reading's variance, as a share of the mean variance: readings may say the same twice.
RIDGE = 1e-4
# The covariance of more would fill the memory.
MOST_READINGS = 8192


class Moments:
    """Means and covariances of what a layer reads, and of it with what the layer should say.

    Args:
        readings: F, how many numbers the layer reads at one place.
        outputs: O, how many it says there.
    """

    def __init__(self, readings: int, outputs: int) -> None:
        self.places = 0
        self._gram = torch.zeros(readings + 1, readings + 1, dtype=torch.float64)
        self._crossed = torch.zeros(readings + 1, outputs, dtype=torch.float64)

    def add(self, read: Tensor, wanted: Tensor) -> None:
        """Add (P, F) readings of P places and the (P, O) outputs that are wanted there."""
        with_one = torch.cat([read, read.new_ones(len(read), 1)], 1)
        self._gram += (with_one.T @ with_one).double()
        self._crossed += (with_one.T @ wanted).double()
        self.places += len(read)

    @property
    def read(self) -> Tensor:
        """The mean reading: (F,) float64."""
        return self._gram[-1, :-1] / self.places

    @property
    def wanted(self) -> Tensor:
        """The mean output: (O,) float64."""
        return self._crossed[-1] / self.places

    @property
    def covariance(self) -> Tensor:
        """Of the readings, with the ridge: (F, F) float64."""
        return ridged(self._gram[:-1, :-1] / self.places - torch.outer(self.read, self.read))

    @property
    def crossed(self) -> Tensor:
        """Covariance of the readings with the outputs: (F, O) float64."""
        crossed: Tensor = self._crossed[:-1] / self.places - torch.outer(self.read, self.wanted)
        return crossed

    def solve(self, *, free: bool) -> tuple[Tensor, Tensor]:
        """Return the weights (F, O) and the offset (O,) that say most nearly what is wanted.

        Args:
            free: whether there is an offset; otherwise it is 0.
        """
        if not free:
            gram = self._gram[:-1, :-1] / self.places
            return torch.linalg.solve(ridged(gram), self._crossed[:-1] / self.places), torch.zeros_like(self.wanted)
        weight = torch.linalg.solve(self.covariance, self.crossed)
        return weight, self.wanted - self.read @ weight


def ridged(square: Tensor) -> Tensor:
    """Add the ridge to the diagonal of a covariance."""
    # Not less than nothing at all: a layer of readings that never change still has a solution.
    ridge = RIDGE * square.diagonal().mean() + torch.finfo(torch.float64).tiny ** 0.5
    with_ridge: Tensor = square + ridge * torch.eye(len(square), dtype=torch.float64)
    return with_ridge


def can_be_solved(layer: nn.Module) -> bool:
    """Say whether what a layer says is one linear function of what it reads, the same at every place."""
    if isinstance(layer, nn.Conv2d):
        plain = layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
        return plain and layer.weight[0].numel() <= MOST_READINGS
    return isinstance(layer, nn.Linear) and layer.in_features <= MOST_READINGS


def readings(layer: nn.Module, inputs: Tensor) -> Tensor:
    """Turn what comes into a layer into what it reads at each place it answers for.

    Args:
        layer: that can be solved.
        inputs: (N, C, h, w) of a convolution, (N, C) of a linear layer.

    Returns:
        (P, F): the window channel by channel, as the layer's weights lie.
    """
    if isinstance(layer, nn.Linear):
        return inputs.reshape(-1, inputs.shape[-1])
    assert isinstance(layer, nn.Conv2d)
    assert not isinstance(layer.padding, str)
    if layer.kernel_size == (1, 1) and not any(map(int, layer.padding)):
        picked = inputs[:, :, :: layer.stride[0], :: layer.stride[1]]
        return picked.movedim(1, -1).reshape(-1, inputs.shape[1])
    windows = F.unfold(inputs, layer.kernel_size, layer.dilation, layer.padding, layer.stride)
    return windows.movedim(1, -1).reshape(-1, windows.shape[1])


def outputs(values: Tensor) -> Tensor:
    """Turn (N, O, h, w) or (N, O) outputs into (P, O), in the order of `readings`."""
    return values.movedim(1, -1).reshape(-1, values.shape[1])


def blank(layer: nn.Module) -> Moments:
    """Return moments of nothing yet for a layer that can be solved."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return Moments(weight.flatten(1).shape[1], weight.shape[0])


class Reached(Exception):  # noqa: N818  nothing is wrong
    """Ends a pass through a network at the last layer that is asked for."""


@contextmanager
def watch(network: nn.Module, layers: Sequence[str], look: Callable[[str, Tensor, Tensor], None]) -> Iterator[None]:
    """Show what comes into some layers and what they say, whenever the network is asked.

    Args:
        network: any.
        layers: names.
        look: called with a layer's name, what came in and what came out; `Reached` raised there ends the pass.
    """
    hooks = [
        network.get_submodule(name).register_forward_hook(
            lambda _, inputs, output, name=name: look(name, inputs[0], output)
        )
        for name in layers
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
