"""Convolutions and poolings in whole numbers: what is repacked for them, the calls, and the way back to eight bits."""

from __future__ import annotations

import numpy as np

from gonogo.export.c.kernels import best_pixels
from gonogo.export.c.plan import LANES, Step, round_up
from gonogo.export.c.quantize import Numbers
from gonogo.export.c.text import Pointers, indented, number
from gonogo.export.c.views import View
from gonogo.export.c.windows import Kit, padded, window_start


def write_q_conv(step: Step, kit: Kit) -> str:
    """One row of sums after the other, each brought to the output's steps at once."""
    attrs, source, out = step.node.attrs, step.operands[0], step.out
    assert isinstance(source, View)
    numbers: Numbers = attrs["numbers"]
    pointers = Pointers()
    x = pointers.of(source, shift=window_start(source, attrs["padding"]))
    pointers.of(out, to_write=True)
    _, channels, rows, width = step.node.shape
    kit.sums = max(kit.sums, width * round_up(channels))
    body = f"{_call(step, source, numbers, kit, x)}\n{_to_steps(step, numbers, kit, pointers)}"
    return "\n".join([*pointers.lines, f"for (int i = 0; i < {rows}; i++) {{\n{indented(body)}\n}}"])


def _call(step: Step, source: View, numbers: Numbers, kit: Kit, x: str) -> str:
    attrs, weight = step.node.attrs, numbers.weight
    channels, depth, tall, wide = weight.shape
    dilation, groups, width = attrs["dilation"], attrs["groups"], step.node.shape[3]
    pixel, line = source.strides[3], source.strides[2] * dilation
    at, along = f"{x} + i * {attrs['stride'][0] * source.strides[2]}", attrs["stride"][1] * pixel
    bias = kit.add("whole_bias", padded(numbers.bias))
    if groups == 1:
        pixels = best_pixels(width)
        kit.whole_dense.add(pixels)
        w = kit.add("whole_weight", padded(weight.transpose(2, 3, 1, 0)))
        together = depth == pixel and dilation == 1
        runs, run, length = (1, 0, wide * depth) if together else (wide, pixel * dilation, depth)
        places = f"{along}, {tall}, {line}, {runs}, {run}, {length}"
        return f"q_row_{pixels}({at}, {places}, {w}, {round_up(channels)}, {bias}, arena.sums, {width});"
    if depth == 1 and groups == channels and pixel % LANES == 0:
        kit.whole_depthwise = True
        w = kit.add("whole_weight", padded(weight[:, 0].transpose(1, 2, 0)))
        places = f"{along}, {tall}, {line}, {wide}, {pixel * dilation}, 1"
        return f"q_depth_row({at}, {places}, {w}, {round_up(channels)}, {bias}, arena.sums, {width});"
    kit.helpers.add("q_grouped_row")
    w = kit.add("whole_weight", np.ascontiguousarray(weight.transpose(0, 2, 3, 1)))
    places = f"{along}, {tall}, {line}, {wide}, {pixel * dilation}, {depth}"
    return (
        f"q_grouped_row({at}, {places}, {w}, {channels}, {channels // groups}, {bias}, arena.sums, "
        f"{round_up(channels)}, {width});"
    )


def _to_steps(step: Step, numbers: Numbers, kit: Kit, pointers: Pointers) -> str:
    """Call the function that brings a row of sums to the output's steps.

    Channels that only fill up a pixel are computed as well, where every tensor has room for them.
    """
    channels, width, out = round_up(step.node.shape[1]), step.node.shape[3], step.out
    factor = kit.add("factor", padded(numbers.factor.astype(np.float32)))
    ceiling = "NULL" if numbers.ceiling is None else kit.add("whole_ceiling", padded(numbers.ceiling))
    shift = "NULL" if numbers.shift is None else kit.add("whole_shift", padded(numbers.shift))
    added, count = "NULL, 0, 0, 0.0f", channels
    for operand, (ratio, zero) in zip(step.operands[1:], numbers.added, strict=True):
        assert isinstance(operand, View)
        count = count if operand.strides[3] % LANES == 0 else step.node.shape[1]
        place = f"{pointers.of(operand)} + i * {operand.strides[2]}"
        added = f"{place}, {operand.strides[3]}, {zero}, {number(ratio)}"
    limits = f"{numbers.zero}, {numbers.low}, {numbers.high}"
    to = f"y + i * {out.strides[2]}, {out.strides[3]}"
    return f"q_steps(arena.sums, {channels}, {count}, {width}, {ceiling}, {shift}, {factor}, {added}, {limits}, {to});"
