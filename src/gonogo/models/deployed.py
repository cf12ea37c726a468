"""The network as it is deployed: raw camera pixels in, probabilities and heat map out.

The torch twin of `gonogo.data.geometry.Geometry`; a test holds both to the same bits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from gonogo.data.geometry import LUMA, LUMA_HALF, LUMA_SCALE, TAP_SCALE, Geometry, taps
from gonogo.data.task import Task
from gonogo.models.architecture import Network
from gonogo.models.novelty import Novelty
from gonogo.types import Answer

# Reductions up to this one are quicker as a convolution under ONNX Runtime, larger ones as sums (docs/experiments.md).
CONVOLVED = 3


class Preprocess(nn.Module):
    """Camera pixels to network input, exactly as `Geometry.apply` and `Geometry.normalise` do it."""

    mean: Tensor
    std: Tensor
    luma: Tensor
    block: Tensor
    rounding: Tensor
    down: Tensor
    across: Tensor

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.geometry = geometry
        self.register_buffer("mean", torch.tensor(geometry.mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(geometry.std).view(1, -1, 1, 1))
        r, stored = geometry.reduce, geometry.stored_channels
        self.register_buffer("block", torch.full((stored, 1, r, r), 1 / r**2))
        # A mean is a whole number of 1/r^2; a quarter of one more rounds halves up whatever the last digits are.
        self.register_buffer("rounding", torch.full((stored,), 0.5 + 0.25 / r**2))
        self.register_buffer("luma", torch.tensor(LUMA, dtype=torch.float32).view(1, 3, 1, 1))
        if geometry.size is not None:
            (rows, columns), (height, width) = geometry.reduced_size, geometry.size
            self.register_buffer("down", _taps_matrix(rows, height))
            self.register_buffer("across", _taps_matrix(columns, width).T.contiguous())

    def forward(self, pixels: Tensor) -> Tensor:
        """Turn (N, H, W, C) uint8 into (N, network_channels, h, w) float32."""
        return self.normalise(self.levels(pixels))

    def levels(self, pixels: Tensor) -> Tensor:
        """Crop, turn to grey, reduce, resize: (N, stored_channels, h, w) float32 that holds whole grey levels."""
        values = self.reduce(pixels)
        if self.geometry.size is None:
            return values
        # Two matrix products: ONNX Runtime does them in less than half the time of gathering rows and columns.
        return torch.floor((self.down @ (values @ self.across) + TAP_SCALE**2 // 2) / TAP_SCALE**2)

    def reduce(self, pixels: Tensor) -> Tensor:
        """Crop, turn to grey, reduce: (N, stored_channels, h, w) float32 that holds whole grey levels."""
        geometry = self.geometry
        x, y, _, _ = geometry.region
        rows, columns = geometry.reduced_size
        r = geometry.reduce
        if (rows * r, columns * r) != (geometry.height, geometry.width):
            # narrow, not a slice: where the photo's size is free, an exporter sees that the result's is not.
            pixels = pixels.narrow(1, y, rows * r).narrow(2, x, columns * r)
        # For one channel the layouts are the same, and a reshape costs nothing where a transpose does.
        n, channels = pixels.shape[0], geometry.channels
        values = pixels.reshape(n, 1, rows * r, columns * r) if channels == 1 else pixels.permute(0, 3, 1, 2)
        values = values.float()
        if geometry.colour == "grey" and channels == 3:
            values = torch.floor(((values * self.luma).sum(1, keepdim=True) + LUMA_HALF) / LUMA_SCALE)
        if 1 < r <= CONVOLVED:
            groups = geometry.stored_channels
            values = torch.floor(functional.conv2d(values, self.block, self.rounding, stride=r, groups=groups))
        elif r > 1:
            # Sums of whole numbers are exact in float32, whatever their order; so is a half in the quotient. Whole rows
            # first: ONNX Runtime does that faster than both at once, and 1.7 times as fast as its average pooling.
            bands = values.reshape(n, geometry.stored_channels, rows, r, columns * r).sum(3)
            totals = bands.reshape(n, geometry.stored_channels, rows, columns, r).sum(4)
            values = torch.floor(totals / (r * r) + 0.5)
        return values

    def normalise(self, levels: Tensor) -> Tensor:
        """Subtract the mean and divide by the std; a single stored channel is repeated for a colour network."""
        return (levels - self.mean) / self.std


def _taps_matrix(source: int, target: int) -> Tensor:
    """Return (target, source) float32 of whole numbers: a resized row is this matrix times the row."""
    low, high, weight = (torch.from_numpy(values) for values in taps(source, target))
    matrix = torch.zeros(target, source)
    rows = torch.arange(target)
    matrix.index_put_((rows, low), (TAP_SCALE - weight).float(), accumulate=True)
    matrix.index_put_((rows, high), weight.float(), accumulate=True)
    return matrix


class Deployed(nn.Module):
    """Camera pixels to class probabilities and a heat map.

    Args:
        network: in evaluation mode.
        geometry: the way from camera to network.
        task: decides what the heat map shows.
        novelty: tells photos unlike everything in training.
    """

    def __init__(self, network: Network, geometry: Geometry, task: Task, novelty: Novelty | None = None) -> None:
        super().__init__()
        self.preprocess = Preprocess(geometry)
        self.network = network
        self.novelty = novelty
        self.task = task

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Answer.

        Args:
            pixels: (N, H, W, C) uint8.

        Returns:
            pred_probs (N, K), heatmap (N, h', w') and, where it is measured, novelty (N,), all float32.
        """
        return self.answer(self.preprocess(pixels))

    def answer(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Answer (N, network_channels, h, w) float32, the normalised input of the network; returns as `forward`."""
        return self.conclude(*self.network.watch(inputs))

    def conclude(self, watched: Tensor, features: Tensor) -> tuple[Tensor, ...]:
        """Answer from what `Network.watch` returns, which is all that the body has to do; returns as `forward`."""
        pred_probs = torch.softmax(self.network.head(features), 1)
        heatmap = self._heatmap(pred_probs, self.network.head.maps(features))
        return (pred_probs, heatmap) if self.novelty is None else (pred_probs, heatmap, self.novelty(watched))

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what it returns."""
        return Answer._fields if self.novelty is not None else Answer._fields[:2]

    def _heatmap(self, pred_probs: Tensor, maps: Tensor) -> Tensor:
        """Return the log-odds of the likeliest defect against good; for sorting, what speaks for the answer.

        Sorting has no neutral class, so its map is taken against its own mean: what stands out on this photo.
        """
        good = self.task.good_index
        if good is None:
            relative = maps - maps.mean(1, keepdim=True)
            standing = (relative * pred_probs[:, :, None, None]).sum(1)
            return standing - standing.mean((1, 2), keepdim=True)
        defects = [maps[:, k] for k in range(len(self.task.classes)) if k != good]
        highest = defects[0]
        for defect in defects[1:]:
            highest = torch.maximum(highest, defect)
        return highest - maps[:, good]
