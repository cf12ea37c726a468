"""Weights learnt elsewhere: read from a file without running what is in it, and put in their places by name."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from gonogo.errors import DataError, UsageError

# What checkpoints wrap their tensors in, and what training on several devices puts before each name.
WRAPPERS = ("state_dict", "model_state_dict", "model")
PREFIX = "module."
# Counts batches for a running average; nothing that a network answers depends on it.
COUNTER = "num_batches_tracked"


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a PyTorch or safetensors file.

    Args:
        path: the file; a PyTorch file is read with `weights_only`, so that it can hold tensors and nothing that runs.

    Returns:
        Name to tensor on the CPU, floats as float32, in the file's order.

    Raises:
        DataError: no such file, or not one of weights.
    """
    if not path.is_file():
        raise DataError(f"no file {path}; give --weights a PyTorch or safetensors file")
    try:
        content: Any = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        raise DataError(f"{path} cannot be read as weights ({_first_line(error)}); download it again") from error
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise DataError(f"{path} holds no table of tensors by name; expected a state dict")
    return {
        str(name).removeprefix(PREFIX): tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in content.items()
    }


def _first_line(error: BaseException) -> str:
    """Return what is wrong, without the advice that PyTorch appends."""
    lines = str(error).strip().splitlines()
    return lines[0].partition(". ")[0] if lines else type(error).__name__


def match_weights(
    expected: Mapping[str, Tensor], found: Mapping[str, Tensor], what: str, *, classifier: str | tuple[str, ...]
) -> dict[str, Tensor]:
    """Return the tensors a backbone needs under the names it needs them.

    A file with other names fits as well where its tensors have the same shapes and kinds in the same order: torchvision
    and timm name the layers of one network differently.

    Args:
        expected: the backbone's own state.
        found: the file's.
        what: the backbone, for messages.
        classifier: what the names of layers may start with that are not needed, unless the backbone has them itself.

    Raises:
        UsageError: the file is of another network; names the first key that does not fit.
    """
    wanted = {name: tensor for name, tensor in expected.items() if not name.endswith(COUNTER)}
    given = {
        name: tensor
        for name, tensor in found.items()
        if not name.endswith(COUNTER) and (name in wanted or not name.startswith(classifier))
    }
    if not set(wanted) & set(given) and _same_order(wanted, given):
        return dict(zip(wanted, given.values(), strict=True))
    for name, tensor in wanted.items():
        if name not in given:
            begin = f"they begin with '{next(iter(given))}'" if given else "they hold nothing but a classifier"
            raise UsageError(f"the weights are not of {what}: '{name}' is missing; {begin}")
        if given[name].shape != tensor.shape:
            raise UsageError(
                f"the weights are not of {what}: '{name}' has shape {tuple(given[name].shape)}, "
                f"expected {tuple(tensor.shape)}"
            )
    for name in given:
        if name not in wanted:
            raise UsageError(f"the weights are not of {what}: it has no '{name}'")
    return {name: given[name] for name in wanted}


def _same_order(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> bool:
    """Say whether the shapes and the last parts of the names (weight, bias, running_mean) agree one by one."""

    def kinds(tensors: Mapping[str, Tensor]) -> list[tuple[str, torch.Size]]:
        return [(name.rpartition(".")[2], tensor.shape) for name, tensor in tensors.items()]

    return kinds(wanted) == kinds(given)
