"""What is changed in a TFLite file after LiteRT's converter wrote it; what it answers stays what it was."""

from __future__ import annotations

from typing import Any

import numpy as np

# The graph that is run; further ones say what the converter's composite operators, an average pooling, stand for.
MAIN = 0
# Metadata that the converter leaves: the oldest run-time that knows all operators.
KEPT = ("min_runtime_version",)
# How names begin that stand for what the network's body computes.
BODY = "body/"


def tidied(content: bytes, body_scope: str) -> bytes:
    """Return a file whose pixels are dequantized, whose layouts change no more often than needed, with short names.

    Args:
        content: of a file as the converter wrote it.
        body_scope: what the converter's names of the body's values contain.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    graph = model.subgraphs[MAIN]
    model.metadata = [entry for entry in model.metadata or [] if entry.name.decode() in KEPT]
    _cancel_transposes(model, graph)
    _drop_unused(model, graph)
    _rename(model, graph, body_scope)
    _dequantize_pixels(model, graph)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _cancel_transposes(model: Any, graph: Any) -> None:
    """Read what a transpose and its inverse make from before both, and drop transposes that nobody reads.

    They are left where the features between them are read in PyTorch's layout as well, by the novelty.
    """
    made_by: dict[int, Any] = {}
    for operator in graph.operators:
        operator.inputs = [made_by.get(place, place) for place in operator.inputs]
        if not _is_transpose(model, operator):
            continue
        first = next((o for o in graph.operators if operator.inputs[0] in o.outputs), None)
        if first is not None and _is_transpose(model, first):
            before, after = _order(model, graph, first), _order(model, graph, operator)
            if operator.outputs[0] not in graph.outputs and np.array_equal(before[after], np.arange(len(before))):
                made_by[operator.outputs[0]] = first.inputs[0]
    read = {place for operator in graph.operators for place in operator.inputs} | set(graph.outputs)
    graph.operators = [o for o in graph.operators if not _is_transpose(model, o) or o.outputs[0] in read]


def _drop_unused(model: Any, graph: Any) -> None:
    """Leave out values that no operator makes or reads any more; whoever asks LiteRT for one of them gets an error."""
    ends = [*graph.inputs, *graph.outputs]
    used = {int(place) for operator in graph.operators for place in [*operator.inputs, *operator.outputs]} | set(ends)
    kept = [place for place in range(len(graph.tensors)) if place in used]
    moved = {place: number for number, place in enumerate(kept)} | {-1: -1}  # -1 stands for an input that is left out
    graph.tensors = [graph.tensors[place] for place in kept]
    graph.inputs, graph.outputs = ([moved[place] for place in places] for places in (graph.inputs, graph.outputs))
    for operator in graph.operators:
        operator.inputs = [moved[place] for place in operator.inputs]
        operator.outputs = [moved[place] for place in operator.outputs]
    for signature in model.signatureDefs:
        for value in [*signature.inputs, *signature.outputs]:
            value.tensorIndex = moved[value.tensorIndex]


def _is_transpose(model: Any, operator: Any) -> bool:
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    return bool(model.operatorCodes[operator.opcodeIndex].builtinCode == BuiltinOperator.TRANSPOSE)


def _order(model: Any, graph: Any, transpose: Any) -> Any:
    """Return the axes that a transpose takes, in its order."""
    data = model.buffers[graph.tensors[transpose.inputs[1]].buffer].data
    return np.frombuffer(bytes(data), dtype="<i4")


def _rename(model: Any, graph: Any, body_scope: str) -> None:
    """Name every value after the operator that makes it, those of the body with `BODY` before.

    The converter's own names say the way through all modules, which makes up half of a small file.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    (signature,) = model.signatureDefs
    given = {value.tensorIndex: value.name for value in [*signature.inputs, *signature.outputs]}
    names: dict[int, str] = {}
    for number, operator in enumerate(graph.operators):
        kind = flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex).lower()
        for place in operator.outputs:
            where = BODY if body_scope in graph.tensors[place].name.decode() else ""
            names[place] = f"{where}{kind}_{number}"
    for place, tensor in enumerate(graph.tensors):
        tensor.name = given.get(place) or names.get(place) or f"constant_{place}"


def _dequantize_pixels(model: Any, graph: Any) -> None:
    """Let pixels become floats by dequantizing with a scale of 1, which is the same: TFLite Micro cannot cast bytes."""
    from ai_edge_litert import schema_py_generated as schema

    codes = [code.builtinCode for code in model.operatorCodes]
    pixels = {place for place, tensor in enumerate(graph.tensors) if tensor.type == schema.TensorType.UINT8}
    for operator in graph.operators:
        if codes[operator.opcodeIndex] == schema.BuiltinOperator.CAST and operator.inputs[0] in pixels:
            code = schema.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
            code.version = 1
            operator.opcodeIndex = len(model.operatorCodes)
            operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.NONE, None
            model.operatorCodes.append(code)
    for place in pixels:
        quantized = schema.QuantizationParametersT()
        quantized.scale, quantized.zeroPoint = [1.0], [0]
        graph.tensors[place].quantization = quantized
