"""How unlike everything in training a photo is: a distance in pooled features, cheap enough for every photo.

Along the few directions in which training photos differ most, each direction counts by its own variance; what lies
outside of them counts by the little variance that is left there. Source: the feature reconstruction error beside the
distance in feature space of Moghaddam and Pentland, ICCV 1995.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gonogo.types import Float64Array

# A channel that is 0 everywhere, in training and in this photo, adds nothing.
LEAST_LENGTH = 1e-12


def pool(features: Tensor) -> Tensor:
    """Turn (N, C, h, w) features into (N, 3 C): each channel's average, maximum and root mean square."""
    area = features.shape[2] * features.shape[3]
    length = torch.linalg.vector_norm(features, dim=(2, 3)) / area**0.5
    return torch.cat([features.mean((2, 3)), features.amax((2, 3)), length], 1)


@dataclass(frozen=True)
class Spread:
    """How the pooled features of training photos are spread.

    Attributes:
        mean: (F,).
        std: (F,), above 0.
        axes: (k, F) orthonormal, of standardised features.
        variances: (k,) along the axes.
        rest: what the squared length in all other directions counts by: a share of the variances there.
    """

    mean: Float64Array
    std: Float64Array
    axes: Float64Array
    variances: Float64Array
    rest: float


class Novelty(nn.Module):
    """The distance of a photo, as a share of the limit: above 1 it is unlike everything in training.

    Args:
        features: F, how many numbers `pool` gives.
        axes: k, how many directions have a variance of their own.
    """

    scale: Tensor
    shift: Tensor
    axes: Tensor
    weights: Tensor

    def __init__(self, features: int, axes: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(features))
        self.register_buffer("shift", torch.zeros(features))
        self.register_buffer("axes", torch.zeros(features, axes))
        self.register_buffer("weights", torch.zeros(axes))

    @classmethod
    def of(cls, spread: Spread, limit: float) -> Novelty:
        """Fold a spread and the distance that is called 1 into few numbers.

        The distance is the mean of the squared places along the axes, each over its variance, plus the squared length
        of what is left over the variance there.
        """
        k = len(spread.variances)
        module = cls(len(spread.mean), k)
        # Of values already divided by the root of rest * limit: all of their squared length, less the axes' share.
        unit = (spread.rest * limit) ** 0.5
        scale = 1 / (spread.std * unit)
        weights = spread.rest / (k * spread.variances) - 1
        values = {"scale": scale, "shift": -spread.mean * scale, "axes": spread.axes.T, "weights": weights}
        module.load_state_dict({name: torch.from_numpy(value.copy()).float() for name, value in values.items()})
        return module.eval()

    @classmethod
    def load(cls, tensors: Mapping[str, Tensor]) -> Novelty:
        """Build one from its state dict."""
        module = cls(*tensors["axes"].shape)
        module.load_state_dict(dict(tensors))
        return module.eval()

    def forward(self, features: Tensor) -> Tensor:
        """Turn (N, C, h, w) features into (N,) distances."""
        values = pool(features) * self.scale + self.shift
        along = values @ self.axes
        return values.square().sum(1) + along.square() @ self.weights

    def shares(self, features: Tensor) -> Tensor:
        """Return (N, h, w), what each place of (N, C, h, w) features adds to the distance; their mean is the distance.

        The distance is a sum over pooled features, each off by some amount and weighed by what the others are off by.
        An average is off by the mean of what its places are off by, and the same holds for the mean of squares below a
        root. What a maximum exceeds the usual one by is shared out among the places that exceed it, by how much they do
        (one place alone would lose it to another as soon as two are nearly equal); what it lacks is shared evenly.
        """
        n, channels, height, width = features.shape
        pooled = pool(features)
        values = pooled * self.scale + self.shift
        pull = values + (values @ self.axes * self.weights) @ self.axes.T
        average, _, length = (pull * self.scale).view(n, 3, channels).unbind(1)
        usual = (-self.shift / self.scale).view(3, channels, 1)
        # What a root is off by is what is below it is off by, over the sum of both roots.
        length = length / (pooled[:, 2 * channels :] + usual[2, :, 0]).clamp(min=LEAST_LENGTH)
        flat = features.flatten(2)
        places = average[:, None] @ (flat - usual[0]) + length[:, None] @ (flat.square() - usual[2].square())
        over = torch.relu(flat - usual[1])
        total = over.sum(2, keepdim=True)
        portions = torch.where(total > 0, over / total.clamp(min=LEAST_LENGTH) * (height * width), 1.0)
        places = places + (pull * values).view(n, 3, channels)[:, 1, None] @ portions
        return places.view(n, height, width)
