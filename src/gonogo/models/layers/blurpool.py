"""BlurPool: a photo is blurred before pixels of it are left out, so that the answer hardly changes as it is shifted.

Source: Zhang 2019, "Making Convolutional Networks Shift-Invariant Again", arXiv 1904.11486, section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gonogo.models.layers.swap import Surgery, is_convolution, is_patches, swap


class BlurPool(nn.Module):
    """A fixed triangular filter over each channel, and every `stride`-th pixel of what it gives.

    The filter is as wide as the step needs: 1 2 1 for a step of 2, the paper's Triangle-3; 1 2 3 4 3 2 1 for one of 4.
    The border is mirrored, as in the paper.

    Args:
        step: how far apart the pixels are that remain, here or in the layer that follows.
        stride: `step` to leave the others out here, 1 to leave that to the layer that follows.
    """

    def __init__(self, step: int, stride: int) -> None:
        super().__init__()
        rise = torch.arange(1, step + 1, dtype=torch.float32)
        line = torch.cat([rise, rise[:-1].flip(0)])
        self.kernel = nn.Parameter(torch.outer(line, line)[None, None] / float(step**4), requires_grad=False)
        self.step, self.stride = step, stride

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn (N, C, h, w) into (N, C, h / stride, w / stride), rounded up."""
        channels, border = inputs.shape[1], self.step - 1
        mirrored = nn.functional.pad(inputs, (border, border, border, border), mode="reflect")
        return nn.functional.conv2d(
            mirrored, self.kernel.expand(channels, 1, -1, -1), stride=self.stride, groups=channels
        )


def _blurred(layer: nn.Module) -> nn.Module | None:
    """Return a strided layer that blurs; None for any other layer."""
    if isinstance(layer, nn.MaxPool2d):
        step = _one_step(layer.stride)
        if step is None or layer.ceil_mode:
            return None
        layer.stride = 1
        return nn.Sequential(layer, BlurPool(step, step))
    if not isinstance(layer, nn.Conv2d) or not is_convolution(layer) or is_patches(layer):
        return None
    step = _one_step(layer.stride)
    if step is None:
        return None
    if max(layer.kernel_size) > 1:
        return nn.Sequential(BlurPool(step, 1), layer)
    # A window of one pixel sees only what remains: the others need not be blurred.
    layer.stride = (1, 1)
    return nn.Sequential(BlurPool(step, step), layer)


def _one_step(stride: int | tuple[int, ...]) -> int | None:
    """Return a stride above 1 that is the same in both directions."""
    steps = {stride} if isinstance(stride, int) else set(stride)
    step = steps.pop()
    return step if not steps and step > 1 else None


BLURPOOL = Surgery(
    "blur before pixels are left out",
    lambda network: swap(network, _blurred),
    "no strided convolution or maximum pooling",
    "Zhang 2019, arXiv 1904.11486",
)
