"""OpenVINO on the CPU."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gonogo.errors import DataError, GaugeError, MissingExtraError
from gonogo.runtimes import Runtime
from gonogo.types import Answer, UInt8Array

EXTRA = "openvino"
WEIGHTS = ".bin"
# Under which a file says that it is to be computed in another precision than float32, beside its facts.
PRECISION_KEY = "gonogo_precision"
FULL_PRECISION = "f32"
_TELEMETRY = "openvino_telemetry"


@cache
def load_openvino() -> Any:
    """Import OpenVINO without the package by which it, and NNCF, report to their maker's servers.

    Importing it would already give this user a number of its own, in a file of the home folder. Without the package
    both say nothing; it stays blocked for the rest of the process.

    Raises:
        MissingExtraError: it is not installed.
    """
    if _TELEMETRY not in sys.modules:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # an import of it then fails
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError("openvino", EXTRA) from error
    return openvino


@cache
def core() -> Any:
    """Return OpenVINO's core, which all sessions share.

    Raises:
        MissingExtraError: it is not installed.
    """
    return load_openvino().Core()


def read_file(path: Path) -> Any:
    """Read an IR, whose weights lie beside it.

    Raises:
        GaugeError: it is no IR, or its weights are missing or of another file.
    """
    weights = path.with_suffix(WEIGHTS)
    try:
        return core().read_model(model=path.read_bytes(), weights=weights.read_bytes())
    except OSError as error:
        raise GaugeError(f"{error.filename} is missing; copy the gauge's whole folder, or export it again") from error
    except RuntimeError as error:
        reason = str(error).splitlines()[-1] if str(error) else "no reason given"
        raise GaugeError(f"{path} is not a model that OpenVINO can open ({reason})") from error


class OpenvinoSession:
    """An IR with the input `pixels` and the outputs `pred_probs` and perhaps `heatmap` and `novelty`."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        model = read_file(path)
        self.metadata: dict[str, str] = {
            key: str(model.get_rt_info([key]).value) for key in ("gonogo", PRECISION_KEY) if model.has_rt_info([key])
        }
        outputs = [name for output in model.outputs for name in output.names]
        if [name for value in model.inputs for name in value.names] != ["pixels"] or "pred_probs" not in outputs:
            raise GaugeError(f"{path} does not take 'pixels' and answer 'pred_probs'; it is no gauge's model")
        self._outputs = [name for name in Answer._fields if name in outputs]
        # Photos come one by one on a line, and what is of a known shape takes less time. Compiled for another number,
        # OpenVINO rounds integers elsewhere, and a batch would not be answered as its photos are.
        shape = model.input("pixels").partial_shape
        self._one_by_one = bool(shape[1].is_static and shape[2].is_static)
        if self._one_by_one:
            model.reshape([1, *(side.get_length() for side in list(shape)[1:])])
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            # Bound to a core, it waits for whoever else is there: beside a busy process it took 3 times as long.
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": self.metadata.get(PRECISION_KEY, FULL_PRECISION),
        }
        self._request = core().compile_model(model, "CPU", options).create_infer_request()

    def __call__(self, pixels: UInt8Array) -> Answer:
        """Answer (N, H, W, C) uint8 camera pixels."""
        pixels = np.ascontiguousarray(pixels)
        if len(pixels) == 1 or not self._one_by_one:
            return self._answer(pixels)
        return Answer.join([self._answer(pixels[place : place + 1]) for place in range(len(pixels))])

    def _answer(self, pixels: UInt8Array) -> Answer:
        try:
            self._request.infer({"pixels": pixels}, share_inputs=True)
        except (RuntimeError, ValueError) as error:
            raise DataError(f"pixels of shape {pixels.shape} do not fit the model ({error})") from error
        # The request's own memory holds the next answer.
        return Answer(**{name: self._request.get_tensor(name).data.copy() for name in self._outputs})


RUNTIME = Runtime(open=OpenvinoSession, version=lambda: str(load_openvino().__version__))
