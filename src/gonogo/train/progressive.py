"""Progressive resizing: the first epochs learn from smaller photos, the last ones from whole ones."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from gonogo.errors import UsageError
from gonogo.models.architecture import Network
from gonogo.models.cost import count_macs
from gonogo.train.recipe import Recipe

# Of equal length, the last one at full size.
STAGES = 4


def epoch_size(size: tuple[int, int], recipe: Recipe, epoch: int) -> tuple[int, int]:
    """Return the height and width in an epoch.

    The epochs fall into four stages, which take the share ``progressive_resize`` of the sides, then a third and two
    thirds of the way from there to the whole, then the whole, rounded to the nearest pixel. The last epoch is always
    at full size; of fewer than four epochs, the first stages fall away.

    Args:
        size: (h, w) of the photos.
        recipe: `progressive_resize` and `epochs`.
        epoch: from 0.
    """
    left = STAGES * (recipe.epochs - 1 - epoch) // recipe.epochs
    share = 1 - (1 - recipe.progressive_resize) * left / (STAGES - 1)
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))


def resize(levels: Tensor, size: tuple[int, int]) -> Tensor:
    """Reduce (N, C, h, w) photos by area means; the very input where they have that size."""
    return levels if levels.shape[2:] == size else F.interpolate(levels, size, mode="area")


def check_sizes(network: Network, recipe: Recipe, channels: int, size: tuple[int, int]) -> None:
    """See that a network can learn from the smaller photos of a recipe.

    Raises:
        UsageError: it takes one size only, or they are too small for it.
    """
    if recipe.progressive_resize == 1:
        return
    if network.fixed_size is not None:
        height, width = network.fixed_size
        raise UsageError(
            f"this network takes {width}x{height} pixels and no others, found progressive_resize="
            f"{recipe.progressive_resize:g}; leave it out"
        )
    height, width = epoch_size(size, recipe, 0)
    try:
        count_macs(network, channels, (height, width))
    except RuntimeError as error:
        raise UsageError(
            f"progressive_resize={recipe.progressive_resize:g} begins at {width}x{height} pixels, too few for this "
            f"network ({str(error).splitlines()[0]}); give a larger share"
        ) from error
