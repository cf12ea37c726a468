"""Which widths of a convolution are fast on this machine: measured, not assumed.

A runtime computes as many channels at once as its unit takes; a layer one channel wider then costs as much as one that
is wider by a whole unit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from gonogo.bench.timer import percentiles
from gonogo.types import Float32Array

MULTIPLES = (1, 2, 4, 8, 16)
WIDTHS = range(17, 49)
SIDE, LAYERS, REPEATS = 16, 3, 40
# Of multiples that are as quick as each other within this, the largest takes the fewest channels out.
AS_QUICK = 1.02


def fast_multiple() -> int:
    """Return the multiple that widths are best rounded up to on this machine; 1 where rounding does not pay."""
    sessions = {width: _session(width) for width in WIDTHS}
    inputs = {width: np.zeros((1, width, SIDE, SIDE), np.float32) for width in WIDTHS}
    calls: dict[str, Callable[[int], object]] = {
        str(width): partial(_call, sessions[width], inputs[width]) for width in WIDTHS
    }
    times = percentiles(calls, REPEATS)
    # The quickest turn of each: what else the machine does only ever adds.
    return choose_multiple({width: float(times[str(width)].min()) for width in WIDTHS})


def choose_multiple(times: dict[int, float]) -> int:
    """Return the largest multiple among those that take the least time on average, when all widths are rounded up.

    Args:
        times: milliseconds that each width takes; the last one is a multiple of all.
    """

    def mean_time(multiple: int) -> float:
        return float(np.mean([times[-(-width // multiple) * multiple] for width in times]))

    quickest = min(map(mean_time, MULTIPLES))
    return max(multiple for multiple in MULTIPLES if mean_time(multiple) <= AS_QUICK * quickest)


def _call(session: onnxruntime.InferenceSession, values: Float32Array, _: int) -> object:
    return session.run(None, {"x": values})


def _session(width: int) -> onnxruntime.InferenceSession:
    """Return a few 3x3 convolutions of one width, one thread."""
    weight = numpy_helper.from_array(np.full((width, width, 3, 3), 0.01, np.float32), "w")
    names = ["x", *(f"y{layer}" for layer in range(LAYERS))]
    nodes = [
        helper.make_node("Conv", [names[layer], "w"], [names[layer + 1]], pads=[1, 1, 1, 1]) for layer in range(LAYERS)
    ]
    shape = [1, width, SIDE, SIDE]
    graph = helper.make_graph(
        nodes,
        "widths",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(names[-1], TensorProto.FLOAT, shape)],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
