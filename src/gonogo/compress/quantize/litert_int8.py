"""Static int8 of a TFLite file, by AI Edge Quantizer, LiteRT's own quantizer.

Source: https://github.com/google-ai-edge/ai-edge-quantizer
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gonogo.compress.quantize import Quantizer, Source
from gonogo.compress.quantize.graph import Body, Node
from gonogo.errors import MissingExtraError
from gonogo.export.litert import EXTRA, hushed, sign_file, to_tflite
from gonogo.export.litert_graph import BODY, MAIN

# As `gonogo.compress.quantize.graph` has them for ONNX; a ReLU is part of the layer before it here.
LAYERS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL"}
PASSING = {"PAD", "MAX_POOL_2D", "AVERAGE_POOL_2D", "RESHAPE", "RELU"}
JOINING = {"ADD", "CONCATENATION"}
SIGNATURE = "serving_default"
BITS = 8


def load_quantizer() -> Any:
    """Import AI Edge Quantizer and return its modules.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        with hushed():
            from ai_edge_quantizer import calibrator, quantizer, recipe_manager
            from ai_edge_quantizer.utils import qsv_utils
    except ImportError as error:
        raise MissingExtraError("ai-edge-quantizer", EXTRA) from error
    return SimpleNamespace(
        calibrator=calibrator, qsv_utils=qsv_utils, quantizer=quantizer, recipe_manager=recipe_manager
    )


class QuantizableLitert:
    """The network as a TFLite graph; ranges are measured once, when the first file is written."""

    def __init__(self, source: Source) -> None:
        self._library = load_quantizer()
        self._source = source
        self._content = to_tflite(source.network, source.facts, source.pixels)
        self._body = Body(_body_nodes(self._content), PASSING, JOINING)
        self.layers = self._body.layers
        self._ranges: Any = None

    def write(self, path: Path, floats: Collection[str], widened: float = 1.0) -> None:
        """Write a file; see `Quantizable`."""
        content = self._content if widened == 1.0 else self._widened(widened)
        chosen = self._body.feeding(self._body.in_integers(floats))
        if not chosen:
            path.write_bytes(content)
            return
        with hushed():
            if self._ranges is None:
                self._ranges = self._measure()
            made = self._library.quantizer.Quantizer(bytearray(content), self._recipe(chosen).get_quantization_recipe())
            result = made.quantize(self._ranges, enable_progress_report=False)
            path.write_bytes(bytes(result.quantized_model))

    def _measure(self) -> Any:
        """Return the least and the greatest of every value on any photo.

        The quantizer's own way is a moving average over photos, which forgets what few of them show: defects.
        """
        library = self._library
        meter = library.calibrator.Calibrator(
            self._content, num_threads=1, qsv_update_func=library.qsv_utils.min_max_update
        )
        # A list: the photos are counted before they are looked at.
        photos = [{"pixels": photo[None]} for photo in self._source.pixels]
        meter.calibrate({SIGNATURE: photos}, self._recipe(self._body.in_integers(())))
        return meter.get_model_qsvs()

    def _recipe(self, names: Collection[str]) -> Any:
        """Say that the operators that make these values are to be in integers."""
        recipe = self._library.recipe_manager.RecipeManager()
        scope = f"^({'|'.join(map(re.escape, names))});$"
        recipe.add_static_config(scope, "*", activation_num_bits=BITS, weight_num_bits=BITS)
        return recipe

    def _widened(self, factor: float) -> bytes:
        """Return the graph whose photos may be so many times farther from training; a distance is a sum of squares."""
        network = copy.deepcopy(self._source.network)
        if network.novelty is not None:
            network.novelty.scale /= factor**0.5
            network.novelty.shift /= factor**0.5
        return to_tflite(network, self._source.facts, self._source.pixels)


def _body_nodes(content: bytes) -> list[Node]:
    """Return the operators of the body, called after what they make."""
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    graph = model.subgraphs[MAIN]
    names = [tensor.name.decode() for tensor in graph.tensors]
    stored = [model.buffers[tensor.buffer].data is not None for tensor in graph.tensors]
    nodes = []
    for operator in graph.operators:
        kind = flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex)
        inputs, outputs = ([place for place in places if place >= 0] for places in (operator.inputs, operator.outputs))
        if not names[outputs[0]].startswith(BODY):
            continue
        has_weights = kind in LAYERS and stored[inputs[1]]
        made = tuple(names[place] for place in outputs)
        nodes.append(Node(made[0], kind, tuple(names[place] for place in inputs), made, has_weights))
    return nodes


def why_not() -> str | None:
    """See that the quantizer is there; its files run on every processor.

    Raises:
        MissingExtraError: it is not installed.
    """
    load_quantizer()
    return None


QUANTIZER = Quantizer("litert", "model.int8.tflite", "int8", QuantizableLitert, sign_file, why_not)
