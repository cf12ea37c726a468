"""ExecuTorch on the CPU, with XNNPACK."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from gonogo.errors import DataError, GaugeError, MissingExtraError
from gonogo.runtimes import Runtime
from gonogo.runtimes.quiet import quiet
from gonogo.types import Answer, UInt8Array

EXTRA = PACKAGE = "executorch"
METADATA_KEY = "gonogo"
# The method that returns what `forward` answers, in order; a program has no names for it.
OUTPUTS_KEY = "gonogo_outputs"
IDENTIFIER = b"ET12"
# How many axes each answer has.
AXES = {"pred_probs": 2, "heatmap": 3, "novelty": 1}


@cache
def load_binding() -> tuple[Any, Any]:
    """Import PyTorch, whose tensors ExecuTorch's Python binding takes, and the binding.

    The binding itself, not the package `executorch.runtime` around it: that one would import the exporter, six seconds
    of it.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import torch
        from executorch.extension.pybindings import _C
    except ImportError as error:
        raise MissingExtraError(PACKAGE, EXTRA) from error
    return torch, _C


class ExecutorchSession:
    """A program with a method `forward`, from (1, H, W, C) uint8 pixels to the answers, and texts in other methods.

    A batch is answered photo by photo. A file for photos of any size takes those pixels that its crop reaches, from the
    photo's upper left corner.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._torch, binding = load_binding()
        try:
            # Kept, because the program reads from it as long as it lives.
            self._content = path.read_bytes()
        except OSError as error:
            raise GaugeError(f"{path} cannot be read ({error.strerror}); copy the gauge's whole folder") from error
        try:
            with quiet():
                program = binding._load_program_from_buffer(
                    self._content, program_verification=binding.Verification.InternalConsistency
                )
                names = [program.get_method_name(place) for place in range(program.num_methods())]
                if not {"forward", METADATA_KEY, OUTPUTS_KEY} <= set(names):
                    raise GaugeError("none")
                self.metadata = {name: program.load_method(name).call()[0] for name in (METADATA_KEY, OUTPUTS_KEY)}
                self._method = program.load_method("forward")
        except (RuntimeError, ValueError) as error:
            raise GaugeError(f"{path} is not a model that ExecuTorch can open ({error})") from error
        self._program = program
        meta = self._method.method_meta()
        self._outputs = self.metadata[OUTPUTS_KEY].split()
        self._shape = tuple(meta.input_tensor_meta(0).sizes())
        geometry = json.loads(self.metadata[METADATA_KEY]).get("geometry", {})
        self._any_size = geometry.get("height") is None

    def __call__(self, pixels: UInt8Array) -> Answer:
        """Answer (N, H, W, C) uint8 camera pixels."""
        _, height, width, channels = self._shape
        if self._any_size and pixels.ndim == 4 and pixels.shape[1] >= height and pixels.shape[2] >= width:
            pixels = pixels[:, :height, :width]
        if pixels.dtype != np.uint8 or pixels.shape[1:] != (height, width, channels):
            found = f"{pixels.dtype} pixels of shape {pixels.shape}"
            raise DataError(f"{found} do not fit the model, which takes (N, {height}, {width}, {channels}) uint8")
        return Answer.join([self._answer(pixels[place : place + 1]) for place in range(len(pixels))])

    def _answer(self, photo: UInt8Array) -> Answer:
        # A copy: a view of one photo among many may have strides that the program was not made for.
        told = self._method.call([self._torch.from_numpy(photo.copy())])
        return Answer(**{name: values.numpy() for name, values in zip(self._outputs, told, strict=True)})


def _version() -> str:
    load_binding()
    return version(PACKAGE)


RUNTIME = Runtime(open=ExecutorchSession, version=_version)
