"""A small vision transformer whose head reads all of its patches' tokens side by side.

Source: Dosovitskiy et al. 2020, "An Image is Worth 16x16 Words", arXiv 2010.11929, in the form of Keras' example "Image
classification with Vision Transformer", which the steel-sheet study took: patches of 4, width 64, 4 heads, 8 layers, a
head of 2048 and 1024. Its 11 M parameters, most of them the head's, are those of a photo of 32x32 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gonogo.errors import UsageError
from gonogo.models.architecture import Architecture, Network
from gonogo.models.layers.flatten_head import FlattenHead


@dataclass(frozen=True)
class VitOptions:
    """Shape of a transformer.

    Attributes:
        size: height and width of the photo, in pixels: it takes no other.
        patch: of a patch.
        width: of a token.
        heads: of the attention; each is as wide as a token.
        layers: of the transformer.
        hidden: widths of the head's hidden layers.
        dropout: in the layers; before the head and after its hidden layers it is five times as much.
    """

    size: int = 32
    patch: int = 4
    width: int = 64
    heads: int = 4
    layers: int = 8
    hidden: tuple[int, ...] = (2048, 1024)
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if min(self.size, self.patch, self.width, self.heads, self.layers, *self.hidden) < 1 or not self.hidden:
            raise UsageError("size, patch, width, heads, layers and hidden start at 1")
        if self.size % self.patch:
            raise UsageError(f"found size={self.size}, expected a multiple of patch={self.patch}")
        if not 0 <= self.dropout < 0.2:
            raise UsageError(f"found dropout={self.dropout}, expected 0 to below 0.2")


class Patches(nn.Module):
    """Each patch as a token, to which its place is added."""

    def __init__(self, in_channels: int, options: VitOptions) -> None:
        super().__init__()
        self.project = nn.Conv2d(in_channels, options.width, options.patch, options.patch)
        side = options.size // options.patch
        self.places = nn.Parameter(torch.empty(1, options.width, side, side).uniform_(-0.05, 0.05))

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn (N, C, H, W) into (N, D, h, w)."""
        tokens: Tensor = self.project(inputs) + self.places
        return tokens


class Attention(nn.Module):
    """Every token looks at all others; each head is as wide as a token."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.share = heads, dropout
        self.ask = nn.Linear(width, 3 * heads * width)
        self.answer = nn.Linear(heads * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Turn (N, P, D) into (N, P, D)."""
        n, places, width = tokens.shape
        queries, keys, values = self.ask(tokens).view(n, places, 3, self.heads, width).permute(2, 0, 3, 1, 4)
        share = self.share if self.training else 0.0
        seen = nn.functional.scaled_dot_product_attention(queries, keys, values, dropout_p=share)
        answers: Tensor = self.answer(seen.transpose(1, 2).reshape(n, places, self.heads * width))
        return answers


class Layer(nn.Module):
    """Attention and two dense layers, each on normed tokens and added to them."""

    def __init__(self, options: VitOptions) -> None:
        super().__init__()
        width, dropout = options.width, options.dropout
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-6), nn.LayerNorm(width, 1e-6)
        self.attention = Attention(width, options.heads, dropout)
        self.dense = nn.Sequential(
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
            nn.GELU(),
            nn.Dropout(dropout),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Turn (N, P, D) into (N, P, D)."""
        tokens = tokens + self.attention(self.norm1(tokens))
        mixed: Tensor = tokens + self.dense(self.norm2(tokens))
        return mixed


class Transformer(nn.Module):
    """The layers, on tokens that stand on a grid."""

    def __init__(self, options: VitOptions) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(Layer(options) for _ in range(options.layers)))
        self.norm = nn.LayerNorm(options.width, 1e-6)

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn (N, D, h, w) into (N, D, h, w)."""
        tokens: Tensor = self.norm(self.layers(inputs.flatten(2).transpose(1, 2)))
        return tokens.transpose(1, 2).reshape(inputs.shape)


class Vit(Network):
    """A transformer; see `VitOptions`."""

    def __init__(self, num_classes: int, in_channels: int, options: VitOptions) -> None:
        super().__init__()
        self.body = nn.Sequential(Patches(in_channels, options), Transformer(options))
        places = (options.size // options.patch) ** 2
        self.head = FlattenHead(options.width, places, num_classes, options.hidden, 5 * options.dropout)
        self.fixed_size = (options.size, options.size)


VIT_STUDY = Architecture(
    Vit,
    VitOptions(),
    colour="rgb",
    recipe={
        "optimizer": "adamw",
        "lr": 1e-3,
        "weight_decay": 1e-4,
        "schedule": "plateau",
        "epochs": 200,
        "label_smoothing": 0.0,
    },
    source="arXiv 2010.11929",
    size=(32, 32),
)
