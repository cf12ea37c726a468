"""Which nodes of a network's graph can be computed in integers, and which must not be."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import onnx

from gonogo.export.onnx import body_nodes

# What has weights; what passes integers on as they are; and what joins several of them.
LAYERS = {"Conv", "Gemm", "MatMul"}
PASSING = {"Relu", "Clip", "MaxPool", "AveragePool"}
JOINING = {"Add", "Concat"}
CLIPPING = {"Relu", "Clip"}


@dataclass(frozen=True)
class Node:
    """One operation of a graph.

    Attributes:
        name: of the operation.
        kind: what it does, as its format calls it.
        inputs: the values that it reads.
        outputs: the values that it makes.
        has_weights: whether it is a layer: a product with numbers that were learnt.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    has_weights: bool


class Body:
    """The part of a graph that computes the features: the way from pixels to input stays exact, the head in float.

    Args:
        nodes: of the body alone, in the order of the graph.
        passing: kinds of nodes that pass integers on as they are.
        joining: kinds that join several of them.

    Attributes:
        names: of all its nodes.
        layers: names of the nodes with weights, in the order of the graph.
    """

    def __init__(
        self, nodes: Sequence[Node], passing: Collection[str] = PASSING, joining: Collection[str] = JOINING
    ) -> None:
        self._passing, self._joining = frozenset(passing), frozenset(joining)
        self.names = frozenset(node.name for node in nodes)
        self.layers = tuple(node.name for node in nodes if node.has_weights)
        self._nodes = {node.name: node for node in nodes}
        self._makers = {output: node for node in nodes for output in node.outputs}
        self._between = self._inside(nodes)

    @classmethod
    def of_onnx(cls, graph: onnx.ModelProto) -> Body:
        """Read it off an ONNX graph as the exporter left it, with the modules that its nodes come from."""
        names = body_nodes(graph)
        weights = {tensor.name for tensor in graph.graph.initializer}
        return cls(
            [
                Node(n.name, n.op_type, tuple(n.input), tuple(n.output), n.op_type in LAYERS and n.input[1] in weights)
                for n in graph.graph.node
                if n.name in names
            ]
        )

    def _inside(self, nodes: Sequence[Node]) -> list[Node]:
        """Return the nodes without weights whose result goes, at last, into a layer.

        What follows the last layer is in float: the head reads the features as they are. But a ReLU behind it costs
        nothing, as the range of the layer's integers can end where the ReLU does.
        """
        needed, inside = set[str](), []
        for node in reversed(nodes):
            reaches = node.has_weights or any(output in needed for output in node.outputs)
            if reaches:
                needed.update(node.inputs)
            if not node.has_weights and (reaches or node.kind in CLIPPING):
                inside.append(node)
        return [node for node in reversed(inside) if node.kind in self._passing | self._joining]

    def in_integers(self, floats: Collection[str]) -> list[str]:
        """Return the names of the nodes to compute in integers.

        Args:
            floats: layers that stay in float; so does what joins nothing but their results.
        """
        integers = {name for name in self.layers if name not in floats}
        joins = [node for node in self._between if node.kind in self._joining]
        for node in joins:
            if any(source in integers for source in self._sources(node)):
                integers.add(node.name)
        apart = {node.name for node in joins} - integers
        layers = [name for name in self.layers if name in integers]
        return layers + [node.name for node in self._between if node.name not in apart]

    def feeding(self, names: Collection[str]) -> list[str]:
        """Leave out what passes its result on to none of these nodes, for quantizers that would round it all the same.

        Args:
            names: as `in_integers` returns them.
        """
        asked, needed, kept = set(names), set[str](), set[str]()
        for node in reversed(self._nodes.values()):
            computes = node.has_weights or node.kind in self._joining
            if node.name in asked and (computes or any(output in needed for output in node.outputs)):
                kept.add(node.name)
                needed.update(node.inputs)
        return [name for name in names if name in kept]

    def _sources(self, node: Node) -> Iterator[str]:
        """Walk up from a node to the next ones that compute something."""
        for name in node.inputs:
            maker = self._makers.get(name)
            if maker is not None and maker.kind in self._passing:
                yield from self._sources(maker)
            elif maker is not None:
                yield maker.name
