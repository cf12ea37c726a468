"""NASNet-A: two cells that a search found, stacked.

Source: Zoph et al. 2018, "Learning Transferable Architectures for Scalable Image Recognition", arXiv 1707.07012, figure
4 and appendix A; what the paper leaves open (the stem, how the outputs of different cells are made to fit) is as in
Keras' NASNetMobile, whose count of parameters this has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from gonogo.errors import UsageError
from gonogo.models.architecture import Architecture, Network, PoolingHead
from gonogo.models.layers.separable import SeparableConv2d

STAGES = 3


@dataclass(frozen=True)
class NasNetOptions:
    """Shape of a NASNet-A.

    Attributes:
        filters: of the first stage's branches; each stage doubles them. Stem cells have a quarter and half of them.
        cells: normal cells in each of the three stages.
        stem: channels of the first convolution.
        dropout: before the classifier.
    """

    filters: int = 44
    cells: int = 4
    stem: int = 32
    dropout: float = 0.5

    def __post_init__(self) -> None:
        # With 4 the first cells have one channel, for which the backward pass of PyTorch 2.13 writes beyond its memory
        # where channels are innermost.
        if self.filters < 8 or self.filters % 4 or self.cells < 1 or self.stem < 1 or not 0 <= self.dropout < 1:
            raise UsageError(
                f"found filters={self.filters}, cells={self.cells}, stem={self.stem} and dropout={self.dropout}, "
                "expected filters 8, 12, 16, ..., one cell and channel or more, dropout 0 to below 1"
            )


def _norm(channels: int) -> nn.BatchNorm2d:
    """Return a BatchNorm with Keras' 0.9997 and 1e-3."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.0003)


def _separable(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Return the paper's separable convolution: applied twice, the first time with the stride."""
    layers: list[nn.Module] = []
    for channels, step in ((in_channels, stride), (out_channels, 1)):
        convolution = SeparableConv2d(channels, out_channels, kernel, step, kernel // 2, bias=False)
        layers += [nn.ReLU(), convolution, _norm(out_channels)]
    return nn.Sequential(*layers)


def _squeeze(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(), nn.Conv2d(in_channels, out_channels, 1, bias=False), _norm(out_channels))


class Halve(nn.Module):
    """Halve the size without a window: every second pixel, and beside it every second one from the next pixel on."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(in_channels, out_channels // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(in_channels, out_channels // 2, 1, stride=2, bias=False)
        self.norm = _norm(2 * (out_channels // 2))

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn (N, C, h, w) into (N, C', h / 2, w / 2), rounded up."""
        values = torch.relu(inputs)
        shifted = nn.functional.pad(values, (0, 1, 0, 1))[:, :, 1:, 1:]
        halved: Tensor = self.norm(torch.cat([self.even(values), self.odd(shifted)], 1))
        return halved


@dataclass(frozen=True)
class Inputs:
    """What a cell is given.

    Attributes:
        current: channels of the cell before.
        previous: channels of the cell before that.
        fit: how the latter is made to fit: "halve" where it has twice the size, otherwise "squeeze" to the cell's
            filters; the first cell takes the stem's output twice, "as-is".
    """

    current: int
    previous: int
    fit: Literal["as-is", "squeeze", "halve"]


class Cell(nn.Module):
    """What both kinds of cell share: the outputs of the two cells before, made to fit.

    Args:
        inputs: what it is given.
        filters: channels of each branch.
    """

    def __init__(self, inputs: Inputs, filters: int) -> None:
        super().__init__()
        self.adjust: nn.Module = nn.Identity()
        self.adjusted = inputs.previous
        if inputs.fit == "halve":
            self.adjust, self.adjusted = Halve(inputs.previous, filters), 2 * (filters // 2)
        elif inputs.fit == "squeeze" and inputs.previous != filters:
            self.adjust, self.adjusted = _squeeze(inputs.previous, filters), filters
        self.squeeze = _squeeze(inputs.current, filters)


class NormalCell(Cell):
    """The cell that keeps the size: six times its filters come out."""

    def __init__(self, inputs: Inputs, filters: int) -> None:
        super().__init__(inputs, filters)
        self.left1, self.right1 = _separable(filters, filters, 5), _separable(self.adjusted, filters, 3)
        self.left2, self.right2 = _separable(self.adjusted, filters, 5), _separable(self.adjusted, filters, 3)
        self.left5 = _separable(filters, filters, 3)
        self.average = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        self.out_channels = 5 * filters + self.adjusted

    def forward(self, current: Tensor, previous: Tensor) -> Tensor:
        """Turn the outputs of the two cells before into (N, C, h, w)."""
        previous, current = self.adjust(previous), self.squeeze(current)
        around = self.average(previous)
        return torch.cat(
            [
                previous,
                self.left1(current) + self.right1(previous),
                self.left2(previous) + self.right2(previous),
                self.average(current) + previous,
                around + around,
                self.left5(current) + current,
            ],
            1,
        )


class ReductionCell(Cell):
    """The cell that halves the size: four times its filters come out."""

    def __init__(self, inputs: Inputs, filters: int) -> None:
        super().__init__(inputs, filters)
        self.left1, self.right1 = _separable(filters, filters, 5, 2), _separable(self.adjusted, filters, 7, 2)
        self.right2 = _separable(self.adjusted, filters, 7, 2)
        self.right3 = _separable(self.adjusted, filters, 5, 2)
        self.left5 = _separable(filters, filters, 3)
        self.largest = nn.MaxPool2d(3, 2, 1)
        self.halved = nn.AvgPool2d(3, 2, 1, count_include_pad=False)
        self.average = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        self.out_channels = 4 * filters

    def forward(self, current: Tensor, previous: Tensor) -> Tensor:
        """Turn the outputs of the two cells before into (N, C, h / 2, w / 2), rounded up."""
        previous, current = self.adjust(previous), self.squeeze(current)
        largest = self.largest(current)
        first = self.left1(current) + self.right1(previous)
        second = largest + self.right2(previous)
        return torch.cat(
            [
                second,
                self.halved(current) + self.right3(previous),
                second + self.average(first),
                self.left5(first) + largest,
            ],
            1,
        )


class Cells(nn.Module):
    """The cells in their order: two that reduce, then three stages of normal ones with a reduction between them."""

    def __init__(self, options: NasNetOptions) -> None:
        super().__init__()
        filters = options.filters
        plan: list[tuple[type[NormalCell | ReductionCell], int]] = [(ReductionCell, filters // 4)]
        for stage in range(STAGES):
            # The reduction before the first stage is the stem's second one, of half its filters.
            plan.append((ReductionCell, filters * 2**stage if stage else filters // 2))
            plan += [(NormalCell, filters * 2**stage)] * options.cells
        self.cells = nn.ModuleList()
        current = previous = options.stem
        fit: Literal["as-is", "squeeze", "halve"] = "as-is"
        for kind, width in plan:
            cell = kind(Inputs(current, previous, fit), width)
            self.cells.append(cell)
            current, previous = cell.out_channels, current
            fit = "halve" if kind is ReductionCell else "squeeze"
        self.out_channels = current

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn the stem's (N, C, h, w) into (N, C', h / 16, w / 16), rounded up."""
        current = previous = inputs
        for cell in self.cells:
            current, previous = cell(current, previous), current
        return torch.relu(current)


class NasNet(Network):
    """A NASNet-A; see `NasNetOptions`."""

    def __init__(self, num_classes: int, in_channels: int, options: NasNetOptions) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(in_channels, options.stem, 3, 2, bias=False), _norm(options.stem))
        cells = Cells(options)
        self.body = nn.Sequential(stem, cells)
        self.head = PoolingHead(
            cells.out_channels, num_classes, pool="avg", hidden=0, dropout=options.dropout, one_logit=False
        )

    def map_grid(self) -> tuple[float, float]:
        """Return the input pixels between neighbouring cells of the map, and the pixel the first cell looks at.

        The stem pads nothing; of all that follows, every branch halves around its first pixel.
        """
        return 32.0, 1.0


NASNET_MOBILE = Architecture(
    NasNet,
    NasNetOptions(),
    colour="rgb",
    source="arXiv 1707.07012",
    size=(224, 224),
)
