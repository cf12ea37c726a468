"""Bodies that are written as a line of text, such as ``c16 c16 P d32 c64/2 d96@2``.

`c` is a 3x3 convolution and `d` a depthwise-separable one, with its output channels; `/2` is its stride and `@2` its
dilation; `P` is a maximum pooling of 2. Every convolution keeps the size at stride 1, and has a ReLU and a BatchNorm.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import nn

from gonogo.errors import UsageError
from gonogo.models.layers.separable import SeparableConv2d

Order = Literal["conv-bn-relu", "conv-relu-bn"]
POOL = "P"
WORD = re.compile(r"(?P<kind>[cd])(?P<width>[1-9]\d*)(/(?P<stride>[1-9]\d*))?(@(?P<dilation>[1-9]\d*))?")


@dataclass(frozen=True)
class Step:
    """A convolution of a pattern.

    Attributes:
        separable: depthwise-separable, not dense.
        width: output channels.
        stride: of the 3x3 window.
        dilation: of the 3x3 window.
    """

    separable: bool
    width: int
    stride: int = 1
    dilation: int = 1


def read_pattern(pattern: str) -> list[Step | None]:
    """Read a pattern; None stands for a pooling.

    Raises:
        UsageError: a word that is neither a convolution nor a pooling, or no convolution at all.
    """
    steps: list[Step | None] = []
    for word in pattern.split():
        match = WORD.fullmatch(word)
        if match is None and word != POOL:
            raise UsageError(f"found '{word}' in a pattern, expected words such as c16, d32, c64/2, c96@2 or {POOL}")
        if match is None:
            steps.append(None)
            continue
        width, stride, dilation = (int(match[name] or 1) for name in ("width", "stride", "dilation"))
        steps.append(Step(match["kind"] == "d", width, stride, dilation))
    if not any(steps):
        raise UsageError(f"found no convolution in the pattern '{pattern}', expected words such as c16 or d32")
    return steps


def last_width(pattern: str) -> int:
    """Return how many channels come out of a pattern's body."""
    return [step.width for step in read_pattern(pattern) if step is not None][-1]


def pattern_body(
    pattern: str,
    in_channels: int,
    *,
    order: Order,
    dropout: float = 0.0,
    norm_momentum: float = 0.1,
    norm_eps: float = 1e-5,
) -> nn.Sequential:
    """Build a body: a stage for each convolution, and the poolings.

    Args:
        pattern: see the head of this file.
        in_channels: of the input.
        order: BatchNorm before the ReLU, where it folds into the convolution, or after it.
        dropout: share of the values dropped after each pooling.
        norm_momentum: share of each batch in BatchNorm's running statistics.
        norm_eps: added to BatchNorm's variance.

    Raises:
        UsageError: the pattern cannot be read.
    """

    def stages() -> Iterator[nn.Module]:
        width = in_channels
        for step in read_pattern(pattern):
            if step is None:
                yield nn.MaxPool2d(2)
                if dropout:
                    yield nn.Dropout(dropout)
                continue
            layer = SeparableConv2d if step.separable else nn.Conv2d
            # A BatchNorm that follows at once has its own bias.
            bias = order == "conv-relu-bn"
            convolution = layer(width, step.width, 3, step.stride, step.dilation, step.dilation, bias=bias)
            width = step.width
            norm = nn.BatchNorm2d(width, eps=norm_eps, momentum=norm_momentum)
            after = (nn.ReLU(), norm) if bias else (norm, nn.ReLU())
            yield nn.Sequential(convolution, *after)

    return nn.Sequential(*stages())
