"""A head that reads all places side by side, each with weights of its own."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from gonogo.models.architecture import Head


class FlattenHead(Head):
    """Hidden layers on all places side by side, and a linear classifier.

    Args:
        channels: of the features.
        places: how many there are.
        num_classes: K.
        hidden: widths of the hidden layers.
        dropout: before and after them.
    """

    def __init__(self, channels: int, places: int, num_classes: int, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.channels, self.num_classes = channels, num_classes
        self.dropout = nn.Dropout(dropout)
        self.first = nn.Linear(places * channels, hidden[0])
        layers: list[nn.Module] = [nn.GELU(), nn.Dropout(dropout)]
        for width, following in pairwise(hidden):
            layers += [nn.Linear(width, following), nn.GELU(), nn.Dropout(dropout)]
        self.rest = nn.Sequential(*layers, nn.Linear(hidden[-1], num_classes))

    def forward(self, features: Tensor) -> Tensor:
        """Turn (N, C, h, w) features into (N, K) logits."""
        logits: Tensor = self.rest(self.first(self.dropout(features.permute(0, 2, 3, 1).flatten(1))))
        return logits

    def maps(self, features: Tensor) -> Tensor:
        """Say what each place is worth: (N, K, h, w), what the logits lose where it is like the mean of all places.

        A layer over all places side by side has no answer for one place, so the map is that of an occlusion (Zeiler and
        Fergus 2014, arXiv 1311.2901), exactly. The first layer is linear: what one place adds to it is taken away, and
        only the layers after it are computed for each place.
        """
        n, channels, height, width = features.shape
        tokens = features.flatten(2).permute(2, 0, 1)
        summed = self.first(features.permute(0, 2, 3, 1).flatten(1))
        weights = self.first.weight.view(-1, height * width, channels).permute(1, 2, 0)
        added = (tokens - tokens.mean(0, keepdim=True)) @ weights
        lost: Tensor = self.rest(summed)[None] - self.rest(summed[None] - added)
        return lost.permute(1, 2, 0).reshape(n, -1, height, width)
