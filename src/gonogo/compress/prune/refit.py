"""After channels or blocks went: every layer behind them says again what it said, as nearly as least squares can.

Layer after layer in the order they compute, each fitted to what it said before, from what it reads now, on training
photos; what earlier layers lost is made up for as far as later ones can. No gradients, no labels, seconds.

Source: He et al. 2017, "Channel Pruning for Accelerating Very Deep Neural Networks", arXiv 1707.06168, section 3.1;
that the sum with a shortcut is fitted and not the branch alone, section 3.2.2 there.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gonogo.compress.prune.evidence import NORMS
from gonogo.compress.prune.moments import BATCH, Moments, Reached, blank, can_be_solved, outputs, readings, watch
from gonogo.models.architecture import Network
from gonogo.models.mobilenet import InvertedResidual
from gonogo.models.pruned import Pruning
from gonogo.models.resnet import Residual, Subsample

# A BatchNorm that scales a channel to less than this share of its largest hides whatever is added beside it.
HIDDEN = 1e-3


@dataclass(frozen=True)
class Fittable:
    """A layer that can be fitted.

    Attributes:
        name: its name.
        norm: name of the BatchNorm that follows at once; None where none does.
        block: name of the residual block that adds what this layer says, past its BatchNorm, to a shortcut; None where
            none does.
    """

    name: str
    norm: str | None
    block: str | None


@dataclass
class Stage:
    """A part of both networks, and what comes into it of the photos, batch by batch."""

    now: nn.Module
    then: nn.Module
    inputs_now: list[Tensor]
    inputs_then: list[Tensor]

    def passed(self, following: tuple[nn.Module, nn.Module]) -> Stage:
        """Return the following stage with what this one says."""
        with torch.no_grad():
            now = [self.now(batch) for batch in self.inputs_now]
            return Stage(*following, now, [self.then(batch) for batch in self.inputs_then])


def refit(network: Network, before: Network, pruning: Pruning, photos: Tensor) -> tuple[str, ...]:
    """Fit every layer of a pruned network that reads something else than before, in place.

    Args:
        network: `before` with `pruning` applied, in evaluation.
        before: stays as it is.
        pruning: what went.
        photos: (N, C, h, w) normalised training photos.

    Returns:
        The names of the layers that were fitted, in order. A layer that is no linear function of its window (a grouped
        convolution), or is called more than once, keeps its weights.
    """
    layers, stages = find_fittable(network, photos[:1]), _stages(network, before)
    batches = list(torch.split(photos, BATCH))
    stage = Stage(*stages[0][1], batches, batches)
    fitted: list[str] = []
    for number, (prefix, _) in enumerate(stages):
        own = [layer for layer in layers if layer.name.startswith(prefix)]
        fitted += [layer.name for layer in own if _fit(network, before, layer, pruning, stage)]
        if number + 1 < len(stages):
            stage = stage.passed(stages[number + 1][1])
    return tuple(fitted)


def find_fittable(network: nn.Module, photo: Tensor) -> list[Fittable]:
    """Return the layers that can be fitted, in the order they compute.

    Args:
        network: in evaluation.
        photo: (1, C, h, w) to see the order by.
    """
    solvable = [
        name
        for name, module in network.named_modules()
        if can_be_solved(module) and not isinstance(module, Subsample)  # which is no layer that was learnt
    ]
    norms = [name for name, module in network.named_modules() if isinstance(module, NORMS)]
    order: list[str] = []
    said: dict[str, Tensor] = {}
    followed: dict[str, str] = {}

    def look(name: str, inputs: Tensor, output: Tensor) -> None:
        if name in norms:
            followed.update({layer: name for layer, values in said.items() if values is inputs})
        else:
            order.append(name)
            said[name] = output

    with watch(network, [*solvable, *norms], look), torch.no_grad():
        network(photo)
    ends = _ends_of_branches(network)
    return [Fittable(name, followed.get(name), ends.get(name)) for name in order if order.count(name) == 1]


def _ends_of_branches(network: nn.Module) -> dict[str, str]:
    """Return for the last layer of each residual branch the name of its block."""
    ends = {}
    for block, module in network.named_modules():
        if isinstance(module, Residual) or (isinstance(module, InvertedResidual) and module.adds):
            branch = "computed" if isinstance(module, Residual) else "conv"
            inside = module.get_submodule(branch).named_modules()
            layers = [name for name, layer in inside if isinstance(layer, (nn.Conv2d, nn.Linear))]
            ends[f"{block}.{branch}.{layers[-1]}"] = block
    return ends


def _stages(network: Network, before: Network) -> list[tuple[str, tuple[nn.Module, nn.Module]]]:
    """Return what can be asked one after the other, by the beginning of its layers' names: the stages of the body."""
    if not isinstance(network.body, nn.Sequential) or not isinstance(before.body, nn.Sequential):
        return [("", (network, before))]
    pairs = zip(network.body, before.body, strict=True)
    return [*((f"body.{number}.", pair) for number, pair in enumerate(pairs)), ("head.", (network.head, before.head))]


def _fit(network: Network, before: Network, layer: Fittable, pruning: Pruning, stage: Stage) -> bool:
    """Fit one layer; say whether there was anything to do."""
    module = network.get_submodule(layer.name)
    kept = kept_of(before.get_submodule(layer.name), pruning.channels.get(layer.name, {}).get("out", ()))
    lost, differs = "in" in pruning.channels.get(layer.name, {}), False
    moments: Moments = blank(module)
    for now, then in zip(stage.inputs_now, stage.inputs_then, strict=True):
        read, _, beside_now = _ask(network, stage.now, layer, now)
        read_then, said, beside_then = _ask(before, stage.then, layer, then)
        wanted = said[:, kept]
        if beside_now is not None and beside_then is not None:
            wanted = wanted + _through(network, layer.norm, beside_then[:, kept] - beside_now)
        differs = differs or lost or not torch.equal(read, read_then)
        moments.add(readings(module, read), outputs(wanted))
    if differs:
        norm = None if layer.norm is None else network.get_submodule(layer.norm)
        put(module, norm, *moments.solve(free=norm is not None or module.bias is not None))
    return differs


def kept_of(layer: nn.Module, lost: Sequence[int]) -> Tensor:
    """Return the numbers of a layer's outputs that did not go."""
    assert isinstance(layer.weight, Tensor)
    gone = set(lost)
    return torch.tensor([channel for channel in range(len(layer.weight)) if channel not in gone])


def put(layer: nn.Module, norm: nn.Module | None, weight: Tensor, offset: Tensor) -> None:
    """Put a solution into a layer, in place.

    Args:
        layer: convolution or linear layer.
        norm: the BatchNorm behind it, whose mean takes the offset where the layer has no bias.
        weight: (F, O).
        offset: (O,) to be added to what the layer says.
    """
    assert isinstance(layer.weight, Tensor)
    with torch.no_grad():
        layer.weight.copy_(weight.T.reshape(layer.weight.shape))
        if isinstance(layer.bias, Tensor):
            layer.bias.copy_(offset)
        elif norm is not None:
            assert isinstance(norm.running_mean, Tensor)
            norm.running_mean.sub_(offset.to(norm.running_mean))


def _ask(network: Network, stage: nn.Module, layer: Fittable, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return what a layer reads, what it says, and what its block adds beside it."""
    found: dict[str, Tensor] = {}
    beside: list[Tensor] = []

    def look(_: str, inputs: Tensor, output: Tensor) -> None:
        found["read"], found["said"] = inputs, output
        raise Reached

    def enter(block: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        # Copied, because the block's first layer may work in place.
        beside.append(block.shortcut(inputs[0]) if isinstance(block, Residual) else inputs[0].clone())

    hook = None if layer.block is None else network.get_submodule(layer.block).register_forward_pre_hook(enter)
    try:
        with watch(network, [layer.name], look), torch.no_grad(), suppress(Reached):
            stage(inputs)
    finally:
        if hook is not None:
            hook.remove()
    return found["read"], found["said"], beside[0] if beside else None


def _through(network: Network, norm: str | None, added: Tensor) -> Tensor:
    """Return what a layer would have to say more for (N, C, h, w) to be added past its BatchNorm."""
    if norm is None:
        return added
    layer = network.get_submodule(norm)
    assert isinstance(layer, nn.BatchNorm2d) and layer.running_var is not None
    scale = layer.weight / torch.sqrt(layer.running_var + layer.eps)
    hidden = scale.abs() < HIDDEN * scale.abs().max()
    return added * torch.where(hidden, 0, 1 / scale)[:, None, None]
