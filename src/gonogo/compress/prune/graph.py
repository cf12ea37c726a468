"""Which channels hang together, and what is left when some of them go.

Torch-Pruning traces the network (Fang et al. 2023, "DepGraph: Towards Any Structural Pruning", arXiv 2301.12900); here
its groups become plain values that name layers, so that criteria, targets and histories need no graph.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from gonogo.errors import MissingExtraError, UsageError
from gonogo.models.architecture import Network
from gonogo.models.pruned import Pruning, Side, apply
from gonogo.types import Int64Array


@dataclass(frozen=True, eq=False)
class Member:
    """A layer that loses channels when its group does.

    Attributes:
        layer: its name.
        side: "out" for channels it gives (a BatchNorm and a depthwise convolution pass them on), "in" for those it
            takes.
        channels: (M,) of the layer.
        of: (M,) the group's channel that each belongs to.
    """

    layer: str
    side: Side
    channels: Int64Array
    of: Int64Array


@dataclass(frozen=True, eq=False)
class Group:
    """Channels that can only go together.

    Attributes:
        name: of the layer that they are numbered after.
        width: how many channels there are.
        members: every layer that has a part in them.
        made_by: those of the convolutions and linear layers that compute them; several where their outputs are added
            to one another, as those of residual blocks are.
    """

    name: str
    width: int
    members: tuple[Member, ...]
    made_by: tuple[Member, ...]

    def side(self, side: Side) -> tuple[Member, ...]:
        """Return the members of one side."""
        return tuple(member for member in self.members if member.side == side)


def find_groups(network: Network, in_channels: int, size: tuple[int, int], arch: str) -> tuple[Group, ...]:
    """Return every group that can lose channels; those of the network's answer are not among them.

    Args:
        network: stays as it is.
        in_channels: C of its input.
        size: h and w of its input.
        arch: its name, for messages.

    Raises:
        UsageError: the network holds a layer that the graph cannot prune; names it.
        MissingExtraError: Torch-Pruning is not installed.
    """
    twin = copy.deepcopy(network).cpu().float().eval().requires_grad_(True)
    example = torch.zeros(1, in_channels, *size)
    groups = tuple(_groups_of(twin, example, arch))
    if not groups:
        raise UsageError(f"'{arch}' has no channels that it can do without; give another network")
    _try(twin, groups, example, arch)
    return groups


def _groups_of(twin: Network, example: torch.Tensor, arch: str) -> Iterable[Group]:
    try:
        import torch_pruning
    except ModuleNotFoundError as error:
        raise MissingExtraError("torch_pruning", "train") from error
    names = {module: name for name, module in twin.named_modules()}
    graph: Any = torch_pruning.DependencyGraph()
    graph.build_dependency(twin, example_inputs=example, verbose=False)
    for found in graph.get_all_groups():
        members = []
        for item in found.items:
            module = item.dep.target.module
            if isinstance(module, nn.Parameter):
                owner = graph._param_to_name[module]
                raise UsageError(f"'{arch}' cannot be pruned: '{owner}' is a parameter outside of any layer")
            if module in names:  # the others are additions, concatenations and the like
                side: Side = "out" if graph.is_out_channel_pruning_fn(item.dep.handler) else "in"
                channels, of = (np.asarray(values, dtype=np.int64) for values in (item.idxs, item.root_idxs))
                members.append(Member(names[module], side, channels, of))
        made_by = tuple(m for m in members if m.side == "out" and _makes(twin.get_submodule(m.layer)))
        group = Group(members[0].layer, len(members[0].channels), tuple(members), made_by)
        if group.side("in") and group.width > 1:
            yield group


def _makes(layer: nn.Module) -> bool:
    """Say whether a layer computes channels from others, not each from itself."""
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups < layer.out_channels)


def _try(twin: Network, groups: tuple[Group, ...], example: torch.Tensor, arch: str) -> None:
    """Take one channel out of each group and see that the network still answers; where not, name the layer."""
    first = np.zeros(1, dtype=np.int64)
    together = _why_not(twin, dict.fromkeys(groups, first), example)
    if not together:
        return
    for group in groups:
        if reason := _why_not(twin, {group: first}, example):
            raise UsageError(f"'{arch}' cannot be pruned: layer '{group.name}' must keep its channels ({reason})")
    raise UsageError(f"'{arch}' cannot be pruned: its layers do not fit together afterwards ({together})")


def _why_not(twin: Network, lost: Mapping[Group, Int64Array], example: torch.Tensor) -> str:
    """Return why a copy of the network does not answer without these channels; empty where it does."""
    smaller = copy.deepcopy(twin)
    try:
        apply(smaller, removal(lost))
        with torch.no_grad():
            smaller(example)
    except (RuntimeError, ValueError) as error:
        return str(error).splitlines()[0]
    return ""


def removal(lost: Mapping[Group, Int64Array], **about: Any) -> Pruning:
    """Return the step that takes channels out of groups.

    Args:
        lost: (M,) the channels that each group loses.
        about: of the step, for people.
    """
    channels: dict[str, dict[Side, set[int]]] = {}
    for group, gone in lost.items():
        for member in group.members:
            its = member.channels[np.isin(member.of, gone)]
            if len(its):
                channels.setdefault(member.layer, {}).setdefault(member.side, set()).update(map(int, its))
    ordered = {layer: {side: tuple(sorted(its)) for side, its in sides.items()} for layer, sides in channels.items()}
    return Pruning((), ordered, about)


def mask(network: nn.Module, lost: Mapping[Group, Int64Array]) -> None:
    """Silence channels without taking them out, in place: nothing reads them any more."""
    layers = dict(network.named_modules())
    with torch.no_grad():
        for group, gone in lost.items():
            for member in group.side("in"):
                weight = layers[member.layer].weight
                assert isinstance(weight, torch.Tensor)
                weight[:, torch.from_numpy(member.channels[np.isin(member.of, gone)])] = 0
