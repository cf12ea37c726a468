"""From operations to steps over one arena: which layout each tensor has, and which memory it shares with others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from gonogo.export.c.graph import Graph, Node
from gonogo.export.c.operators import mapped
from gonogo.export.c.views import Border, Buffer, Shape, View, dense, order_of, place
from gonogo.types import Float32Array

# Pixels with more channels than colours have are padded to whole vectors.
LANES = 8
COLOURS = 4
FLOAT_BYTES = 4
WINDOWED = ("conv", "max_pool", "avg_pool", "q_conv", "q_max_pool")


@dataclass(frozen=True)
class Apply:
    """An expression computed where its value is needed; `{0}` in it stands for the first operand."""

    expr: str
    operands: tuple[Operand, ...]


Operand = View | Apply


@dataclass(frozen=True)
class Step:
    """Something the C code does.

    Attributes:
        node: which operation.
        out: what it fills.
        operands: what it reads.
        scratch: memory of its own, None for none.
    """

    node: Node
    out: View
    operands: tuple[Operand, ...]
    scratch: View | None = None


@dataclass
class Plan:
    """A network as steps.

    Attributes:
        steps: in their order.
        floats: the size of the arena.
        constants: const arrays by name.
        outputs: the shapes of what the network answers.
    """

    steps: list[Step] = field(default_factory=list)
    floats: int = 0
    constants: dict[str, Float32Array] = field(default_factory=dict)
    outputs: dict[str, Shape] = field(default_factory=dict)


def make_plan(graph: Graph) -> Plan:
    """Lay out a folded network."""
    return _Planner(graph).plan()


def round_up(count: int, multiple: int = LANES) -> int:
    """Return the next multiple."""
    return -(-count // multiple) * multiple


class _Planner:
    def __init__(self, graph: Graph) -> None:
        self._made = Plan()
        self._names: dict[tuple[Shape, bytes], str] = {}
        self._views: dict[Node, View] = {}
        self._buffers: list[Buffer] = []
        answers = {name: replace_output(name, node) for name, node in graph.outputs.items()}
        self._graph = Graph((*graph.nodes, *answers.values()), answers)
        self._users = self._graph.users()
        self._pictures = {given for node in self._graph.nodes for given in _pictures_of(node) if given.kind != "levels"}

    def plan(self) -> Plan:
        for node in self._graph.nodes:
            if node.kind not in ("levels", "const", "view") and not self._is_inlined(node):
                self._put(node)
        self._made.floats = place(self._buffers)
        self._made.outputs = {name: node.shape for name, node in self._graph.outputs.items()}
        return self._made

    # ---- reading

    def _is_inlined(self, node: Node) -> bool:
        """Say whether a node is computed where its only user needs it."""
        if node.kind != "map" or node in self._pictures or len(self._users[node]) != 1:
            return False
        (user,) = self._users[node]
        return user.kind == "reduce" or (user.kind in ("map", "q_map") and user.shape == node.shape)

    def operand(self, node: Node) -> Operand:
        """Return how a node is read."""
        if node.kind == "map" and self._is_inlined(node):
            return Apply(str(node.attrs["expr"]), tuple(map(self.operand, node.inputs)))
        return self.view(node)

    def view(self, node: Node) -> View:
        """Return where a node's numbers lie."""
        if node not in self._views:
            if node.kind == "levels":
                channels, _, columns = node.shape[1:]
                strides = (0, 1, columns * channels, channels)
                self._views[node] = View("arena.levels", node.shape, strides)
            elif node.kind == "const":
                self._views[node] = View(self.constant(node.values), node.shape, dense(node.shape)[0])
            else:
                self._views[node] = self._seen(node)
        return self._views[node]

    def constant(self, values: Any) -> str:
        """Return the name of a const array with these numbers."""
        key = (values.shape, values.tobytes())
        name = self._names.setdefault(key, f"const{len(self._names)}")
        self._made.constants[name] = values
        return name

    def _seen(self, node: Node) -> View:
        """Return another view of the same numbers; copied where no strides can say it."""
        source, (how, *options) = self.view(node.inputs[0]), node.attrs["how"]
        if how == "permute":
            return source.permuted(options[0])
        if how == "slice":
            dim, start, step = options
            return source.sliced(dim, start, step, node.shape[dim])
        if how == "expand":
            return source.expanded(node.shape)
        if how == "reshape":
            for order in (None, order_of(source), tuple(range(len(source.shape)))):
                whole = source if order is None else self._copied(source, order, node.layer)
                seen = whole.reshaped(node.shape)
                if seen is not None:
                    return seen
        raise AssertionError(f"no view {how}")

    def _copied(self, source: View, order: Shape, layer: str) -> View:
        strides, size = dense(source.shape, order)
        out = View(self._buffer(size), source.shape, strides)
        node = mapped(source.shape, "{0}")
        node.layer = layer
        return self._step(node, out, [source])

    # ---- writing

    def _put(self, node: Node) -> None:
        if node.kind == "conv":
            operands = self._seen_all((node.inputs[0], *node.inputs[3:]))
            self._step(node, self._out(node, operands), operands)
        elif node.kind == "q_conv":
            operands = self._seen_all(node.inputs)
            self._step(node, self._out(node, operands), operands)
        elif node.kind == "matmul":
            self._product(node)
        else:
            operands = [self.operand(given) for given in node.inputs]
            self._step(node, self._out(node, operands), operands)

    def _seen_all(self, nodes: Iterable[Node]) -> list[Operand]:
        return [self.view(node) for node in nodes]

    def _product(self, node: Node) -> None:
        """Multiply matrices; one that is constant stands on the right, where the kernels of convolutions want it."""
        one, other, *bias = node.inputs
        if one.kind == "const" and other.kind != "const" and not bias and len(node.shape) == 2:
            turned = Node("matmul", (_turned(other), _turned(one)), node.shape[::-1], layer=node.layer)
            self._users |= {turned: []}
            self._product(turned)
            self._views[node] = self._views[turned].permuted((1, 0))
            return
        rows = self.view(one)
        is_constant = _constant_of(other) is not None and all(side == 1 for side in node.shape[:-2])
        if is_constant and (rows.strides[-1] == 1 or rows.shape[-1] == 1):
            strides, size = dense(node.shape, pitch=LANES)
            out = View(self._buffer(size), node.shape, strides)
            self._views[node] = self._step(node.having(node.inputs, dense=True), out, [rows])
            return
        operands = self._seen_all((one, other, *bias))
        self._step(node, self._out(node, operands), operands)

    def _out(self, node: Node, operands: list[Operand]) -> View:
        if "into" in node.attrs:
            return View(str(node.attrs["into"]), node.shape, dense(node.shape)[0])
        if node in self._pictures or node.kind in WINDOWED or node.kind == "q_map":
            return self._picture(node)
        like = _like(node, operands)
        order = order_of(like) if like is not None else None
        if node.kind == "softmax" or node.kind == "layer_norm":
            order = None
        strides, size = dense(node.shape, order)
        return View(self._buffer(size), node.shape, strides)

    def _picture(self, node: Node) -> View:
        """Return a place for (1, C, H, W): channels innermost, and zeros around it as wide as its readers pad."""
        _, channels, rows, columns = node.shape
        whole = node.kind.startswith("q_")
        padding = [user.attrs["padding"] for user in self._users[node] if user.kind in ("conv", "q_conv")]
        above, left = (max((pair[axis] for pair in padding), default=0) for axis in (0, 1))
        pixel = channels if channels <= COLOURS and "conv" not in node.kind else round_up(channels)
        outer = rows + 2 * above, columns + 2 * left
        fill = node.attrs["zero"] if whole else 0
        border = Border(*outer, above, left, fill, rows, columns, pixel) if above or left else None
        size = outer[0] * outer[1] * pixel
        buffer = self._buffer(-(-size // FLOAT_BYTES) if whole else size, border)
        offset = (above * outer[1] + left) * pixel
        return View(buffer, node.shape, (0, 1, outer[1] * pixel, pixel), offset, whole)

    def _buffer(self, size: int, border: Border | None = None) -> Buffer:
        self._buffers.append(Buffer(size, border))
        return self._buffers[-1]

    def _step(self, node: Node, out: View, operands: list[Operand]) -> View:
        number = len(self._made.steps)
        scratch = None
        if node.kind == "reduce" and node.attrs["how"] in ("sum", "mean"):
            inner = out.shape[order_of(out)[-1]] if out.shape else 1
            scratch = View(self._buffer(inner), (inner,), (1,))
        for view in (out, scratch):
            if view is not None and isinstance(view.base, Buffer):
                view.base.birth = view.base.death = number
        for view in _views_in(operands):
            if isinstance(view.base, Buffer):
                view.base.death = max(view.base.death, number)
        self._made.steps.append(Step(node, out, tuple(operands), scratch))
        self._views[node] = out
        return out


def replace_output(name: str, node: Node) -> Node:
    """Return a step that writes an answer to where the caller wants it."""
    return mapped(node.shape, "{0}", node, into=f"&out->{name}" if name == "novelty" else f"out->{name}")


def _pictures_of(node: Node) -> Iterable[Node]:
    return node.inputs[:1] if node.kind in WINDOWED else ()


def _turned(node: Node) -> Node:
    if node.values is not None:
        return replace_values(node)
    return Node("view", (node,), node.shape[::-1], {"how": ("permute", (1, 0))}, node.layer)


def replace_values(node: Node) -> Node:
    """Return a const matrix with rows for columns."""
    assert node.values is not None
    return replace(node, shape=node.shape[::-1], values=node.values.T.copy())


def _constant_of(node: Node) -> Float32Array | None:
    """Return the numbers of a const, also of one that is only seen in another shape."""
    if node.kind == "view" and node.inputs[0].kind == "const" and node.attrs["how"][0] in ("expand", "reshape"):
        values = node.inputs[0].values
        assert values is not None
        return values.reshape(node.shape) if values.size == _count(node.shape) else None
    return node.values


def _count(shape: Shape) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def _like(node: Node, operands: list[Operand]) -> View | None:
    """Return the operand whose order of dimensions a result takes on: the first one that is not repeated."""
    rank = len(node.shape)
    views = [view for view in _views_in(operands) if len(view.shape) == rank]
    real = [
        view
        for view in views
        if isinstance(view.base, Buffer | str)
        and all(stride or size == 1 for stride, size in zip(view.strides, view.shape, strict=True))
    ]
    large = [view for view in real if max(view.shape, default=1) > 1]
    return max(large, key=lambda view: _count(view.shape), default=None)


def _views_in(operands: Iterable[Operand]) -> Iterable[View]:
    for operand in operands:
        if isinstance(operand, View):
            yield operand
        else:
            yield from _views_in(operand.operands)
