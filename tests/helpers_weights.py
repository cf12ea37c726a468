"""Weights files for tests: a MobileNetV2 of random weights that passes for a published one in all but its answers."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from gonogo.models.mobilenet import LAST_BLOCK, mobilenet_v2_features


def random_state(seed: int = 0) -> dict[str, Tensor]:
    """Return a whole MobileNetV2's state under torchvision's names, with statistics that do something."""
    torch.manual_seed(seed)
    state = {f"features.{name}": tensor for name, tensor in mobilenet_v2_features(3, LAST_BLOCK).state_dict().items()}
    for name, tensor in state.items():
        if name.endswith("running_mean"):
            tensor.normal_(0, 0.1)
        elif name.endswith("running_var"):
            tensor.uniform_(0.05, 0.2)
    return state | {"classifier.1.weight": torch.randn(1000, 1280), "classifier.1.bias": torch.randn(1000)}


def write_weights(path: Path, seed: int = 0) -> Path:
    """Write such a state as a PyTorch file."""
    torch.save(random_state(seed), path)
    return path
