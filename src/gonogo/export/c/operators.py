"""What each of PyTorch's core operators is in our few kinds. One line or one short function for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gonogo.errors import ExportError
from gonogo.export.c.graph import Node, constant

Shape = tuple[int, ...]
# An operator that is asked for with options which its code here does not have is refused by this.
OPERATORS: dict[str, Callable[..., Node | list[Node]]] = {}


def _operator(*names: str) -> Callable[[Any], Any]:
    def put(function: Any) -> Any:
        OPERATORS.update(dict.fromkeys((f"aten.{name}" for name in names), function))
        return function

    return put


def as_node(value: Node | Tensor | float) -> Node:
    """Return a node; numbers and tensors become consts."""
    if isinstance(value, Node):
        return value
    return constant(value.detach().numpy() if isinstance(value, Tensor) else value)


def mapped(shape: Shape, expr: str, *values: Node | Tensor | float, **attrs: Any) -> Node:
    """Return a node that computes an expression of C for each place; `{0}` stands for the first value there."""
    return Node("map", tuple(map(as_node, values)), shape, {"expr": expr, **attrs})


def viewed(shape: Shape, source: Node, how: str, *options: Any) -> Node:
    """Return a node that is another view of the same numbers."""
    return Node("view", (source,), shape, {"how": (how, *options)})


# ---- one number from numbers at the same place

_BINARY = {"sub": "({0} - {1})", "mul": "({0} * {1})", "div": "({0} / {1})", "pow": "powf({0}, {1})"}
_COMPARE = {"eq": "==", "ne": "!=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_UNARY = {
    "sqrt": "sqrtf({0})",
    "rsqrt": "(1.0f / sqrtf({0}))",
    "exp": "expf({0})",
    "log": "logf({0})",
    "tanh": "tanhf({0})",
    "neg": "(-{0})",
    "abs": "fabsf({0})",
    "reciprocal": "(1.0f / {0})",
    "sigmoid": "sigmoid({0})",
    "logical_not": "(float)({0} == 0.0f)",
}


def _scaled(name: str, expr: str) -> None:
    @_operator(f"{name}.Tensor", f"{name}.Scalar")
    def binary(shape: Shape, one: Any, other: Any, *, alpha: float = 1) -> Node:
        if alpha != 1:
            other = mapped(as_node(other).shape, "({0} * {1})", other, float(alpha))
        return mapped(shape, expr, one, other)


for _name, _expr in _BINARY.items():
    _scaled(_name, _expr)
for _name, _sign in _COMPARE.items():
    _scaled(_name, f"(float)({{0}} {_sign} {{1}})")
for _name, _expr in _UNARY.items():
    OPERATORS[f"aten.{_name}"] = lambda shape, value, _expr=_expr: mapped(shape, _expr, value)
OPERATORS["aten.maximum"] = lambda shape, one, other: mapped(shape, "larger({0}, {1})", one, other)
OPERATORS["aten.minimum"] = lambda shape, one, other: mapped(shape, "smaller({0}, {1})", one, other)
OPERATORS["aten.where.self"] = lambda shape, *three: mapped(shape, "({0} != 0.0f ? {1} : {2})", *three)


@_operator("add.Tensor", "add.Scalar")
def _add(shape: Shape, one: Any, other: Any, *, alpha: float = 1) -> Node:
    if alpha != 1:
        other = mapped(as_node(other).shape, "({0} * {1})", other, float(alpha))
    one, other = as_node(one), as_node(other)
    return mapped(shape, "({0} + {1})", one, other, adds=one.shape == other.shape)


@_operator("pow.Tensor_Scalar")
def _power(shape: Shape, value: Node, exponent: float) -> Node:
    if exponent == 2:
        return mapped(shape, "square({0})", value)
    return mapped(shape, "powf({0}, {1})", value, float(exponent))


@_operator("relu")
def _relu(shape: Shape, value: Node) -> Node:
    return _clamped(shape, value, 0.0, math.inf)


@_operator("hardtanh", "clamp")
def _clamp(shape: Shape, value: Node, low: float | None = -1.0, high: float | None = None) -> Node:
    return _clamped(shape, value, -math.inf if low is None else low, math.inf if high is None else high)


OPERATORS["aten.hardtanh"] = lambda shape, value, low=-1.0, high=1.0: _clamped(shape, value, low, high)


def _clamped(shape: Shape, value: Node, low: float, high: float) -> Node:
    limits: list[float] = [float(np.float32(limit)) for limit in (low, high) if math.isfinite(limit)]
    expr = "{0}"
    if math.isfinite(low):
        expr = "larger({0}, {1})"
    if math.isfinite(high):
        expr = f"smaller({expr}, {{{len(limits)}}})"
    return mapped(shape, expr, value, *limits, act=(low, high))


@_operator("gelu")
def _gelu(shape: Shape, value: Node, approximate: str = "none") -> Node:
    if approximate != "none":
        raise ExportError(f"C code cannot be written for gelu with approximate='{approximate}'; use the exact one")
    return mapped(shape, "gelu({0})", value)


@_operator("full_like")
def _full_like(shape: Shape, _like: Node, value: float, **_: Any) -> Node:
    return viewed(shape, constant(float(value)), "expand")


@_operator("clone", "alias", "_to_copy", "contiguous", "detach", "lift_fresh_copy")
def _same(_shape: Shape, value: Node, **_: Any) -> Node:
    return value


# ---- convolutions, poolings, norms


@_operator("convolution")
def _convolution(
    shape: Shape,
    value: Node,
    weight: Any,
    bias: Any,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    _output_padding: Sequence[int],
    groups: int,
) -> Node:
    if transposed or len(stride) != 2 or not isinstance(weight, Tensor) or len(set(dilation)) > 1:
        raise ExportError("C code is written for plain convolutions in two dimensions; export it as --format onnx")
    filled = torch.zeros(weight.shape[0]) if bias is None else bias
    places = {"stride": tuple(stride), "padding": tuple(padding), "dilation": dilation[0], "groups": groups}
    return Node("conv", (value, as_node(weight), as_node(filled)), shape, {**places, "after": ()})


@_operator("_native_batch_norm_legit_no_training")
def _batch_norm(
    shape: Shape, value: Node, weight: Any, bias: Any, mean: Tensor, var: Tensor, _momentum: float, eps: float
) -> list[Node]:
    scale = (1 if weight is None else weight.double()) / torch.sqrt(var.double() + eps)
    shift = (0 if bias is None else bias.double()) - mean.double() * scale
    return [Node("affine", (value, constant(scale.numpy()), constant(shift.numpy())), shape)]


@_operator("max_pool2d_with_indices")
def _max_pool(
    shape: Shape,
    value: Node,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    _ceil: bool = False,
) -> list[Node]:
    if set(dilation) != {1}:
        raise ExportError("C code is written for poolings without dilation; export it as --format onnx")
    return [Node("max_pool", (value,), shape, _window(kernel, stride or kernel, padding))]


@_operator("avg_pool2d")
def _avg_pool(
    shape: Shape,
    value: Node,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    ceil: bool = False,
    count_padding: bool = True,
    divisor: int | None = None,
) -> Node:
    if divisor is not None or (ceil and count_padding):
        raise ExportError("C code is written for plain average poolings; export it as --format onnx")
    return Node("avg_pool", (value,), shape, {**_window(kernel, stride or kernel, padding), "counts": count_padding})


def _window(kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]) -> dict[str, Any]:
    return {name: (pair[0], pair[-1]) for name, pair in (("kernel", kernel), ("stride", stride), ("padding", padding))}


@_operator("native_layer_norm")
def _layer_norm(shape: Shape, value: Node, over: Sequence[int], weight: Any, bias: Any, eps: float) -> list[Node]:
    weight = torch.ones(*over) if weight is None else weight
    bias = torch.zeros(*over) if bias is None else bias
    return [Node("layer_norm", (value, as_node(weight), as_node(bias)), shape, {"dims": len(over), "eps": eps})]


# ---- over many places


def _reduced(how: str) -> Callable[..., Node]:
    def reduce(shape: Shape, value: Node, dims: Any = None, keep: bool = False, **_: Any) -> Node:
        del keep  # the shape says so
        given = [dims] if isinstance(dims, int) else list(dims or range(len(value.shape)))
        over = tuple(sorted(dim % len(value.shape) for dim in given))
        return Node("reduce", (value,), shape, {"how": how, "dims": over})

    return reduce


OPERATORS.update(
    {
        "aten.mean.dim": _reduced("mean"),
        "aten.mean": _reduced("mean"),
        "aten.sum.dim_IntList": _reduced("sum"),
        "aten.amax": _reduced("max"),
        "aten.amin": _reduced("min"),
        "aten.any.dim": _reduced("max"),
    }
)


@_operator("linalg_vector_norm")
def _vector_norm(shape: Shape, value: Node, order: float = 2, dims: Any = None, keep: bool = False, **_: Any) -> Node:
    if order != 2:
        raise ExportError(f"C code is written for the Euclidean norm, not for the one of order {order}")
    squares = mapped(value.shape, "square({0})", value)
    return mapped(shape, "sqrtf({0})", _reduced("sum")(shape, squares, dims, keep))


@_operator("_softmax")
def _softmax(shape: Shape, value: Node, dim: int, _half: bool) -> Node:
    return Node("softmax", (value,), shape, {"dim": dim % len(shape)})


@_operator("mm", "bmm")
def _product(shape: Shape, one: Any, other: Any) -> Node:
    return Node("matmul", (as_node(one), as_node(other)), shape)


@_operator("addmm")
def _affine_product(shape: Shape, bias: Any, one: Any, other: Any) -> Node:
    if isinstance(bias, Tensor) and bias.ndim == 1 and isinstance(other, Tensor):
        return Node("matmul", (as_node(one), as_node(other), as_node(bias)), shape)
    return mapped(shape, "({0} + {1})", _product(shape, one, other), bias)


# ---- the same numbers at other places


@_operator("cat")
def _cat(shape: Shape, values: Sequence[Any], dim: int = 0) -> Node:
    return Node("cat", tuple(map(as_node, values)), shape, {"dim": dim % len(shape)})


@_operator("constant_pad_nd")
def _pad(shape: Shape, value: Node, sides: Sequence[int], fill: float = 0.0) -> Node:
    before = [0] * len(shape)
    for pair in range(len(sides) // 2):
        before[-1 - pair] = sides[2 * pair]
    return Node("pad", (value,), shape, {"before": tuple(before), "fill": float(fill)})


@_operator("index.Tensor")
def _index(shape: Shape, value: Node, places: Sequence[Tensor | None]) -> Node:
    given = [(dim, place) for dim, place in enumerate(places) if place is not None]
    if len(given) != 1 or not isinstance(given[0][1], Tensor) or given[0][1].ndim != 1:
        raise ExportError("C code is written for an index along one dimension; export it as --format onnx")
    dim, place = given[0]
    return Node("gather", (value,), shape, {"dim": dim, "places": tuple(int(p) for p in place)})


@_operator("permute")
def _permute(shape: Shape, value: Node, dims: Sequence[int]) -> Node:
    return viewed(shape, value, "permute", tuple(dim % len(shape) for dim in dims))


@_operator("view", "_unsafe_view", "reshape", "unsqueeze", "squeeze.dims", "squeeze.dim")
def _reshape(shape: Shape, value: Node, *_: Any) -> Node:
    return viewed(shape, value, "reshape")


@_operator("expand")
def _expand(shape: Shape, value: Node, *_: Any) -> Node:
    return viewed(shape, value, "expand")


@_operator("slice.Tensor")
def _slice(shape: Shape, value: Node, dim: int = 0, start: Any = None, _end: Any = None, step: int = 1) -> Node:
    dim, start = dim % len(shape), start or 0
    start = min(max(start + value.shape[dim] if start < 0 else start, 0), value.shape[dim])
    return viewed(shape, value, "slice", dim, start, step)


@_operator("select.int")
def _select(shape: Shape, value: Node, dim: int, index: int) -> Node:
    dim = dim % len(value.shape)
    one = (*value.shape[:dim], 1, *value.shape[dim + 1 :])
    return viewed(shape, viewed(one, value, "slice", dim, index % value.shape[dim], 1), "reshape")


@_operator("split_with_sizes")
def _split(_shape: Shape, value: Node, sizes: Sequence[int], dim: int = 0) -> list[Node]:
    dim, parts, start = dim % len(value.shape), [], 0
    for size in sizes:
        parts.append(viewed((*value.shape[:dim], size, *value.shape[dim + 1 :]), value, "slice", dim, start, 1))
        start += size
    return parts
