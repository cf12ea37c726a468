"""Which nodes of a network's ONNX graph can be computed in integers, and which must not be."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import onnx

from gonogo.export.onnx import body_nodes

# What has weights; what passes integers on as they are; and what joins several of them.
LAYERS = {"Conv", "Gemm", "MatMul"}
PASSING = {"Relu", "Clip", "MaxPool", "AveragePool"}
JOINING = {"Add", "Concat"}


class Body:
    """The part of a graph that computes the features: the way from pixels to input stays exact, the head in float.

    Args:
        graph: as the exporter left it, with the modules that its nodes come from.

    Attributes:
        names: of all its nodes.
        layers: names of the nodes with weights, in the order of the graph.
    """

    def __init__(self, graph: onnx.ModelProto) -> None:
        self.names = body_nodes(graph)
        nodes = [node for node in graph.graph.node if node.name in self.names]
        weights = {tensor.name for tensor in graph.graph.initializer}
        self.layers = tuple(n.name for n in nodes if n.op_type in LAYERS and n.input[1] in weights)
        self._nodes = {node.name: node for node in nodes}
        self._makers = {output: node for node in nodes for output in node.output}
        self._between = self._inside(nodes)

    def _inside(self, nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
        """Return the nodes without weights whose result goes, at last, into a layer.

        What follows the last layer is in float: the head reads the features as they are. But a ReLU behind it costs
        nothing, as the range of the layer's integers can end where the ReLU does.
        """
        needed, inside = set[str](), []
        for node in reversed(nodes):
            reaches = node.name in self.layers or any(output in needed for output in node.output)
            if reaches:
                needed.update(node.input)
            if node.name not in self.layers and (reaches or node.op_type in {"Relu", "Clip"}):
                inside.append(node)
        return [node for node in reversed(inside) if node.op_type in PASSING | JOINING]

    def in_integers(self, floats: Collection[str]) -> list[str]:
        """Return the names of the nodes to compute in integers.

        Args:
            floats: layers that stay in float; so does what joins nothing but their results.
        """
        integers = {name for name in self.layers if name not in floats}
        joins = [node for node in self._between if node.op_type in JOINING]
        for node in joins:
            if any(source in integers for source in self._sources(node)):
                integers.add(node.name)
        apart = {node.name for node in joins} - integers
        layers = [name for name in self.layers if name in integers]
        return layers + [node.name for node in self._between if node.name not in apart]

    def _sources(self, node: onnx.NodeProto) -> Iterator[str]:
        """Walk up from a node to the next ones that compute something."""
        for name in node.input:
            maker = self._makers.get(name)
            if maker is not None and maker.op_type in PASSING:
                yield from self._sources(maker)
            elif maker is not None:
                yield maker.name
