"""What was taken out of a network, step by step, and how to take it out again: networks are stored as they were built.

A pruned network has no class of its own. ``model.json`` names the architecture and holds the history of its prunings;
whoever loads it builds the network as published, replays the history, and puts the weights in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from gonogo.errors import RunError
from gonogo.models.mobilenet import InvertedResidual
from gonogo.models.resnet import Residual

Side = Literal["out", "in"]
SIDES: tuple[Side, ...] = ("out", "in")


@dataclass(frozen=True)
class Pruning:
    """One step of a history.

    Attributes:
        blocks: names of residual blocks that became plain wires.
        channels: for each layer by name, the channels that it lost, numbered as before this step: "out" those it
            gives, "in" those it takes. A BatchNorm and a depthwise convolution lose both at once, named "out".
        about: why, for people: criterion, target and the like.
    """

    blocks: tuple[str, ...] = ()
    channels: Mapping[str, Mapping[Side, tuple[int, ...]]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        channels = {layer: {side: list(lost) for side, lost in sides.items()} for layer, sides in self.channels.items()}
        return {"blocks": list(self.blocks), "channels": channels, "about": dict(self.about)}


def removable_blocks(network: nn.Module) -> list[str]:
    """Return the names of residual blocks without which the network still fits together: their shortcut is a wire.

    The activation that ends such a block changes nothing of what came in through it, as one stands there already.
    """

    def is_removable(module: nn.Module) -> bool:
        if isinstance(module, Residual):
            return isinstance(module.shortcut, nn.Identity)
        return isinstance(module, InvertedResidual) and module.adds

    return [name for name, module in network.named_modules() if is_removable(module)]


def apply(network: nn.Module, pruning: Pruning) -> None:
    """Take blocks and channels out of a network, in place; what stays keeps its values, and whether it learns.

    Raises:
        ValueError: a block, layer or channel that the network does not have; the message begins with its name.
    """
    for name in pruning.blocks:
        if name not in removable_blocks(network):
            raise ValueError(f"block '{name}' is none that this network can do without")
        parent, _, own = name.rpartition(".")
        setattr(network.get_submodule(parent), own, nn.Identity())
    layers = dict(network.named_modules())
    for name, sides in pruning.channels.items():
        if name not in layers:
            raise ValueError(f"layer '{name}' is none of this network's")
        for side, lost in sides.items():
            _cut(layers[name], name, side, lost)


def _cut(layer: nn.Module, name: str, side: str, lost: Sequence[int]) -> None:
    """Take channels out of one layer, by the library that the groups come from."""
    from torch_pruning import ops
    from torch_pruning.pruner.function import PrunerBox

    pruner = PrunerBox.get(ops.module2type(layer))
    if pruner is None or side not in SIDES:
        raise ValueError(f"layer '{name}' ({type(layer).__name__}) has no channels on side '{side}'")
    width = pruner.get_out_channels(layer) if side == "out" else pruner.get_in_channels(layer)
    whole = all(isinstance(index, int) and 0 <= index < width for index in lost)
    if not whole or len(set(lost)) < len(lost) or not 0 < len(lost) < width:
        raise ValueError(f"layer '{name}' has {width} channels on side '{side}', and cannot lose {list(lost)}")
    learns = {name: parameter.requires_grad for name, parameter in layer.named_parameters(recurse=False)}
    (pruner.prune_out_channels if side == "out" else pruner.prune_in_channels)(layer, list(lost))
    for name, parameter in layer.named_parameters(recurse=False):
        parameter.requires_grad_(learns[name])


def seal(history: Sequence[Pruning]) -> list[dict[str, Any]]:
    """Return a history as plain values, each step with a digest over itself and all before it."""
    steps, chain = [], ""
    for pruning in history:
        step = pruning.to_json()
        chain = _digest(step, chain)
        steps.append({**step, "digest": chain})
    return steps


def unseal(steps: Any, where: str) -> tuple[Pruning, ...]:
    """Read what `seal` wrote.

    Args:
        steps: the plain values.
        where: the file, for messages.

    Raises:
        RunError: a step that is not what was written; says which.
    """
    history, chain = [], ""
    for number, step in enumerate(steps, start=1):
        place = f"{where}: step {number} of the history"
        try:
            content = {name: step[name] for name in ("blocks", "channels", "about")}
            pruning = Pruning(
                tuple(content["blocks"]),
                {
                    layer: {side: tuple(lost) for side, lost in sides.items()}
                    for layer, sides in content["channels"].items()
                },
                content["about"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise RunError(f"{place} cannot be read ({error!r}); prune again") from error
        chain = _digest(content, chain)
        if step.get("digest") != chain:
            raise RunError(f"{place} was changed after it was written (its digest differs); prune again")
        history.append(pruning)
    return tuple(history)


def replay(network: nn.Module, history: Sequence[Pruning], where: str) -> None:
    """Prune a network as published the way its history says, in place.

    Raises:
        RunError: a step that does not fit the network; says which, and which layer.
    """
    for number, pruning in enumerate(history, start=1):
        try:
            apply(network, pruning)
        except ValueError as error:
            raise RunError(f"{where}: step {number} of the history does not fit: {error}; prune again") from error


def _digest(step: Mapping[str, Any], before: str) -> str:
    plain = {name: step[name] for name in ("blocks", "channels", "about")}
    return hashlib.sha256((before + json.dumps(plain, sort_keys=True)).encode()).hexdigest()
