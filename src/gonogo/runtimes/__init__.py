"""Runtimes that open a gauge's model file: one file each, one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gonogo.registry import Registry
from gonogo.types import Answer, UInt8Array


class Session(Protocol):
    """An open model file."""

    metadata: dict[str, str]

    def __call__(self, pixels: UInt8Array) -> Answer:
        """Answer camera pixels.

        Args:
            pixels: (N, H, W, C) uint8.

        Returns:
            Probabilities, and the heat map and the novelty of each photo where the file has them.
        """


@dataclass(frozen=True)
class Placement:
    """Where the operators of a file run, under a runtime that hands parts of the graph to a library of quick kernels.

    Attributes:
        delegate: that library.
        parts: how many parts of the graph it takes.
        own: the operators that are left to the runtime's own kernels, in their order.
    """

    delegate: str
    parts: int
    own: tuple[str, ...]

    @property
    def in_words(self) -> str:
        """A sentence's end, such as "XNNPACK runs 2 parts of it, the runtime itself mean and sum"."""
        taken = f"{self.delegate} runs {'one part' if self.parts == 1 else f'{self.parts} parts'} of it"
        names = list(dict.fromkeys(self.own))
        return f"{taken}, the runtime itself {', '.join(names)}" if names else f"{self.delegate} runs all of it"


@dataclass(frozen=True)
class Runtime:
    """An entry of the registry.

    Attributes:
        open: (file, threads) to session.
        version: of the installed library.
        device_bytes: what a device holds of a file, where that is not the file itself but what is compiled from it.
        placement: of a file's operators, where the runtime delegates some.
    """

    open: Callable[[Path, int], Session]
    version: Callable[[], str]
    device_bytes: Callable[[Path], int] | None = None
    placement: Callable[[Path], Placement] | None = None


RUNTIMES: Registry[Runtime] = Registry(
    "runtime",
    {
        "onnxruntime": "gonogo.runtimes.onnxruntime:RUNTIME",
        "openvino": "gonogo.runtimes.openvino:RUNTIME",
        "litert": "gonogo.runtimes.litert:RUNTIME",
        "executorch": "gonogo.runtimes.executorch:RUNTIME",
        "ncnn": "gonogo.runtimes.ncnn:RUNTIME",
        "native": "gonogo.runtimes.native:RUNTIME",
    },
)
