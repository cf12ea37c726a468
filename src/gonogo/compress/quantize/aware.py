"""Quantization-aware training: a network learns for a while with its weights and inputs rounded as eight bits would.

Forward everything is rounded, backward the rounding is as if it were not there (the straight-through estimator), and
what a range cuts off learns nothing: Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018. A scale for each output channel makes it the same whether BatchNorm is
folded into the weights before or after.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from gonogo.compress.prune.patient import open_patient
from gonogo.compress.prune.verdict import drop_on_validation
from gonogo.config import to_dict
from gonogo.errors import BarNotMetError, UsageError
from gonogo.evaluate.options import policy_from
from gonogo.models.architecture import Network
from gonogo.splitting import Progress
from gonogo.train.loop import Step
from gonogo.train.recipe import resolve_recipe
from gonogo.train.run import Run
from gonogo.train.teacher import FINE_TUNING, Teaching, learn_from
from gonogo.train.train import Plan, answers, check_run_folder, finish

LEVELS, MOST = 255, 127  # of an input in uint8; of a weight in int8, the same on both sides of 0
SMALLEST = 1e-12  # of a scale, for channels whose weights are all 0


@dataclass(frozen=True)
class AwareRequest:
    """What is to learn with rounding in mind.

    Attributes:
        run: a finished run, which stays as it is.
        out: the run to write.
        epochs: how long.
        data: where the run's photos are now; None where they were.
        max_drop: points that it may lose of the original, not rounded.
        force: replace `out`.
    """

    run: Path
    out: Path
    epochs: int
    data: Path | None = None
    max_drop: float = 0.5
    force: bool = False


class Rounded:
    """What a layer whose weights and inputs are rounded has beside its own."""

    weight: Tensor
    scale: float
    zero: int

    def rounded(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return inputs and weights at the levels that eight bits have."""
        weight = self.weight
        scales = (weight.detach().flatten(1).abs().amax(1) / MOST).clamp_min(SMALLEST).float()
        zeros = torch.zeros_like(scales, dtype=torch.int32)
        return (
            torch.fake_quantize_per_tensor_affine(inputs, self.scale, self.zero, 0, LEVELS),
            torch.fake_quantize_per_channel_affine(weight, scales, zeros, 0, -MOST, MOST),
        )


class RoundedConv2d(Rounded, nn.Conv2d):
    """A convolution of rounded inputs with rounded weights."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn (N, C, h, w) into (N, D, h', w')."""
        inputs, weight = self.rounded(inputs)
        found: Tensor = self._conv_forward(inputs, weight, self.bias)
        return found


class RoundedLinear(Rounded, nn.Linear):
    """A linear layer of rounded inputs with rounded weights."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn (..., C) into (..., D)."""
        return F.linear(*self.rounded(inputs), self.bias)


KINDS: dict[type[nn.Module], type[Rounded]] = {nn.Conv2d: RoundedConv2d, nn.Linear: RoundedLinear}


@contextmanager
def rounding(network: Network, photos: Tensor) -> Iterator[int]:
    """Round the layers of a network's body, in place, while it learns; give how many there are.

    The layers stay where they are and keep their names, so that checkpoints and averages are those of the network.

    Args:
        network: in evaluation mode; its head stays exact, as quantizers leave it.
        photos: (N, C, h, w) normalised; the inputs that layers have on them are their ranges.
    """
    layers = [layer for layer in network.body.modules() if type(layer) in KINDS]
    ends = _ranges(network, layers, photos)
    for layer, (low, high) in zip(layers, ends, strict=True):
        layer.__class__ = KINDS[type(layer)]  # type: ignore[assignment]
        scale = max((high - low) / LEVELS, SMALLEST)
        layer.scale, layer.zero = scale, round(-low / scale)  # type: ignore[assignment]
    try:
        yield len(layers)
    finally:
        plain = {rounded: kind for kind, rounded in KINDS.items()}
        for layer in layers:
            layer.__class__ = plain[type(layer)]  # type: ignore[index]
            del layer.scale, layer.zero


def _ranges(network: Network, layers: list[nn.Module], photos: Tensor) -> list[tuple[float, float]]:
    """Return the least and the greatest input of each layer, 0 among them: what pads must have a level of its own."""
    found = dict.fromkeys(layers, (0.0, 0.0))

    def watch(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        low, high = found[layer]
        found[layer] = min(low, float(inputs[0].min())), max(high, float(inputs[0].max()))

    hooks = [layer.register_forward_pre_hook(watch) for layer in layers]
    with torch.no_grad():
        network.body(photos)
    for hook in hooks:
        hook.remove()
    return [found[layer] for layer in layers]


def learn_rounded(
    request: AwareRequest, *, progress: Progress | None = None, report: Callable[[Step], None] | None = None
) -> Run:
    """Let a run's network learn with rounding in mind, from its own answers and the labels; write the run it becomes.

    Args:
        request: what and how long.
        progress: called while photos are read.
        report: called after each batch and epoch.

    Returns:
        The run, whose weights are not rounded: a quantizer rounds them.

    Raises:
        GonogoError: the run or the photos cannot be used; nothing is written then.
        BarNotMetError: what it lost of the original, neither of them rounded, is more than may be lost.
    """
    if request.out.resolve() == request.run.resolve():
        raise UsageError(f"{request.out} is the original; give another folder for the run that learns")
    check_run_folder(request.out, resume=False, force=request.force)
    recipe = resolve_recipe(to_dict(Run.open(request.run).config.recipe), FINE_TUNING, {"epochs": request.epochs})
    torch.set_num_threads(recipe.threads)
    patient = open_patient(request.run, request.data, recipe.seed, progress)
    made_from = {"command": "quantize --aware", "run": request.run.resolve().name, "epochs": request.epochs}
    config = replace(patient.run.config, recipe=recipe, made_from=made_from)
    run, fabric = Run(request.out), Fabric(accelerator="cpu", devices=1, precision=recipe.precision)
    shutil.rmtree(run.path, ignore_errors=True)
    run.write_config(config, patient.prepared.manifest, list(patient.run.history))
    network = copy.deepcopy(patient.network).requires_grad_(True)
    teacher = copy.deepcopy(patient.network)
    with rounding(network, patient.evidence.photos) as layers:
        learnt = learn_from(
            network, teacher, patient.prepared, recipe, Teaching(), fabric, run.path / "aware.safetensors", report
        )
    (run.path / "aware.safetensors").unlink(missing_ok=True)
    rejects = patient.run.metrics.get("novelty") is not None
    planned = Plan(config, patient.prepared, network, policy_from(**config.decision), [], rejects)
    drop = drop_on_validation(patient, answers(network, patient.prepared, "val", fabric))
    if drop.value > request.max_drop:
        shutil.rmtree(run.path)
        raise BarNotMetError(
            f"{drop.in_words()} were lost on validation while it learnt with rounding in mind, and --max-drop allows "
            f"{request.max_drop:g}; nothing was written"
        )
    finish(run, planned, learnt, fabric, aware={"layers": layers, "drop": drop.to_json()})
    return run
