"""Each channel's statistics over the photo, and a linear classifier on them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from gonogo.errors import UsageError
from gonogo.models.architecture import Head

STATISTICS = ("avg", "max", "std")
# Added to the variance: a channel that is the same everywhere has a deviation near 0, and a gradient.
VARIANCE_EPS = 1e-8


class StatisticsHead(Head):
    """Pool each channel to some of its average, maximum and standard deviation, then classify.

    Args:
        channels: of the features.
        num_classes: K.
        statistics: names from `STATISTICS`.

    Raises:
        UsageError: no statistic, one twice, or the deviation alone, which says of no place what it answers.
    """

    def __init__(self, channels: int, num_classes: int, statistics: Sequence[str]) -> None:
        super().__init__()
        if len(set(statistics)) != len(statistics) or not set(statistics) & {"avg", "max"}:
            raise UsageError(
                f"found statistics {','.join(statistics)}; expected avg or max, and perhaps std, each once"
            )
        self.statistics = tuple(statistics)
        self.classifier = nn.Linear(channels * len(statistics), num_classes)

    def pool(self, features: Tensor) -> Tensor:
        """Turn (N, C, h, w) features into (N, S * C): the first statistic of every channel, then the next."""
        return torch.cat([self._statistic(name, features) for name in self.statistics], 1)

    def forward(self, features: Tensor) -> Tensor:
        """Pool (N, C, h, w) features and classify: (N, K) logits."""
        logits: Tensor = self.classifier(self.pool(features))
        return logits

    def maps(self, features: Tensor) -> Tensor:
        """Answer for each place: (N, K, h, w) logits.

        A place stands in for the photo's average and its maximum, as in the class activation map of Zhou et al. 2016;
        the photo keeps its own deviation, which no single place has.
        """
        channels = features.shape[1]
        total = self.classifier.bias.view(1, -1, 1, 1)
        for place, name in enumerate(self.statistics):
            # A slice, because LiteRT's converter cannot read a chunk that is all there is.
            weight = self.classifier.weight[:, place * channels : (place + 1) * channels]
            if name == "std":
                part = (self._statistic(name, features) @ weight.T)[:, :, None, None]
            else:
                part = functional.conv2d(features, weight[:, :, None, None])
            total = total + part
        return total

    def _statistic(self, name: str, features: Tensor) -> Tensor:
        """Return (N, C)."""
        if name == "max":
            return features.amax((2, 3))
        average = features.mean((2, 3))
        if name == "avg":
            return average
        # Twice through the features: the difference of two large sums would lose the digits of a small deviation.
        variance = (features - average[:, :, None, None]).square().mean((2, 3))
        return torch.sqrt(variance + VARIANCE_EPS)
