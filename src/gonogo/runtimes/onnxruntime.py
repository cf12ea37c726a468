"""ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort

from gonogo.errors import DataError, GaugeError
from gonogo.runtimes import Runtime
from gonogo.types import Answer, UInt8Array

FATAL_ONLY = 4


class OnnxSession:
    """An ONNX file with the input `pixels` and the outputs `pred_probs` and perhaps `heatmap` and `novelty`."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = FATAL_ONLY  # it raises as well; one line is enough
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own exceptions share no public base class
            raise GaugeError(
                f"{path} is not a model that ONNX Runtime can open ({str(error).splitlines()[0]})"
            ) from error
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        names = [output.name for output in self._session.get_outputs()]
        if [i.name for i in self._session.get_inputs()] != ["pixels"] or "pred_probs" not in names:
            raise GaugeError(f"{path} does not take 'pixels' and answer 'pred_probs'; it is no gauge's model")
        self._outputs = [name for name in Answer._fields if name in names]

    def __call__(self, pixels: UInt8Array) -> Answer:
        """Answer (N, H, W, C) uint8 camera pixels."""
        try:
            answers = self._session.run(self._outputs, {"pixels": pixels})
        except Exception as error:  # as above
            raise DataError(f"pixels of shape {pixels.shape} do not fit the model ({error})") from error
        return Answer(**dict(zip(self._outputs, answers, strict=True)))


RUNTIME = Runtime(open=OnnxSession, version=lambda: str(ort.__version__))
