"""The state of a training after an epoch, as one safetensors file: whole or absent, and nothing pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from gonogo.errors import RunError
from gonogo.files import atomic_file


@dataclass
class Progress:
    """Where a training stands.

    Attributes:
        epoch: epochs done.
        best_loss: lowest validation loss so far.
        best_epoch: the epoch it was seen in, from 1.
        history: a row of figures for each epoch.
        scheduler: the scheduler's state.
        scaler: the loss scale of 16 bits.
    """

    epoch: int = 0
    best_loss: float = float("inf")
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    scheduler: dict[str, Any] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kept:
    """Weights beside those that are being trained.

    Attributes:
        best: of the epoch to keep; empty before there is one.
        average: the state of the running average; empty where nothing is averaged.
    """

    best: Mapping[str, Tensor] = field(default_factory=dict)
    average: Mapping[str, Tensor] = field(default_factory=dict)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write tensors to a safetensors file, by rename.

    Raises:
        RunError: the disk is full.
    """
    whole = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with atomic_file(path) as temporary:
        try:
            save_file(whole, temporary, metadata)
        except SafetensorError as error:  # its own name for a full disk
            raise RunError(f"cannot write {path} ({error}); free some space, then --resume") from error


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file and its metadata.

    Raises:
        RunError: it is missing, cut or altered.
    """
    try:
        with safe_open(path, "pt") as stream:
            return {name: stream.get_tensor(name) for name in stream.keys()}, stream.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path} cannot be read ({error}); train again") from error


def save_checkpoint(path: Path, network: nn.Module, kept: Kept, optimizer: Optimizer, progress: Progress) -> None:
    """Write weights, those kept beside them, the optimizer's moments and the progress."""
    state = optimizer.state_dict()
    tensors = {f"model/{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"best/{name}": tensor for name, tensor in kept.best.items()}
    tensors |= {f"average/{name}": tensor for name, tensor in kept.average.items()}
    for index, values in state["state"].items():
        tensors |= {f"optimizer/{index}/{key}": value for key, value in values.items()}
    facts = {"progress": json.dumps(asdict(progress)), "groups": json.dumps(state["param_groups"])}
    save_tensors(path, tensors, facts)


def load_checkpoint(path: Path, network: nn.Module, optimizer: Optimizer) -> tuple[Kept, Progress]:
    """Put the state back in place; return the weights kept beside it and the progress.

    Raises:
        RunError: the file is damaged or belongs to another network.
    """
    tensors, facts = load_tensors(path)
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "average": {}, "optimizer": {}}
    try:
        for name, tensor in tensors.items():
            kind, _, rest = name.partition("/")
            parts[kind][rest] = tensor
        network.load_state_dict(parts["model"])
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts["optimizer"].items():
            index, _, key = name.partition("/")
            moments.setdefault(int(index), {})[key] = tensor
        optimizer.load_state_dict({"state": moments, "param_groups": json.loads(facts["groups"])})
        _lay_out_like_weights(optimizer)
        return Kept(parts["best"], parts["average"]), Progress(**json.loads(facts["progress"]))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise RunError(f"{path} does not fit this run ({error}); delete the folder and train again") from error


def _lay_out_like_weights(optimizer: Optimizer) -> None:
    """Give each moment the memory layout of its weight: a fused step walks both side by side."""
    for group in optimizer.param_groups:
        for weight in group["params"]:
            state = optimizer.state[weight]
            for key, value in state.items():
                if value.shape == weight.shape:
                    state[key] = torch.empty_like(weight, requires_grad=False).copy_(value)


def copy_weights(network: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the network's state on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


def predict_probs(network: nn.Module, batches: Any) -> Tensor:
    """Return (N, K) float32 class probabilities of all batches, on the CPU."""
    network.eval()
    with torch.no_grad():
        return torch.cat([torch.softmax(network(inputs).float(), 1).cpu() for inputs, _ in batches])
