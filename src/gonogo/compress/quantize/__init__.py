"""Quantizers: from a trained network to a file of fewer bits, one file each and one line here."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import onnx

from gonogo.export.onnx import to_model
from gonogo.gauge.facts import Facts
from gonogo.models.deployed import Deployed
from gonogo.registry import Registry
from gonogo.types import UInt8Array


@dataclass(frozen=True)
class Source:
    """What is quantized.

    Attributes:
        network: as it was trained.
        facts: that a file of it carries.
        pixels: (N, H, W, C) uint8 photos of training, to measure ranges on.
        scratch: a folder for what is needed on the way.
    """

    network: Deployed
    facts: Facts
    pixels: UInt8Array
    scratch: Path

    @cached_property
    def graph(self) -> onnx.ModelProto:
        """The network as an ONNX graph, with what the exporter says of each node."""
        return to_model(self.network, self.facts, self.pixels)


class Quantizable(Protocol):
    """A network whose ranges were measured, ready to be written with more or fewer of its layers in integers."""

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers that can be in integers, in the order of the graph."""

    def write(self, path: Path, floats: Collection[str], widened: float = 1.0) -> None:
        """Write a file.

        Args:
            path: of the file.
            floats: layers that stay as they are.
            widened: how many times farther a photo may be from those of training until it goes to review.
        """


@dataclass(frozen=True)
class Quantizer:
    """An entry of the registry.

    Attributes:
        exporter: what writes the file in full precision that this one is compared with; both have one runtime.
        filename: of the model file in a gauge.
        precision: "int8" and the like.
        prepare: from what is quantized to what can be written.
        sign: (file, facts): put the facts in the metadata of a file that was written.
        why_not: why this machine cannot run its files, None where it can; raises where what it needs is not installed.
    """

    exporter: str
    filename: str
    precision: str
    prepare: Callable[[Source], Quantizable]
    sign: Callable[[Path, Facts], None]
    why_not: Callable[[], str | None] = lambda: None


QUANTIZERS: Registry[Quantizer] = Registry(
    "quantizer",
    {
        "onnx-int8": "gonogo.compress.quantize.onnx_int8:QUANTIZER",
        "openvino-int8": "gonogo.compress.quantize.openvino_int8:QUANTIZER",
        "litert-int8": "gonogo.compress.quantize.litert_int8:QUANTIZER",
        "openvino-bf16": "gonogo.compress.quantize.openvino_bf16:QUANTIZER",
    },
)
