"""Fewer operations that say the same: BatchNorm inside convolutions, and what follows a convolution done row by row."""

from __future__ import annotations

import numpy as np

from gonogo.errors import ExportError
from gonogo.export.c.graph import Graph, Node, constant, ordered
from gonogo.export.c.operators import mapped

WINDOWED = ("conv", "max_pool", "avg_pool")


def fold(graph: Graph) -> Graph:
    """Return the same network in fewer steps.

    A BatchNorm that follows a convolution at once becomes part of its weights. Where an activation stands between them,
    it cannot, and stays a factor and a summand for each channel, applied to each row while it is at hand; so do the
    activation itself and the addition that ends a residual block.

    Raises:
        ExportError: weights that are not finite numbers.
    """
    users, new = graph.users(), dict[Node, Node]()
    for node in graph.nodes:
        inputs = tuple(new[given] for given in node.inputs)
        # A single infinite number is a limit that some layer compares with.
        if node.values is not None and not np.isfinite(node.values).all() and node.values.size > 1:
            raise ExportError(
                "the network has a weight that is no finite number; train again, with a smaller learning rate"
            )
        folded = None
        for place, given in enumerate(node.inputs):
            if inputs[place].kind == "conv" and len(users[given]) == 1 and given not in graph.outputs.values():
                folded = folded or _into_conv(node, inputs, place)
        new[node] = folded or _plain(node, inputs)
    return ordered({name: new[node] for name, node in graph.outputs.items()})


def _plain(node: Node, inputs: tuple[Node, ...]) -> Node:
    """Return a node as it stands, on new inputs; a windowed one reads a picture that has its own place in memory."""
    if node.kind == "affine":
        scale, shift = (_channels(values, len(node.shape)) for values in inputs[1:])
        made = mapped(node.shape, "({0} * {1} + {2})", inputs[0], scale, shift)
        made.layer = node.layer
        return made
    if node.kind in WINDOWED and inputs[0].kind in ("view", "levels", "const"):
        copy = mapped(inputs[0].shape, "{0}", inputs[0])
        copy.layer = node.layer
        inputs = (copy, *inputs[1:])
    return node.having(inputs) if node.inputs else node


def _channels(values: Node, rank: int) -> Node:
    assert values.values is not None
    return constant(values.values.reshape(1, -1, *([1] * (rank - 2))))


def _into_conv(node: Node, inputs: tuple[Node, ...], place: int) -> Node | None:
    """Return the convolution with a following operation in it; None where it cannot be."""
    conv = inputs[place]
    after: tuple[tuple[object, ...], ...] = conv.attrs["after"]
    if node.kind == "affine" and place == 0:
        if not after:
            return _scaled(conv, inputs[1], inputs[2])
        return conv.having((*conv.inputs, *inputs[1:]), after=(*after, ("affine", len(conv.inputs))))
    if node.kind != "map" or node.shape != conv.shape:
        return None
    if node.attrs.get("act") is not None:
        return conv.having(conv.inputs, after=(*after, ("act", *node.attrs["act"])))
    other = inputs[1 - place] if node.attrs.get("adds") else conv
    if other is not conv and other.kind not in ("view", "levels", "const"):
        return conv.having((*conv.inputs, other), after=(*after, ("add", len(conv.inputs))))
    return None


def _scaled(conv: Node, scale: Node, shift: Node) -> Node:
    """Put a factor and a summand for each channel into the weights."""
    value, weight, bias = conv.inputs
    assert weight.values is not None and bias.values is not None and scale.values is not None
    factor, summand = scale.values.astype(np.float64), np.asarray(shift.values, dtype=np.float64)
    weights = weight.values * factor[:, None, None, None]
    return conv.having((value, constant(weights), constant(bias.values * factor + summand)))
