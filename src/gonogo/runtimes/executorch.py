"""ExecuTorch on the CPU, with XNNPACK."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from gonogo.errors import DataError, GaugeError, MissingExtraError
from gonogo.runtimes import Placement, Runtime
from gonogo.runtimes.quiet import quiet
from gonogo.types import Answer, UInt8Array

EXTRA = PACKAGE = "executorch"
METADATA_KEY = "gonogo"
# The method that returns what `forward` answers, in order; a program has no names for it.
OUTPUTS_KEY = "gonogo_outputs"
# The method that returns the SHA-256 of the file's other bytes. ExecuTorch checks little of what it reads: an altered
# file ends the process, or answers something else.
SEAL_KEY = "gonogo_seal"
UNSEALED = f"{SEAL_KEY}:{'0' * 64}"
SEAL = re.compile(SEAL_KEY.encode() + rb":([0-9a-f]{64})")
# How many axes each answer has.
AXES = {"pred_probs": 2, "heatmap": 3, "novelty": 1}


def seal(content: bytes) -> bytes:
    """Return a program whose seal holds the hash of its other bytes."""
    blank = SEAL.sub(UNSEALED.encode(), content)
    return SEAL.sub(f"{SEAL_KEY}:{hashlib.sha256(blank).hexdigest()}".encode(), content)


@cache
def load_binding() -> tuple[Any, Any]:
    """Import PyTorch, whose tensors ExecuTorch's Python binding takes, and the binding.

    The binding itself, not `executorch.runtime` around it, which imports the exporter as well: six seconds of it.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    try:
        import torch
        from executorch.extension.pybindings import _C
    except ImportError as error:
        raise MissingExtraError(PACKAGE, EXTRA) from error
    return torch, _C


class ThreadPool:
    """ExecuTorch's only pool of threads in this process. What was loaded with an earlier one waits for it forever."""

    made = 0

    @classmethod
    def of(cls, threads: int) -> int:
        """Make it one of so many threads, if it is not; returns its number."""
        _, binding = load_binding()
        if cls.made == 0 or binding._threadpool_get_thread_count() != threads:
            with quiet():
                binding._unsafe_reset_threadpool(threads)
            cls.made += 1
        return cls.made


class ExecutorchSession:
    """A program with a method `forward`, from (1, H, W, C) uint8 pixels to the answers, and texts in other methods.

    A batch is answered photo by photo. A file for photos of any size takes those pixels that its crop reaches, from the
    photo's upper left corner.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._torch, self._binding = load_binding()
        self._threads = threads
        try:
            self._content = path.read_bytes()  # kept, because the program reads from it as long as it lives
        except OSError as error:
            raise GaugeError(f"{path} cannot be read ({error.strerror}); copy the gauge's whole folder") from error
        if len(SEAL.findall(self._content)) != 1:
            raise GaugeError(f"{path} is no whole program of 'gonogo export'; copy the file again, or export it again")
        if seal(self._content) != self._content:
            raise GaugeError(f"{path} is cut or altered (its hash is not the one in it); copy or export it again")
        try:
            self._load()
            self.metadata = {name: self._program.load_method(name).call()[0] for name in (METADATA_KEY, OUTPUTS_KEY)}
            meta = self._method.method_meta()
            axes = [len(meta.output_tensor_meta(place).sizes()) for place in range(meta.num_outputs())]
        except RuntimeError as error:
            raise GaugeError(f"{path} is not a model that ExecuTorch can open ({error})") from error
        self._outputs = self.metadata[OUTPUTS_KEY].split()
        if axes != [AXES.get(name) for name in self._outputs] or self._outputs[:1] != ["pred_probs"]:
            raise GaugeError(f"{path} answers '{self.metadata[OUTPUTS_KEY]}' on {axes} axes; export the gauge again")
        self._shape = tuple(meta.input_tensor_meta(0).sizes())
        self._any_size = json.loads(self.metadata[METADATA_KEY])["geometry"].get("height") is None

    def _load(self) -> None:
        """Load the program for the pool of threads that there is."""
        self._pool = ThreadPool.of(self._threads)
        check = self._binding.Verification.InternalConsistency
        with quiet():
            self._program = self._binding._load_program_from_buffer(self._content, program_verification=check)
            self._method = self._program.load_method("forward")

    def __call__(self, pixels: UInt8Array) -> Answer:
        """Answer (N, H, W, C) uint8 camera pixels."""
        _, height, width, channels = self._shape
        if self._any_size and pixels.ndim == 4 and pixels.shape[1] >= height and pixels.shape[2] >= width:
            pixels = pixels[:, :height, :width]
        if pixels.dtype != np.uint8 or pixels.shape[1:] != (height, width, channels):
            found = f"{pixels.dtype} pixels of shape {pixels.shape}"
            raise DataError(f"{found} do not fit the model, which takes (N, {height}, {width}, {channels}) uint8")
        if self._pool != ThreadPool.of(self._threads):
            self._load()
        return Answer.join([self._answer(photo) for photo in pixels])

    def _answer(self, photo: UInt8Array) -> Answer:
        # Contiguous and writable, as PyTorch wants it, and with the strides that the program was made for.
        told = self._method.call([self._torch.from_numpy(np.array(photo[None], order="C"))])
        return Answer(**{name: values.numpy() for name, values in zip(self._outputs, told, strict=True)})


def _placement(path: Path) -> Placement:
    """Return what the program calls: parts that were delegated when it was written, and kernels.

    It is read by the exporter's own package, which takes seconds to import.
    """
    with quiet():
        from executorch.exir._serialize._program import deserialize_pte_binary
        from executorch.exir.schema import DelegateCall, KernelCall

    found = deserialize_pte_binary(path.read_bytes())
    (plan,) = [own for own in getattr(found, "program", found).execution_plan if own.name == "forward"]
    calls = [one.instr_args for chain in plan.chains for one in chain.instructions]
    own = tuple(plan.operators[call.op_index].name for call in calls if isinstance(call, KernelCall))
    return Placement("XNNPACK", sum(isinstance(call, DelegateCall) for call in calls), own)


def _version() -> str:
    load_binding()
    return version(PACKAGE)


RUNTIME = Runtime(open=ExecutorchSession, version=_version, placement=_placement)
