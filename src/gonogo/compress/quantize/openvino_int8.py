"""Static int8 of OpenVINO's IR, by NNCF, OpenVINO's own quantizer.

Weights have seven bits, as in `onnx_int8`: with eight, a processor without VNNI would answer otherwise.

Source: https://docs.openvino.ai/2025/openvino-workflow/model-optimization-guide/quantizing-models-post-training.html
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import onnx

from gonogo.compress.quantize import Quantizer, Source
from gonogo.compress.quantize.graph import Body
from gonogo.errors import MissingExtraError
from gonogo.export.onnx import strip, widen_novelty
from gonogo.export.openvino import from_onnx, save, sign_file
from gonogo.runtimes.openvino import EXTRA, load_openvino

# Reading an ONNX node gives several operations, called after it.
PART = "/"


def load_nncf() -> Any:
    """Import NNCF, which reports to its maker's servers unless the package that it does so by is blocked before.

    Raises:
        MissingExtraError: it is not installed.
    """
    load_openvino()
    try:
        import nncf
    except ImportError as error:
        raise MissingExtraError("nncf", EXTRA) from error
    nncf.set_log_level(logging.ERROR)
    return nncf


class QuantizableOpenvino:
    """The network as OpenVINO's graph."""

    def __init__(self, source: Source) -> None:
        self._nncf = load_nncf()
        self._body = Body.of_onnx(source.graph)
        self.layers = self._body.layers
        self._graph = onnx.ModelProto()
        self._graph.CopyFrom(source.graph)
        strip(self._graph)
        self._pixels = source.pixels

    def write(self, path: Path, floats: Collection[str], widened: float = 1.0) -> None:
        """Write a file; see `Quantizable`."""
        nncf = self._nncf
        graph = onnx.ModelProto()
        graph.CopyFrom(self._graph)
        widen_novelty(graph, widened)
        # Some operations have no name in the graph and get another one each time that it is read.
        model, nodes = from_onnx(graph), set(self._body.in_integers(floats))
        names = (operation.get_friendly_name() for operation in model.get_ordered_ops())
        ignored = [name for name in names if name.partition(PART)[0] not in nodes]
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # progress of its own
            model = nncf.quantize(
                model,
                nncf.Dataset([photo[None] for photo in self._pixels]),
                preset=nncf.QuantizationPreset.MIXED,
                target_device=nncf.TargetDevice.CPU,
                subset_size=len(self._pixels),
                ignored_scope=nncf.IgnoredScope(names=ignored, validate=False),
                advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
            )
        save(model, path)


def why_not() -> str | None:
    """See that the quantizer is there; its files run on every processor.

    Raises:
        MissingExtraError: it is not installed.
    """
    load_nncf()
    return None


QUANTIZER = Quantizer("openvino", "model.int8.xml", "int8", QuantizableOpenvino, sign_file, why_not)
