"""Static int8 of an ONNX file, by ONNX Runtime's own quantizer.

Activations are unsigned with one scale a tensor, weights signed with one scale a channel and seven bits: without the
VNNI instructions x86 adds two products of eight bits in sixteen, which overflows at the eighth bit, so that the same
file would answer otherwise on another processor.

Source: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from gonogo.compress.quantize import Quantizer, Source
from gonogo.export.onnx import body_nodes, sign, strip, widen_novelty
from gonogo.gauge.facts import Facts
from gonogo.types import UInt8Array

# What has weights, and what may lie between such layers without leaving the integers.
LAYERS = {"Conv", "Gemm", "MatMul"}
BETWEEN = {"Relu", "Clip", "MaxPool", "AveragePool", "Add", "Concat"}
# So many photos are asked at once while ranges are measured.
BATCH = 8


class _Photos(CalibrationDataReader):  # type: ignore[misc]
    """The photos that ranges are measured on, a few at a time."""

    def __init__(self, pixels: UInt8Array) -> None:
        self._batches = iter(np.array_split(pixels, range(BATCH, len(pixels), BATCH)))

    def get_next(self) -> dict[str, UInt8Array] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"pixels": batch}


class QuantizableOnnx:
    """The network as an ONNX graph; ranges are measured once, when the first file is written."""

    def __init__(self, source: Source) -> None:
        self._model = onnx.ModelProto()
        self._model.CopyFrom(source.graph)
        body = body_nodes(self._model)
        strip(self._model)
        weights = {tensor.name for tensor in self._model.graph.initializer}
        nodes = [node for node in self._model.graph.node if node.name in body]
        self.layers = tuple(node.name for node in nodes if node.op_type in LAYERS and node.input[1] in weights)
        self._between = _inside(nodes, set(self.layers))
        self._pixels, self._ranges = source.pixels, source.scratch / "onnx-ranges.json"

    def write(self, path: Path, floats: Collection[str], widened: float = 1.0) -> None:
        """Write a file; see `Quantizable`."""
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        with _quiet():
            quantize_static(
                model,
                str(path),
                None if self._ranges.is_file() else _Photos(self._pixels),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=sorted(LAYERS | BETWEEN),
                nodes_to_quantize=[name for name in self.layers if name not in floats] + self._between,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibration_cache_path=self._ranges,
            )
        written = onnx.load(path)
        strip(written)
        widen_novelty(written, widened)
        path.write_bytes(written.SerializeToString())


def _inside(nodes: list[onnx.NodeProto], layers: set[str]) -> list[str]:
    """Return the nodes without weights whose result goes, at last, into a layer of the body.

    What follows the last layer is in float: the head reads the features as they are.
    """
    needed, inside = set[str](), []
    for node in reversed(nodes):
        if node.name in layers or any(name in needed for name in node.output):
            needed.update(node.input)
            if node.op_type in BETWEEN:
                inside.append(node.name)
        elif node.op_type in {"Relu", "Clip"}:
            # It costs nothing: the range of the layer before it ends where it does.
            inside.append(node.name)
    return inside[::-1]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantizer's advice to optimize the graph first from the user: the exporter has done so."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def sign_file(path: Path, facts: Facts) -> None:
    """Put the facts in the metadata of a file."""
    model = onnx.load(path)
    sign(model, facts)
    path.write_bytes(model.SerializeToString())


QUANTIZER = Quantizer("onnx", "model.int8.onnx", "int8", QuantizableOnnx, sign_file)
