"""ExecuTorch programs, through torch.export and XNNPACK, with the facts of the gauge in a constant method."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gonogo.data.geometry import LUMA_HALF, LUMA_SCALE, TAP_SCALE
from gonogo.errors import ExportError, MissingExtraError
from gonogo.export import Exporter
from gonogo.export.litert import hushed
from gonogo.gauge.facts import METADATA_KEY, Facts
from gonogo.models.deployed import Deployed
from gonogo.runtimes.executorch import EXTRA, OUTPUTS_KEY, SEAL_KEY, UNSEALED, seal
from gonogo.types import UInt8Array


class Delegated(nn.Module):
    """The deployed network with its way from camera pixels to input in operators that XNNPACK has.

    XNNPACK takes floats alone, so turning bytes into floats is left to ExecuTorch's own kernels, which are quick where
    the bytes lie in one row and slow where they have to be sorted by colour.
    """

    luma_half: Tensor

    def __init__(self, network: Deployed) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("luma_half", torch.tensor([float(LUMA_HALF)]))

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Turn (1, H, W, C) uint8 into what `Deployed.forward` returns."""
        preprocess = self.network.preprocess
        geometry = preprocess.geometry
        x, y, _, _ = geometry.region
        (rows, columns), r = geometry.reduced_size, geometry.reduce
        if (rows * r, columns * r) != tuple(pixels.shape[1:3]):
            pixels = pixels.narrow(1, y, rows * r).narrow(2, x, columns * r)
        values = pixels.reshape(-1).float().reshape(1, rows * r, columns * r, geometry.channels).permute(0, 3, 1, 2)
        if geometry.colour == "grey" and geometry.channels == 3:
            # A convolution of one pixel: whole numbers, whose sums are exact in float32 whatever their order.
            luma = nn.functional.conv2d(values, preprocess.luma, self.luma_half)
            values = torch.floor(luma / LUMA_SCALE)
        if r > 1:
            # A mean is a whole number of 1/r^2; a quarter of one more rounds halves up whatever the last digits are.
            values = torch.floor(nn.functional.avg_pool2d(values, r, r) + (0.5 + 0.25 / r**2))
        if geometry.size is not None:
            resized = preprocess.down @ (values @ preprocess.across)
            values = torch.floor((resized + TAP_SCALE**2 // 2) / TAP_SCALE**2)
        return self.network.answer(preprocess.normalise(values))


def write(network: Deployed, facts: Facts, calibration: UInt8Array, path: Path) -> None:
    """Write the deployed network: (1, H, W, C) uint8 pixels to `pred_probs`, `heatmap` and perhaps `novelty`.

    Args:
        network: in evaluation mode, on the CPU.
        facts: what the method `gonogo` of the file returns.
        calibration: (N, H, W, C) uint8; an example of the input.
        path: the file to write.

    Raises:
        ExportError: the network holds something that ExecuTorch cannot say.
        MissingExtraError: ExecuTorch is not installed.
    """
    x, y, width, height = facts.geometry.region
    # A file for photos of any size takes what the crop reaches: one size, for which XNNPACK plans its memory.
    far = (y + height, x + width) if facts.geometry.height is None else calibration.shape[1:3]
    pixels = torch.from_numpy(calibration[:1, : far[0], : far[1]].copy())
    metadata = json.dumps(facts.to_json(), sort_keys=True)
    said = {METADATA_KEY: metadata, OUTPUTS_KEY: " ".join(network.outputs), SEAL_KEY: UNSEALED}
    path.write_bytes(seal(to_program(Delegated(network).eval(), pixels, said)))


def to_program(module: nn.Module, example: Tensor, said: dict[str, str]) -> bytes:
    """Return a file whose method `forward` is a module, and which says so much of itself.

    Args:
        module: in evaluation mode.
        example: its input.
        said: texts, by the name of the method that returns each.

    Raises:
        ExportError: the module holds something that ExecuTorch cannot say.
        MissingExtraError: ExecuTorch is not installed.
    """
    exir, fold_constants, partitioner = load_converter()
    try:
        with hushed(), torch.no_grad():
            program = torch.export.export(module, (example,))
            _copy_shared_constants(program)
            lowered = exir.to_edge_transform_and_lower(
                fold_constants(program), partitioner=[partitioner()], constant_methods=said
            )
            return bytes(lowered.to_executorch().buffer)
    except Exception as error:  # the converter's own exceptions share no base class
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ExportError(f"this network cannot be written for ExecuTorch ({reason}); --debug shows where") from error


def _copy_shared_constants(program: torch.export.ExportedProgram) -> None:
    """Give each operator that reads a constant one of its own.

    XNNPACK packs the bias of a linear layer and frees it. Where something else reads it as well, the first call would
    read freed memory.
    """
    specs = program.graph_signature.input_specs
    constants = {spec.arg.name for spec in specs if spec.kind != torch.export.graph_signature.InputKind.USER_INPUT}
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in constants:
            for user in list(node.users)[1:]:
                with program.graph.inserting_before(user):
                    copy = program.graph.call_function(torch.ops.aten.clone.default, (node,))
                copy.meta["val"] = node.meta["val"]
                user.replace_input_with(node, copy)


def load_converter() -> tuple[Any, Any, Any]:
    """Import ExecuTorch's exporter, which takes seconds: the package, what folds constants, and XNNPACK's partitioner.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        with hushed():
            from executorch import exir
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
            from executorch.exir.passes.constant_prop_pass import constant_prop_pass
    except ImportError as error:
        raise MissingExtraError("executorch", EXTRA) from error
    return exir, constant_prop_pass, XnnpackPartitioner


EXPORTER = Exporter("model.pte", "executorch", "fp32", write)
