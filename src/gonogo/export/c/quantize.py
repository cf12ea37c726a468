"""Eight bits: convolutions and maximum poolings in whole numbers, the head and everything else in float.

Weights are int8, symmetric, with a scale for each output channel; what flows between layers is uint8 with a scale and a
zero point for each tensor, from the smallest to the largest value on the calibration photos (Jacob et al. 2018, arXiv
1712.05877, section 2). Where float is next to whole numbers, a map quantizes or dequantizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gonogo.data.geometry import Geometry
from gonogo.errors import ExportError
from gonogo.export.c.graph import Graph, Node, ordered
from gonogo.export.c.operators import mapped
from gonogo.export.c.reference import evaluate
from gonogo.types import UInt8Array

Array = np.ndarray[Any, Any]
LEVELS = 255
LARGEST_WEIGHT = 127
# What is added to a sum stays below this, so that the whole fits into 32 bits.
FARTHEST = 2.0**30


@dataclass(frozen=True)
class Scale:
    """How whole numbers stand for real ones: real = scale * (whole - zero)."""

    scale: np.float32
    zero: int


@dataclass(frozen=True, eq=False)
class Numbers:
    """What a quantized convolution needs.

    Attributes:
        weight: (K, depth, tall, wide) int8.
        bias: (K,) int32, with what the input's zero point adds.
        ceiling: (K,) int32 where an activation from 0 on is followed by a factor and a summand; else None.
        shift: (K,) int32, that summand.
        factor: (K,) float32, from sums to the output's steps.
        added: for each tensor that is added: its steps in steps of the output, and its zero point.
        zero_in: of the input; its border holds it.
        zero: of the output.
        low: the least the output may be.
        high: the most.
    """

    weight: Array
    bias: Array
    ceiling: Array | None
    shift: Array | None
    factor: Array
    added: tuple[tuple[float, int], ...]
    zero_in: int
    zero: int
    low: int
    high: int


def ranges(graph: Graph, geometry: Geometry, photos: UInt8Array) -> dict[Node, tuple[float, float]]:
    """Return the least and the largest value of every picture over calibration photos, 0 always among them.

    Args:
        graph: folded.
        geometry: from camera pixels to levels.
        photos: (N, H, W, C) uint8.
    """
    found: dict[Node, tuple[float, float]] = {}
    for photo in photos:
        levels = geometry.apply(photo[None]).transpose(0, 3, 1, 2)
        for node, values in evaluate(graph, levels).items():
            if len(node.shape) == 4 and node.kind not in ("levels", "const"):
                low, high = found.get(node, (0.0, 0.0))
                found[node] = (min(low, float(values.min())), max(high, float(values.max())))
    return found


def scale_of(limits: tuple[float, float]) -> Scale:
    """Return the scale that holds a range, and its zero point: 0 is exact."""
    low, high = limits
    step = np.float32(max(high - low, 1e-6) / LEVELS)
    return Scale(step, int(np.clip(np.rint(-low / float(step)), 0, LEVELS)))


def quantize(graph: Graph, geometry: Geometry, photos: UInt8Array) -> Graph:
    """Return the network with its convolutions and maximum poolings in eight bits.

    Args:
        graph: folded.
        geometry: from camera pixels to levels.
        photos: (N, H, W, C) uint8, N at least 1, which the ranges come from.

    Raises:
        ExportError: nothing to quantize, or a convolution with something behind it that eight bits have no code for.
    """
    return _Quantizer(graph, ranges(graph, geometry, photos)).run()


class _Quantizer:
    def __init__(self, graph: Graph, limits: dict[Node, tuple[float, float]]) -> None:
        self._graph, self._limits = graph, limits
        self._whole: dict[Node, Node] = {}
        self._float: dict[Node, Node] = {}
        self._scales: dict[Node, Scale] = {}

    def run(self) -> Graph:
        for node in self._graph.nodes:
            if node.kind == "conv":
                self._conv(node)
            elif node.kind == "max_pool" and node.inputs[0] in self._whole:
                source = node.inputs[0]
                self._scales[node] = self._scales[source]
                pooled = Node("q_max_pool", (self._whole[source],), node.shape, node.attrs, node.layer)
                self._whole[node] = _zeroed(pooled, self._scales[node])
        if not self._whole:
            raise ExportError("this network has no convolution to write in eight bits; export --format c")
        return ordered({name: self.real(node) for name, node in self._graph.outputs.items()})

    def real(self, node: Node) -> Node:
        """Return a node as float."""
        if node not in self._float:
            if node in self._whole:
                scale = self._scales[node]
                made = mapped(
                    node.shape, f"({{1}} * (float)({{0}} - {scale.zero}))", self._whole[node], float(scale.scale)
                )
                made.attrs |= {"scale": float(scale.scale), "zero": scale.zero}
                made.layer = node.layer
                self._float[node] = made
            else:
                self._float[node] = node.having(map(self.real, node.inputs)) if node.inputs else node
        return self._float[node]

    def whole(self, node: Node) -> Node:
        """Return a node in eight bits."""
        if node not in self._whole:
            scale = self._scales[node] = scale_of(self._limits[node])
            attrs = {"inverse": float(np.float32(1) / scale.scale), "expr": "{0}"}
            made = Node("q_map", (self.real(node),), node.shape, attrs, node.layer)
            self._whole[node] = _zeroed(made, scale)
        return self._whole[node]

    def _conv(self, node: Node) -> None:
        value, weight, bias, *others = node.inputs
        assert weight.values is not None and bias.values is not None
        inside = self.whole(value)
        given, scale = self._scales[value], scale_of(self._limits[node])
        self._scales[node] = scale
        largest = np.abs(weight.values).max((1, 2, 3)).astype(np.float32)
        steps = np.where(largest > 0, largest, 1).astype(np.float32) / np.float32(LARGEST_WEIGHT)
        weights = np.rint(weight.values / steps[:, None, None, None]).astype(np.int8)
        unit = given.scale.astype(np.float64) * steps.astype(np.float64)
        offset = given.zero * weights.astype(np.int64).sum((1, 2, 3))
        start = _int32(np.rint(bias.values / unit) - offset)
        rest = _After(node, unit, scale, others)
        added = [self.whole(other) for other in rest.added]
        numbers = Numbers(
            weights,
            start,
            rest.ceiling,
            rest.shift,
            (rest.unit / float(scale.scale)).astype(np.float32),
            tuple((float(self._scales[o].scale / scale.scale), self._scales[o].zero) for o in rest.added),
            given.zero,
            scale.zero,
            rest.low,
            rest.high,
        )
        places = {name: node.attrs[name] for name in ("stride", "padding", "dilation", "groups")}
        made = Node("q_conv", (inside, *added), node.shape, {**places, "numbers": numbers}, node.layer)
        self._whole[node] = _zeroed(made, scale)


def _zeroed(node: Node, scale: Scale) -> Node:
    node.attrs = {**node.attrs, "zero": scale.zero}
    return node


def _int32(values: Array) -> Array:
    return np.clip(values, -FARTHEST, FARTHEST).astype(np.int32)


class _After:
    """What follows a convolution, in whole numbers: an activation, a factor and a summand, a sum, an activation."""

    def __init__(self, node: Node, unit: Array, scale: Scale, others: Sequence[Node]) -> None:
        self.unit, self.ceiling, self.shift = unit, None, None
        self.added: list[Node] = []
        self.low, self.high = 0, LEVELS
        after = list(node.attrs["after"])
        kinds = [item[0] for item in after]
        if kinds[:2] in (["act", "affine"], ["act", "add"]):
            _, low, high = after.pop(0)
            if low != 0:
                raise ExportError(
                    f"eight bits have no code for the activation in layer '{node.layer}'; export --format c"
                )
            self.ceiling = _int32(np.rint(np.minimum(high / unit, FARTHEST)))
        if after and after[0][0] == "affine":
            factor, summand = (others[after[0][1] - 3 + k].values for k in (0, 1))
            assert factor is not None and summand is not None
            real = np.where(np.abs(factor) < 1e-12, 1e-12, factor).astype(np.float64)
            self.shift = _int32(np.rint(np.clip(summand / (real * unit), -(2.0**30), 2.0**30)))
            self.unit = unit * real
            after.pop(0)
        if after and after[0][0] == "add":
            self.added.append(others[after[0][1] - 3])
            after.pop(0)
        if after and after[0][0] == "act":
            _, low, high = after.pop(0)
            step = float(scale.scale)
            self.low = int(np.clip(scale.zero + np.rint(low / step), 0, LEVELS)) if np.isfinite(low) else 0
            self.high = int(np.clip(scale.zero + np.rint(high / step), 0, LEVELS)) if np.isfinite(high) else LEVELS
        if after:
            raise ExportError(f"eight bits have no code for what follows layer '{node.layer}'; export --format c")
