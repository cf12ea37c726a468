"""What a graph computes, in numpy: for the ranges that quantization needs, and to hold the int8 C code to every bit.

Whole numbers are computed in int32 and every real factor is one float32 product, rounded half to even, so that any
compiler gets the same; nothing here is quick.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gonogo.errors import ExportError
from gonogo.export.c.graph import Graph, Node

Array = np.ndarray[Any, Any]
# Real values are kept inside this before they are rounded: far beyond eight bits, and exact in float32.
FAR = 2.0**21


def rounded(values: Array) -> Array:
    """Round float32 half to even, as int32."""
    return np.asarray(np.rint(np.clip(values, np.float32(-FAR), np.float32(FAR))), dtype=np.int32)


def _gelu(value: Array) -> Array:
    error = np.vectorize(math.erf)(value.astype(np.float64) / math.sqrt(2))
    return np.asarray(0.5 * value * (1 + error), dtype=np.float32)


def _sigmoid(value: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-value)), dtype=np.float32)


MEANINGS: dict[str, Callable[..., Array]] = {
    "{0}": lambda value: value,
    "({0} + {1})": np.add,
    "({0} - {1})": np.subtract,
    "({0} * {1})": np.multiply,
    "({0} / {1})": np.divide,
    "({0} * {1} + {2})": lambda value, factor, summand: value * factor + summand,
    "powf({0}, {1})": np.power,
    "square({0})": np.square,
    "sqrtf({0})": np.sqrt,
    "(1.0f / sqrtf({0}))": lambda value: 1 / np.sqrt(value),
    "(1.0f / {0})": lambda value: 1 / value,
    "expf({0})": np.exp,
    "logf({0})": np.log,
    "tanhf({0})": np.tanh,
    "(-{0})": np.negative,
    "fabsf({0})": np.abs,
    "sigmoid({0})": _sigmoid,
    "gelu({0})": _gelu,
    "larger({0}, {1})": np.maximum,
    "smaller({0}, {1})": np.minimum,
    "smaller(larger({0}, {1}), {2})": lambda value, low, high: np.minimum(np.maximum(value, low), high),
    "({0} != 0.0f ? {1} : {2})": lambda which, one, other: np.asarray(np.where(which != 0, one, other)),
    "(float)({0} == 0.0f)": lambda value: value == 0,
    "(float)({0} == {1})": np.equal,
    "(float)({0} != {1})": np.not_equal,
    "(float)({0} > {1})": np.greater,
    "(float)({0} >= {1})": np.greater_equal,
    "(float)({0} < {1})": np.less,
    "(float)({0} <= {1})": np.less_equal,
}


def windows(value: Array, tall: int, wide: int, node: Node, fill: float) -> Array:
    """Return (C, h', w', tall, wide): what each place of a convolution or pooling sees of a (1, C, H, W) picture."""
    (down, along), (above, left) = node.attrs["stride"], node.attrs["padding"]
    dilation = node.attrs.get("dilation", 1)
    rows, columns = node.shape[2:]
    reach = ((rows - 1) * down + (tall - 1) * dilation + 1, (columns - 1) * along + (wide - 1) * dilation + 1)
    picture = np.full((value.shape[1], *(max(a, b) for a, b in zip(reach, (0, 0), strict=True))), fill, value.dtype)
    kept = value[0, :, : reach[0] - above, : reach[1] - left]
    picture[:, above : above + kept.shape[1], left : left + kept.shape[2]] = kept
    seen = np.lib.stride_tricks.sliding_window_view(
        picture, ((tall - 1) * dilation + 1, (wide - 1) * dilation + 1), axis=(1, 2)
    )
    return seen[:, ::down, ::along, ::dilation, ::dilation][:, :rows, :columns]


def convolved(value: Array, weight: Array, node: Node, fill: float = 0) -> Array:
    """Return (1, K, h', w') sums of a window of each place, without the bias."""
    groups, (channels, depth, tall, wide) = node.attrs["groups"], weight.shape
    seen = windows(value, tall, wide, node, fill).reshape(groups, depth, *node.shape[2:], tall, wide)
    kernels = weight.reshape(groups, channels // groups, depth, tall, wide)
    sums = [np.tensordot(k, s, axes=((1, 2, 3), (0, 3, 4))) for k, s in zip(kernels, seen, strict=True)]
    return np.concatenate(sums)[None]


def evaluate(graph: Graph, levels: Array) -> dict[Node, Array]:
    """Compute every node.

    Args:
        graph: folded, or quantized.
        levels: (1, C, h, w) whole grey levels.

    Returns:
        What each node gives; quantized ones as int32.

    Raises:
        ExportError: an operation that has no meaning here.
    """
    known: dict[Node, Array] = {}
    for node in graph.nodes:
        given = [known[source] for source in node.inputs]
        if node.kind == "levels":
            value = levels.astype(np.float32)
        elif node.values is not None:
            value = node.values
        elif node.kind in KINDS:
            value = KINDS[node.kind](node, *given)
        else:
            raise ExportError(f"int8 has no reference for '{node.kind}' in layer '{node.layer}'; export --format c")
        known[node] = value if value.dtype == np.int32 else np.asarray(value, dtype=np.float32)
    return known


def _map(node: Node, *given: Array) -> Array:
    if "scale" in node.attrs:
        return np.asarray(np.float32(node.attrs["scale"]) * (given[0] - node.attrs["zero"]).astype(np.float32))
    if node.attrs["expr"] not in MEANINGS:
        raise ExportError(f"int8 has no reference for '{node.attrs['expr']}'; export --format c")
    return np.broadcast_to(MEANINGS[node.attrs["expr"]](*given), node.shape)


def _conv(node: Node, value: Array, weight: Array, bias: Array, *others: Array) -> Array:
    sums = convolved(value, weight, node) + bias[:, None, None]
    for what, *options in node.attrs["after"]:
        if what == "act":
            sums = np.clip(sums, *options)
        elif what == "affine":
            factor, summand = others[options[0] - 3 : options[0] - 1]
            sums = sums * factor[:, None, None] + summand[:, None, None]
        else:
            sums = sums + others[options[0] - 3]
    return np.asarray(sums, dtype=np.float32)


def _q_map(node: Node, value: Array) -> Array:
    steps = rounded(value * np.float32(node.attrs["inverse"])) + int(node.attrs["zero"])
    return np.asarray(np.clip(steps, 0, 255), dtype=np.int32)


def _q_conv(node: Node, value: Array, *others: Array) -> Array:
    numbers = node.attrs["numbers"]
    sums = convolved(value, numbers.weight.astype(np.int32), node, numbers.zero_in) + numbers.bias[:, None, None]
    if numbers.ceiling is not None:
        sums = np.clip(sums, 0, numbers.ceiling[:, None, None])
    if numbers.shift is not None:
        sums = sums + numbers.shift[:, None, None]
    result = rounded(sums.astype(np.float32) * numbers.factor[:, None, None])
    for other, (ratio, zero) in zip(others, numbers.added, strict=True):
        result = result + rounded((other - zero).astype(np.float32) * np.float32(ratio))
    return np.asarray(np.clip(result + numbers.zero, numbers.low, numbers.high), dtype=np.int32)


def _max_pool(node: Node, value: Array) -> Array:
    fill = 0 if value.dtype == np.int32 else -np.inf
    tall, wide = node.attrs["kernel"]
    return np.asarray(windows(value, tall, wide, node, fill).max((3, 4))[None])


def _avg_pool(node: Node, value: Array) -> Array:
    tall, wide = node.attrs["kernel"]
    sums = windows(value, tall, wide, node, 0).sum((3, 4))
    ones = np.ones((1, 1, *value.shape[2:]), np.float32)
    counts = tall * wide if node.attrs["counts"] else windows(ones, tall, wide, node, 0).sum((3, 4))
    return np.asarray((sums / counts)[None])


def _reduce(node: Node, value: Array) -> Array:
    how: Any = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min}[node.attrs["how"]]
    return np.asarray(how(value, axis=node.attrs["dims"])).reshape(node.shape)


def _product(_node: Node, one: Array, other: Array, bias: Array | None = None) -> Array:
    return np.asarray(one @ other if bias is None else one @ other + bias)


def _softmax(node: Node, value: Array) -> Array:
    powers = np.exp(value - value.max(node.attrs["dim"], keepdims=True))
    return np.asarray(powers / powers.sum(node.attrs["dim"], keepdims=True))


def _layer_norm(node: Node, value: Array, weight: Array, bias: Array) -> Array:
    axes = tuple(range(value.ndim - node.attrs["dims"], value.ndim))
    centred = value - value.mean(axes, keepdims=True)
    return np.asarray(
        centred / np.sqrt(np.square(centred).mean(axes, keepdims=True) + node.attrs["eps"]) * weight + bias
    )


def _pad(node: Node, value: Array) -> Array:
    result = np.full(node.shape, node.attrs["fill"], np.float32)
    inside, target = value, result
    for dim, before in enumerate(node.attrs["before"]):
        skipped = max(-before, 0)
        size = min(inside.shape[dim] - skipped, node.shape[dim] - max(before, 0))
        inside = inside.take(range(skipped, skipped + size), dim)
        target = np.moveaxis(np.moveaxis(target, dim, 0)[max(before, 0) : max(before, 0) + size], 0, dim)
    target[...] = inside
    return result


def _view(node: Node, value: Array) -> Array:
    how, *options = node.attrs["how"]
    if how == "permute":
        return value.transpose(options[0])
    if how == "reshape":
        return value.reshape(node.shape)
    if how == "expand":
        return np.broadcast_to(value, node.shape)
    dim, start, step = options
    return value.take(range(start, start + step * node.shape[dim], step), dim)


KINDS: dict[str, Callable[..., Array]] = {
    "map": _map,
    "conv": _conv,
    "q_map": _q_map,
    "q_conv": _q_conv,
    "max_pool": _max_pool,
    "q_max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "reduce": _reduce,
    "matmul": _product,
    "softmax": _softmax,
    "layer_norm": _layer_norm,
    "cat": lambda node, *given: np.concatenate(given, node.attrs["dim"]),
    "pad": _pad,
    "gather": lambda node, value: value.take(node.attrs["places"], node.attrs["dim"]),
    "view": _view,
}
