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
from gonogo.compress.quantize.graph import JOINING, LAYERS, PASSING, Body
from gonogo.export.onnx import sign, strip, widen_novelty
from gonogo.gauge.facts import Facts
from gonogo.types import UInt8Array

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
        self._body = Body.of_onnx(source.graph)
        self.layers = self._body.layers
        self._model = onnx.ModelProto()
        self._model.CopyFrom(source.graph)
        strip(self._model)
        self._pixels, self._ranges = source.pixels, source.scratch / "onnx-ranges.json"

    def write(self, path: Path, floats: Collection[str], widened: float = 1.0) -> None:
        """Write a file; see `Quantizable`."""
        nodes = self._body.in_integers(floats)
        if not nodes:  # an empty list would stand for all of them
            path.write_bytes(self._model.SerializeToString())
            return
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        with _quiet():
            quantize_static(
                model,
                str(path),
                None if self._ranges.is_file() else _Photos(self._pixels),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=sorted(LAYERS | PASSING | JOINING),
                nodes_to_quantize=nodes,
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
