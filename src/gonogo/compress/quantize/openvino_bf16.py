"""OpenVINO's IR computed in bfloat16, where the processor has instructions for it: the file only asks for it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import onnx

from gonogo.compress.quantize import Quantizer, Source
from gonogo.export.onnx import strip, widen_novelty
from gonogo.export.openvino import from_onnx, save, sign_file
from gonogo.runtimes.openvino import PRECISION_KEY, core

PRECISION = "bf16"


class HalvedOpenvino:
    """The network as OpenVINO's graph, to be computed in half the bits; no layer can be left out."""

    layers: tuple[str, ...] = ()

    def __init__(self, source: Source) -> None:
        self._graph = onnx.ModelProto()
        self._graph.CopyFrom(source.graph)
        strip(self._graph)

    def write(self, path: Path, floats: Collection[str], widened: float = 1.0) -> None:  # noqa: ARG002
        """Write a file; see `Quantizable`."""
        graph = onnx.ModelProto()
        graph.CopyFrom(self._graph)
        widen_novelty(graph, widened)
        model = from_onnx(graph)
        model.set_rt_info(PRECISION, [PRECISION_KEY])
        save(model, path)


def why_not() -> str | None:
    """Say what this processor lacks; None where it has it."""
    capabilities = core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if PRECISION.upper() in capabilities:
        return None
    return f"bf16 under openvino needs AMX or AVX-512 BF16, found {', '.join(sorted(capabilities))}"


QUANTIZER = Quantizer("openvino", "model.bf16.xml", PRECISION, HalvedOpenvino, sign_file, why_not)
