"""What every network on weights learnt elsewhere shares: the pixels they expect, and which of its stages learn."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from gonogo.errors import UsageError
from gonogo.models.architecture import Head, Levels, Network
from gonogo.models.layers.distance_head import DistanceHead
from gonogo.models.layers.statistics_head import StatisticsHead

LEVELS = {
    # x / 127.5 - 1, as TensorFlow's models have it.
    "half": Levels((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    # The mean and deviation of ImageNet's photos, as torchvision's models have it.
    "imagenet": Levels((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}


# How the last stages are fine-tuned where any are: slowly, and to an epoch that is fixed beforehand.
FINE_TUNING = {"epochs": 5, "lr": 2e-4, "keep": "last", "patience": 0}


def make_head(channels: int, num_classes: int, statistics: Sequence[str], axes: int) -> Head:
    """Return a linear head on statistics or, where axes are given, the distance from good parts.

    Args:
        channels: of the features.
        num_classes: K.
        statistics: of each channel over the photo; the distance has its own.
        axes: of the distance; 0 for a linear head.
    """
    return DistanceHead(channels, num_classes, axes) if axes else StatisticsHead(channels, num_classes, statistics)


class PretrainedNetwork(Network):
    """A pretrained body, each channel's statistics over the photo, and a head on them: linear, or a distance.

    Subclasses set `body` and `head`, define `stages`, and call `unfreeze`.
    """

    def stages(self) -> list[list[nn.Parameter]]:
        """Return the body's parameters stage by stage, the first one first; nothing where it has no stages to name."""
        raise NotImplementedError

    def unfreeze(self, count: int) -> None:
        """Let the last stages of the body learn, and the head; the others keep the weights they came with.

        Args:
            count: how many stages.

        Raises:
            UsageError: the body has fewer.
        """
        stages = self.stages()
        if not 0 <= count <= len(stages):
            raise UsageError(f"found unfrozen={count}, expected 0 to {len(stages)}, the number of stages there are")
        self.body.requires_grad_(False)
        for parameter in (parameter for stage in stages[len(stages) - count :] for parameter in stage):
            parameter.requires_grad_(True)

    def train(self, mode: bool = True) -> PretrainedNetwork:
        """Switch to training; frozen layers keep their statistics, so they never leave evaluation."""
        super().train(mode)
        for layer in self.body.modules():
            own = list(layer.parameters(recurse=False))
            if own and not any(parameter.requires_grad for parameter in own):
                layer.eval()
        return self
