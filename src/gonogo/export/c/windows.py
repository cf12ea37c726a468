"""Convolutions, poolings and matrix products: what is repacked for them, and the calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gonogo.export.c.kernels import best_pixels
from gonogo.export.c.plan import LANES, Step, round_up
from gonogo.export.c.text import Pointers, indented, number
from gonogo.export.c.views import View
from gonogo.types import Float32Array

Array = np.ndarray[Any, Any]

# A picture of at most so many pixels is computed as one long row, where nothing lies between its rows.
ONE_ROW = 256


@dataclass
class Kit:
    """What the calls need beside the steps: arrays of weights, and which functions.

    Attributes:
        arrays: const arrays by name.
        dense: pixels at a time, of the functions for convolutions that are called.
        depthwise: the same where each channel is filtered alone.
        helpers: names of other functions.
        whole_dense: as `dense`, in whole numbers.
        whole_depthwise: whether a convolution in whole numbers filters each channel alone.
        sums: how many sums in whole numbers are held at once.
    """

    arrays: dict[str, Array] = field(default_factory=dict)
    dense: set[int] = field(default_factory=set)
    depthwise: set[int] = field(default_factory=set)
    helpers: set[str] = field(default_factory=set)
    whole_dense: set[int] = field(default_factory=set)
    whole_depthwise: bool = False
    sums: int = 0

    def add(self, prefix: str, values: Array) -> str:
        """Keep an array and return its name; the same numbers are kept once."""
        for name, other in self.arrays.items():
            if name.startswith(prefix) and other.shape == values.shape and np.array_equal(other, values):
                return name
        name = f"{prefix}{sum(other.startswith(prefix) for other in self.arrays)}"
        self.arrays[name] = values
        return name


def padded(values: Array, axis: int = -1) -> Array:
    """Return values with zeros added along an axis, up to whole vectors."""
    missing = round_up(values.shape[axis]) - values.shape[axis]
    widths = [(0, 0)] * values.ndim
    widths[axis] = (0, missing)
    return np.ascontiguousarray(np.pad(values, widths))


def window_start(view: View, padding: tuple[int, int]) -> int:
    """Return how far the first window begins before the first pixel."""
    return -padding[0] * view.strides[2] - padding[1] * view.strides[3]


def write_conv(step: Step, kit: Kit) -> str:
    """One row of output after the other, and at once what follows the convolution."""
    attrs, source, out = step.node.attrs, step.operands[0], step.out
    assert isinstance(source, View)
    weight, bias = (node.values for node in step.node.inputs[1:3])
    assert weight is not None and bias is not None
    pointers = Pointers()
    start = window_start(source, attrs["padding"])
    x, y = pointers.of(source, shift=start), pointers.of(out, to_write=True)
    _, _, rows, width = step.node.shape
    down, along = attrs["stride"][0] * source.strides[2], attrs["stride"][1] * source.strides[3]
    flat = _is_one_row(step, source, attrs)
    if flat:
        rows, width = 1, rows * width
    call = _conv_call(step, source, weight, bias, kit, (x, y), (down, along), width)
    after = _after(step, pointers, width, flat)
    body = call + (f"\n{after}" if after else "")
    return "\n".join([*pointers.lines, f"for (int i = 0; i < {rows}; i++) {{\n{indented(body)}\n}}"])


def _is_one_row(step: Step, source: View, attrs: dict[str, Any]) -> bool:
    """Say whether a picture may be computed as one long row: a window of one pixel, and nothing between the rows."""
    _, _, rows, width = step.node.shape
    weight = step.node.inputs[1].shape
    plain = weight[2:] == (1, 1) and attrs["stride"] == (1, 1) and attrs["padding"] == (0, 0)
    views = [source, step.out, *(view for view in step.operands[1:] if isinstance(view, View) and len(view.shape) == 4)]
    gapless = all(view.strides[2] == width * view.strides[3] for view in views if view.strides[2])
    return plain and gapless and rows * width <= ONE_ROW


def _conv_call(
    step: Step,
    source: View,
    weight: Float32Array,
    bias: Float32Array,
    kit: Kit,
    names: tuple[str, str],
    steps: tuple[int, int],
    width: int,
) -> str:
    """Return the call for one row."""
    attrs, out = step.node.attrs, step.out
    (x, y), (down, along) = names, steps
    dilation, groups = attrs["dilation"], attrs["groups"]
    channels, depth, tall, wide = weight.shape
    pixel, line = source.strides[3], source.strides[2]
    at, to = f"{x} + i * {down}", f"{y} + i * {out.strides[2]}"
    pixels = best_pixels(width, depth * tall * wide, channels)
    limits = ", ".join(map(number, _limits(attrs["after"])[0]))
    b = kit.add("bias", padded(bias))
    if groups == 1:
        w = kit.add("weight", padded(weight.transpose(2, 3, 1, 0)))
        kit.dense.add(pixels)
        together = depth == pixel and dilation == 1
        runs, run, length = (1, 0, wide * depth) if together else (wide, pixel * dilation, depth)
        return (
            f"row_{pixels}({at}, {along}, {tall}, {line * dilation}, {runs}, {run}, {length}, {w}, "
            f"{round_up(channels)}, {b}, {limits}, {to}, {out.strides[3]}, {width});"
        )
    if depth == 1 and groups == channels and pixel % LANES == 0:
        w = kit.add("weight", padded(weight[:, 0].transpose(1, 2, 0)))
        kit.depthwise.add(pixels)
        return (
            f"depth_row_{pixels}({at}, {along}, {tall}, {line * dilation}, {wide}, {pixel * dilation}, {w}, "
            f"{round_up(channels)}, {b}, {limits}, {to}, {out.strides[3]}, {width});"
        )
    w = kit.add("weight", np.ascontiguousarray(weight.transpose(0, 2, 3, 1)))
    kit.helpers.add("grouped_row")
    return (
        f"grouped_row({at}, {along}, {tall}, {line * dilation}, {wide}, {pixel * dilation}, {depth}, {w}, {channels}, "
        f"{channels // groups}, {b}, {limits}, {to}, {out.strides[3]}, {width});"
    )


def _limits(after: tuple[Any, ...]) -> tuple[tuple[float, float], tuple[Any, ...]]:
    """Split what follows a convolution: an activation that comes first is done where the sums are, the rest later."""
    if after and after[0][0] == "act":
        return after[0][1:], after[1:]
    return (-np.inf, np.inf), after


def _after(step: Step, pointers: Pointers, width: int, flat: bool) -> str:
    """Return what is done to a row of output while it is at hand; empty where nothing is."""
    after, out = _limits(step.node.attrs["after"])[1], step.out
    if not after:
        return ""
    channels, pixel = step.node.shape[1], out.strides[3]
    inputs = {len(step.node.inputs) - len(step.operands) + k: view for k, view in enumerate(step.operands)}
    views = [inputs[item[1]] for item in after if item[0] == "add"]
    assert all(isinstance(view, View) for view in views)
    by_channel = any(item[0] == "affine" for item in after)
    together = not by_channel and all(isinstance(view, View) and view.strides[3] == pixel for view in views)
    value = "sum"
    for item in after:
        if item[0] == "act":
            _, low, high = item
            value = f"larger({value}, {number(low)})" if np.isfinite(low) else value
            value = f"smaller({value}, {number(high)})" if np.isfinite(high) else value
            continue
        view = inputs[item[1]]
        assert isinstance(view, View)
        if item[0] == "affine":
            shift = inputs[item[1] + 1]
            assert isinstance(shift, View)
            value = f"{value} * {pointers.of(view)}[c] + {pointers.of(shift)}[c]"
        else:
            row = "" if flat else f"i * {view.strides[2]} + "
            inside = "k" if together else f"j * {view.strides[3]} + c"
            value = f"({value} + {pointers.of(view)}[{row}{inside}])"
    row = f"float *const r = y + i * {out.strides[2]};"
    if together:
        return f"{row}\nfor (int k = 0; k < {width * pixel}; k++) {{\n{_kept('k', value)}\n}}"
    inner = f"for (int c = 0; c < {channels}; c++) {{\n{_kept(f'j * {pixel} + c', value)}\n}}"
    return f"{row}\nfor (int j = 0; j < {width}; j++) {{\n{indented(inner)}\n}}"


def _kept(place: str, value: str) -> str:
    return indented(f"const float sum = r[{place}];\nr[{place}] = {value};")


def write_dense(step: Step, kit: Kit) -> str:
    """A product with a constant matrix, as a convolution of one long row."""
    (source,) = step.operands
    assert isinstance(source, View)
    node = step.node
    weight = node.inputs[1].values if node.inputs[1].values is not None else node.inputs[1].inputs[0].values
    assert weight is not None
    depth, columns = node.inputs[1].shape[-2:]
    w = kit.add("weight", padded(weight.reshape(depth, columns)))
    bias = node.inputs[2].values if len(node.inputs) > 2 else None
    b = kit.add("bias", padded(np.zeros(columns, np.float32) if bias is None else bias))
    rows = node.shape[-2]
    pixels = best_pixels(rows, depth, columns)
    kit.dense.add(pixels)
    pointers = Pointers()
    x, y = pointers.of(source), pointers.of(step.out, to_write=True)
    call = (
        f"row_{pixels}({x}, {source.strides[-2]}, 1, 0, 1, 0, {depth}, {w}, {round_up(columns)}, {b}, -INFINITY, "
        f"INFINITY, {y}, {step.out.strides[-2]}, {rows});"
    )
    return "\n".join([*pointers.lines, call])


def write_pool(step: Step, kit: Kit) -> str:
    """Call the function for a pooling."""
    (source,), node, out = step.operands, step.node, step.out
    assert isinstance(source, View)
    kit.helpers.add(node.kind)
    pointers = Pointers()
    x, y = pointers.of(source), pointers.of(out, to_write=True)
    _, channels, rows, columns = node.shape
    values = [source.shape[2], source.shape[3], source.strides[2], source.strides[3]]
    values += [rows, columns, out.strides[2], out.strides[3], channels]
    values += [*node.attrs["kernel"], *node.attrs["stride"], *node.attrs["padding"]]
    if node.kind == "avg_pool":
        values.append(int(node.attrs["counts"]))
    call = f"{node.kind}({x}, {y}, {', '.join(map(str, values))});"
    return "\n".join([*pointers.lines, call])
