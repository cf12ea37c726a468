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
class Runtime:
    """An entry of the registry.

    Attributes:
        open: (file, threads) to session.
        version: of the installed library.
        device_bytes: what a device holds of a file, where that is not the file itself but what is compiled from it.
    """

    open: Callable[[Path, int], Session]
    version: Callable[[], str]
    device_bytes: Callable[[Path], int] | None = None


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
