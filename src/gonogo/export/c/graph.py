"""A network as a list of simple operations, read from PyTorch's own export; nothing here knows an architecture."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gonogo.errors import ExportError
from gonogo.models.deployed import Deployed
from gonogo.types import Float32Array


@dataclass(eq=False)
class Node:
    """One operation and the tensor that it gives.

    Attributes:
        kind: "levels" (the input), "const", "conv", "affine", "max_pool", "avg_pool", "map", "reduce", "matmul",
            "softmax", "layer_norm", "cat", "pad", "gather" or "view".
        inputs: what it reads.
        shape: of what it gives, in PyTorch's order; one photo, so the first of a picture's four is 1.
        attrs: everything else, plain values.
        layer: where in the network it stands, for messages and comments.
        values: of a const.
    """

    kind: str
    inputs: tuple[Node, ...]
    shape: tuple[int, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    layer: str = ""
    values: Float32Array | None = None

    def having(self, inputs: Iterable[Node], **attrs: Any) -> Node:
        """Return the same operation on other inputs, with changed attributes."""
        return Node(self.kind, tuple(inputs), self.shape, {**self.attrs, **attrs}, self.layer, self.values)


def constant(values: Any) -> Node:
    """Return a const of float32 values."""
    array = np.ascontiguousarray(values, dtype=np.float32)
    return Node("const", (), array.shape, values=array)


@dataclass(frozen=True)
class Graph:
    """A network.

    Attributes:
        nodes: every node after those that it reads.
        outputs: `pred_probs`, `heatmap` and perhaps `novelty`.
    """

    nodes: tuple[Node, ...]
    outputs: dict[str, Node]

    def users(self) -> dict[Node, list[Node]]:
        """Return which nodes read each node, once for every time."""
        users: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for given in node.inputs:
                users[given].append(node)
        return users


def ordered(outputs: dict[str, Node]) -> Graph:
    """Return the graph of what some outputs need, every node after those that it reads."""
    nodes: dict[Node, None] = {}
    stack = [(node, False) for node in reversed(outputs.values())]
    while stack:
        node, ready = stack.pop()
        if node in nodes:
            continue
        if ready:
            nodes[node] = None
        else:
            stack += [(node, True), *((given, False) for given in reversed(node.inputs))]
    return Graph(tuple(nodes), outputs)


class _FromLevels(nn.Module):
    """The deployed network from whole grey levels on; what comes before is integer code."""

    def __init__(self, deployed: Deployed) -> None:
        super().__init__()
        self.deployed = deployed

    def forward(self, levels: Tensor) -> tuple[Tensor, ...]:
        return self.deployed.answer(self.deployed.preprocess.normalise(levels))


def read_graph(deployed: Deployed) -> Graph:
    """Read a deployed network from whole grey levels on, for one photo.

    Args:
        deployed: in evaluation mode, on the CPU.

    Raises:
        ExportError: an operator that C code is not written for, with its layer; or weights that are not numbers.
    """
    geometry = deployed.preprocess.geometry
    example = torch.zeros(1, geometry.stored_channels, *geometry.input_size)
    # PyTorch warns of its own internals while it exports; that is not for the user.
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(_FromLevels(deployed), (example,)).run_decompositions()
        return _Reader(program).read(deployed.outputs)


class _Reader:
    """Turns PyTorch's nodes into ours, one after the other."""

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        self._program = program
        self._known: dict[tuple[object, ...], Node] = {}
        self._kept: set[Node] = set()

    def read(self, names: tuple[str, ...]) -> Graph:
        """Return the graph with these outputs."""
        held: dict[torch.fx.Node, Any] = {}
        tensors = {**self._program.state_dict, **self._program.constants}
        signature = self._program.graph_signature
        places = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        results: tuple[Any, ...] = ()
        for one in self._program.graph.nodes:
            if one.op == "placeholder":
                is_input = one.name not in places
                held[one] = Node("levels", (), _shape(one)) if is_input else tensors[places[one.name]].detach()
            elif one.op == "output":
                results = torch.fx.node.map_arg(one.args[0], lambda other: held[other])
            else:
                args, kwargs = torch.fx.node.map_arg((one.args, dict(one.kwargs)), lambda other: held[other])
                held[one] = self._one(one, args, kwargs)
        return ordered({name: _as_node(result) for name, result in zip(names, results, strict=True)})

    def _one(self, one: torch.fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Compute what depends on no pixel; translate the rest."""
        from gonogo.export.c.operators import OPERATORS

        if one.target is operator.getitem:
            return args[0][args[1]]
        if not _has_node((args, kwargs)):
            return one.target(*args, **kwargs)  # type: ignore[operator]
        name, layer = str(one.target).removesuffix(".default"), _layer(one)
        if name not in OPERATORS:
            raise ExportError(
                f"C code cannot be written for '{name}' in layer '{layer}' of this network; export it as "
                "--format onnx, or train an architecture without that layer"
            )
        made = OPERATORS[name](_shape(one), *args, **kwargs)
        return self._same([_placed(node, layer) for node in made] if isinstance(made, list) else _placed(made, layer))

    def _same(self, made: Any) -> Any:
        """Return the node that computes the same already, if there is one: heads ask for some statistics twice."""
        if isinstance(made, list):
            return [self._same(node) for node in made]
        if made in self._kept or made.kind == "levels":
            return made
        made.inputs = tuple(self._same(node) for node in made.inputs)
        if made.values is not None:
            key: tuple[object, ...] = (made.shape, made.values.tobytes())
        else:
            key = (made.kind, tuple(map(id, made.inputs)), made.shape, repr(sorted(made.attrs.items())))
        kept = self._known.setdefault(key, made)
        self._kept.add(kept)
        return kept


def _placed(node: Node, layer: str) -> Node:
    if not node.layer and node.kind not in ("levels", "const"):
        node.layer = layer
        for given in node.inputs:
            _placed(given, layer)
    return node


def _as_node(value: Any) -> Node:
    return value if isinstance(value, Node) else constant(value.numpy())


def _has_node(values: Any) -> bool:
    if isinstance(values, dict):
        values = list(values.values())
    return any(map(_has_node, values)) if isinstance(values, list | tuple) else isinstance(values, Node)


def _shape(one: torch.fx.Node) -> tuple[int, ...]:
    value = one.meta["val"]
    first = value[0] if isinstance(value, list | tuple) else value
    return tuple(int(side) for side in first.shape)


def _layer(one: torch.fx.Node) -> str:
    """Return the path of the module that an operation belongs to, without the wrapping."""
    stack = list((one.meta.get("nn_module_stack") or {}).values())
    path = str(stack[-1][0]) if stack else ""
    return path.removeprefix("deployed").removeprefix(".").removeprefix("network.") or "answer"
