"""ONNX, with the facts of the gauge in the file's own metadata."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch

from gonogo.data.geometry import Geometry
from gonogo.errors import ExportError
from gonogo.export import Exporter
from gonogo.gauge.facts import METADATA_KEY, Facts
from gonogo.models.deployed import Deployed
from gonogo.types import UInt8Array

OPSET = 18
FREE_MARGIN = 16
# Where PyTorch's exporter says which modules a node comes from, outermost first, and how those of the body are called.
SCOPES_KEY = "pkg.torch.onnx.name_scopes"
BODY_SCOPE = "'network.body"
# What sets the limit of novelty, by the names that the exporter leaves to a network's buffers.
NOVELTY_LIMIT = ("novelty.scale", "novelty.shift")


def _dynamic_shape(geometry: Geometry) -> dict[int, object]:
    free: dict[int, object] = {0: torch.export.Dim("batch")}
    if geometry.height is None:
        x, y, width, height = geometry.region
        free |= {1: torch.export.Dim("height", min=y + height), 2: torch.export.Dim("width", min=x + width)}
    return free


def write(network: Deployed, facts: Facts, calibration: UInt8Array, path: Path) -> None:
    """Write the deployed network: (batch, H, W, C) uint8 `pixels` to `pred_probs`, `heatmap` and perhaps `novelty`.

    Args:
        network: in evaluation mode, on the CPU.
        facts: what the file's metadata says.
        calibration: (N, H, W, C) uint8, N at least 2; an example of the input.
        path: the file to write.

    Raises:
        ExportError: the network holds something that ONNX cannot say.
    """
    model = to_model(network, facts, calibration)
    strip(model)
    sign(model, facts)
    path.write_bytes(model.SerializeToString())


def to_model(network: Deployed, facts: Facts, calibration: UInt8Array) -> onnx.ModelProto:
    """Return the graph with all that the exporter leaves for debugging; arguments and errors as of `write`."""
    example = torch.from_numpy(calibration[:2])
    if facts.geometry.height is None:
        # An example that ends where the crop does would be taken for the only size there is.
        example = torch.nn.functional.pad(example, (0, 0, 0, FREE_MARGIN, 0, FREE_MARGIN))
    # The exporter reports its own steps on stdout and warns of its own internals; neither is for the user.
    for name in ("torch.onnx", "onnxscript"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                network,
                (example,),
                input_names=["pixels"],
                output_names=list(network.outputs),
                dynamic_shapes=(_dynamic_shape(facts.geometry),),
                opset_version=OPSET,
                dynamo=True,
                optimize=True,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            reason = str(error.__cause__ or error).splitlines()[0]
            raise ExportError(f"this network cannot be written as ONNX ({reason}); --debug shows where") from error
    assert program is not None
    return program.model_proto


def body_nodes(model: onnx.ModelProto) -> frozenset[str]:
    """Return the names of the nodes that compute the features: neither the way from pixels to input, nor the head.

    Args:
        model: as `to_model` returns it; the exporter says of each node which module it stands for.
    """
    return frozenset(
        node.name
        for node in model.graph.node
        if any(prop.key == SCOPES_KEY and BODY_SCOPE in prop.value for prop in node.metadata_props)
    )


def widen_novelty(model: onnx.ModelProto, factor: float) -> None:
    """Let photos be so many times farther from those of training until they are unknown; a graph without a limit stays.

    The distance is a sum of squares of scaled and shifted values, so both shrink by the root of the factor.
    """
    for tensor in model.graph.initializer:
        if tensor.name in NOVELTY_LIMIT:
            values = onnx.numpy_helper.to_array(tensor) / np.float32(factor**0.5)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def sign(model: onnx.ModelProto, facts: Facts) -> None:
    """Put the facts into the metadata, in the place of all that is there, and check the graph."""
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(facts.to_json(), sort_keys=True)})
    model.producer_name, model.doc_string = "gonogo", ""
    onnx.checker.check_model(model, full_check=True)


def strip(model: onnx.ModelProto) -> None:
    """Remove what the exporter leaves for debugging: stack traces make up most of a small file."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
    for value in [*model.graph.input, *model.graph.output]:
        del value.metadata_props[:]


EXPORTER = Exporter("model.onnx", "onnxruntime", "fp32", write)
