"""Operations that are plain loops: each number from others at its place, sums, products, softmax, moves."""

from __future__ import annotations

import math
from dataclasses import replace

from gonogo.export.c.plan import Apply, Operand, Plan, Step
from gonogo.export.c.text import Nest, Pointers, broadcast, indented, number, sum_of, views_of
from gonogo.export.c.views import View

START = {"sum": "0.0f", "mean": "0.0f", "max": "-INFINITY", "min": "INFINITY"}


class Writer:
    """Writes the body of one step.

    Args:
        plan: for constants of a single number, which stand in the text.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.pointers = Pointers()

    def read(self, operand: Operand, nest: Nest) -> str:
        """Return an operand as an expression inside a nest; its views must be those that the nest was made with."""
        if not isinstance(operand, View):
            return operand.expr.format(*(self.read(inner, nest) for inner in operand.operands))
        if isinstance(operand.base, str) and operand.base in self._plan.constants:
            values = self._plan.constants[operand.base]
            if values.size == 1:
                text = number(float(values.ravel()[0]))
                return f"({text})" if text.startswith("-") else text
        at = f"{self.pointers.of(operand)}[{nest.index(operand)}]"
        return f"(float){at}" if operand.base == "arena.levels" else at

    def fill(self, view: View, nest: Nest) -> str:
        """Return where a result goes."""
        return f"{self.pointers.of(view, to_write=True)}[{nest.index(view)}]"

    def finish(self, text: str) -> str:
        """Return the whole body, declarations first."""
        return "\n".join([*dict.fromkeys(self.pointers.lines), text])


def write_map(step: Step, plan: Plan) -> str:
    """Each number from others at its place."""
    write, shape = Writer(plan), step.node.shape
    value: Operand = broadcast(Apply(str(step.node.attrs["expr"]), step.operands), shape)
    nest = Nest(shape, [step.out, *views_of(value)], step.out)
    target = write.fill(step.out, nest)
    return write.finish(nest.around(f"{target} = {write.read(value, nest)};"))


def write_quantized(step: Step, plan: Plan) -> str:
    """Each number in the steps of eight bits."""
    write, node = Writer(plan), step.node
    value = broadcast(step.operands[0], node.shape)
    nest = Nest(node.shape, [step.out, *views_of(value)], step.out)
    inverse, zero = number(node.attrs["inverse"]), node.attrs["zero"]
    made = f"quantized({write.read(value, nest)}, {inverse}, {zero})"
    return write.finish(nest.around(f"{write.fill(step.out, nest)} = {made};"))


def write_reduce(step: Step, plan: Plan) -> str:
    """One number from many."""
    source, shape, over = step.operands[0], step.node.inputs[0].shape, step.node.attrs["dims"]
    value = broadcast(source, shape)
    out = _kept(step.out, shape, over)
    lead = max(views_of(value), key=lambda view: sum(stride != 0 for stride in view.strides))
    innermost = min((d for d in range(len(shape)) if shape[d] > 1), key=lambda d: lead.strides[d], default=0)
    if innermost in over:
        return _reduce_inner(step, plan, value, out, lead)
    return _reduce_outer(step, plan, value, out, lead)


def _join(how: str, one: str, other: str) -> str:
    names = {"max": "larger", "min": "smaller"}
    return f"{one} = {names[how]}({other}, {one});" if how in names else f"{one} += {other};"


def _reduce_outer(step: Step, plan: Plan, value: Operand, out: View, lead: View) -> str:
    """Many sums side by side: neighbours in memory (channels, as a rule) are kept apart, their loop the innermost.

    Sums are of rows first, then of their sums, so that rounding grows with the sides of a picture, not with its area.
    """
    write, how, shape = Writer(plan), str(step.node.attrs["how"]), step.node.inputs[0].shape
    nest = Nest(shape, [out, *views_of(value)], lead, merge=False)
    kept = Nest(step.out.shape, [step.out], step.out, "k")
    write.pointers.of(out, to_write=True)
    parts = [kept.around(f"y[{kept.index(step.out)}] = {START[how]};")]
    by_rows = how in ("sum", "mean") and len(nest.names) > 2 and len(kept.names) == 1
    if by_rows and step.scratch is not None:
        part = write.pointers.of(step.scratch, to_write=True, name="part")
        last, size, stride = nest.names[-1], nest.sizes[-1], out.strides[nest.dims[-1]]
        row = nest.around(_join(how, f"{part}[{last}]", write.read(value, nest)), skip=1)
        each = f"for (int {last} = 0; {last} < {size}; {last}++)"
        summed = f"y[{sum_of(0, [(last, stride)])}] += {part}[{last}];"
        text = f"{each} {part}[{last}] = 0.0f;\n{row}\n{each} {summed}"
        parts.append(nest.around(text, only=1))
    else:
        parts.append(nest.around(_join(how, write.fill(out, nest), write.read(value, nest))))
    if how == "mean":
        count = math.prod(shape[dim] for dim in step.node.attrs["dims"])
        parts.append(kept.around(f"y[{kept.index(step.out)}] *= {number(1 / count)};"))
    return write.finish("\n".join(parts))


def _reduce_inner(step: Step, plan: Plan, value: Operand, out: View, lead: View) -> str:
    """One sum after the other."""
    write, how, shape = Writer(plan), str(step.node.attrs["how"]), step.node.inputs[0].shape
    over = step.node.attrs["dims"]
    views = [out, *views_of(value)]
    outer = Nest([1 if d in over else side for d, side in enumerate(shape)], views, out, "k")
    inner = Nest([side if d in over else 1 for d, side in enumerate(shape)], views, lead)
    both = _Both(outer, inner)
    last = f"total * {number(1 / math.prod(shape[dim] for dim in over))}" if how == "mean" else "total"
    target = write.fill(out, both)
    body = inner.around(_join(how, "total", write.read(value, both)))
    return write.finish(outer.around(f"float total = {START[how]};\n{body}\n{target} = {last};"))


class _Both(Nest):
    """The indices of two nests, one inside the other."""

    def __init__(self, outer: Nest, inner: Nest) -> None:
        self._nests = (outer, inner)

    def index(self, view: View) -> str:
        parts = [part for part in (nest.index(view) for nest in self._nests) if part != "0"]
        return " + ".join(parts) or "0"


def _kept(out: View, shape: tuple[int, ...], over: tuple[int, ...]) -> View:
    """Return a result's view with the dimensions that are summed over put back, all at the same place."""
    strides = list(out.strides)
    if len(strides) < len(shape):
        for dim in over:
            strides.insert(dim, 0)
    return replace(out, shape=shape, strides=tuple(0 if d in over else s for d, s in enumerate(strides)))


def write_product(step: Step, plan: Plan) -> str:
    """Multiply matrices, whatever their layout."""
    write, (one, other, *bias) = Writer(plan), step.operands
    assert isinstance(one, View) and isinstance(other, View)
    rows, columns = step.node.shape[-2:]
    depth = one.shape[-1]
    batch = step.node.shape[:-2]
    shape = (*batch, rows, columns, depth)
    left = replace(one, shape=shape, strides=(*one.strides[:-1], 0, one.strides[-1]))
    right = replace(other, shape=shape, strides=(*other.strides[:-2], 0, other.strides[-1], other.strides[-2]))
    out = replace(step.out, shape=shape, strides=(*step.out.strides, 0))
    views = [out, left, right]
    outer = Nest((*batch, rows, columns, 1), views, out, "k")
    inner = Nest((*[1] * (len(batch) + 2), depth), views, left)
    both = _Both(outer, inner)
    body = inner.around(f"total += {write.read(left, both)} * {write.read(right, both)};")
    first = "0.0f"
    if bias:
        given = broadcast(bias[0], (*batch, rows, columns))
        assert isinstance(given, View)
        wide = replace(given, shape=shape, strides=(*given.strides, 0))
        views.append(wide)
        outer = Nest((*batch, rows, columns, 1), views, out, "k")
        both = _Both(outer, Nest((*[1] * (len(batch) + 2), depth), views, left))
        first = write.read(wide, outer)
    return write.finish(outer.around(f"float total = {first};\n{body}\n{write.fill(out, both)} = total;"))


def write_softmax(step: Step, plan: Plan) -> str:
    """Exponentials over their sum, the largest taken out first."""
    write, (given,) = Writer(plan), step.operands
    shape, dim = step.node.shape, step.node.attrs["dim"]
    views = [step.out, *views_of(given)]
    outer = Nest([1 if d == dim else side for d, side in enumerate(shape)], views, step.out, "k")
    inner = Nest([side if d == dim else 1 for d, side in enumerate(shape)], views, step.out)
    both = _Both(outer, inner)
    source, target = write.read(given, both), write.fill(step.out, both)
    return write.finish(
        outer.around(
            "float highest = -INFINITY, total = 0.0f;\n"
            + inner.around(f"highest = larger(highest, {source});")
            + "\n"
            + inner.around(f"{target} = expf({source} - highest);\ntotal += {target};")
            + "\n"
            + inner.around(f"{target} /= total;")
        )
    )


def write_layer_norm(step: Step, plan: Plan) -> str:
    """Subtract the mean of the last dimensions, divide by their deviation, scale and shift."""
    write, shape = Writer(plan), step.node.shape
    own = len(shape) - step.node.attrs["dims"]
    given, weight, bias = (broadcast(operand, shape) for operand in step.operands)
    views = [step.out, *(view for operand in (given, weight, bias) for view in views_of(operand))]
    outer = Nest([*shape[:own], *[1] * (len(shape) - own)], views, step.out, "k")
    inner = Nest([*[1] * own, *shape[own:]], views, step.out)
    both = _Both(outer, inner)
    source, target = write.read(given, both), write.fill(step.out, both)
    share = number(1 / math.prod(shape[own:]))
    scaled = f"{target} = ({source} - mean) * scale * {write.read(weight, both)} + {write.read(bias, both)};"
    return write.finish(
        outer.around(
            "float mean = 0.0f, squares = 0.0f;\n"
            + inner.around(f"mean += {source};")
            + f"\nmean *= {share};\n"
            + inner.around(f"squares += square({source} - mean);")
            + f"\nconst float scale = 1.0f / sqrtf(squares * {share} + {number(step.node.attrs['eps'])});\n"
            + inner.around(scaled)
        )
    )


def write_cat(step: Step, plan: Plan) -> str:
    """Copy one tensor after the other."""
    write, dim, start, parts = Writer(plan), step.node.attrs["dim"], 0, []
    write.pointers.of(step.out, to_write=True)
    for given, source in zip(step.operands, step.node.inputs, strict=True):
        target = step.out.sliced(dim, start, 1, source.shape[dim])
        nest = Nest(source.shape, [target, *views_of(given)], target)
        moved = _moved(target.offset - step.out.offset, nest.index(target))
        parts.append(nest.around(f"y[{moved}] = {write.read(given, nest)};"))
        start += source.shape[dim]
    return write.finish("\n".join(parts))


def _moved(offset: int, index: str) -> str:
    return index if not offset else str(offset) if index == "0" else f"{offset} + {index}"


def write_pad(step: Step, plan: Plan) -> str:
    """Fill with one number, and copy a tensor into the middle; what would lie outside is left out."""
    write, (given,), node = Writer(plan), step.operands, step.node
    assert isinstance(given, View)
    target, source, whole = step.out, given, step.out
    for dim, before in enumerate(node.attrs["before"]):
        skipped = max(-before, 0)
        size = min(source.shape[dim] - skipped, node.shape[dim] - max(before, 0))
        source = source.sliced(dim, skipped, 1, size)
        target = target.sliced(dim, max(before, 0), 1, size)
    nest, filled = Nest(source.shape, [target, source], target), Nest(node.shape, [whole], whole)
    write.pointers.of(step.out, to_write=True)
    fill = filled.around(f"y[{filled.index(whole)}] = {number(node.attrs['fill'])};")
    moved = _moved(target.offset - whole.offset, nest.index(target))
    return write.finish(f"{fill}\n" + nest.around(f"y[{moved}] = {write.read(source, nest)};"))


def write_gather(step: Step, plan: Plan) -> str:
    """Take rows or columns in another order, some of them more than once."""
    write, (given,), node = Writer(plan), step.operands, step.node
    assert isinstance(given, View)
    dim, places = node.attrs["dim"], node.attrs["places"]
    rest = tuple(1 if d == dim else side for d, side in enumerate(node.shape))
    views = [step.out, replace(given, shape=rest)]
    nest = Nest(rest, views, step.out)
    write.pointers.of(step.out, to_write=True)
    body = nest.around(
        f"y[at * {step.out.strides[dim]} + {nest.index(step.out)}] = "
        f"{write.pointers.of(given)}[places[at] * {given.strides[dim]} + {nest.index(views[1])}];"
    )
    listed = ", ".join(map(str, places))
    table = f"static const int places[{len(places)}] = {{{listed}}};"
    return f"{table}\n" + write.finish(f"for (int at = 0; at < {len(places)}; at++) {{\n{indented(body)}\n}}")


LOOPS = {
    "map": write_map,
    "q_map": write_quantized,
    "reduce": write_reduce,
    "matmul": write_product,
    "softmax": write_softmax,
    "layer_norm": write_layer_norm,
    "cat": write_cat,
    "pad": write_pad,
    "gather": write_gather,
}
