"""Exporters: from a trained network to a file on its own, one file each and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from gonogo.gauge.facts import Facts
from gonogo.models.deployed import Deployed
from gonogo.registry import Registry
from gonogo.types import UInt8Array


@dataclass(frozen=True)
class Exporter:
    """An entry of the registry.

    Attributes:
        filename: of the model file in a gauge.
        runtime: what opens it, a name from the runtimes' registry.
        precision: "fp32" and the like.
        write: (network, facts, (N, H, W, C) uint8 calibration photos, file to write).
        companions: further files of the gauge, written beside the first and needed by its runtime: the same name with
            another suffix.
        is_exact: it answers as the network does. Where it does not (eight bits), its threshold is chosen anew.
    """

    filename: str
    runtime: str
    precision: str
    write: Callable[[Deployed, Facts, UInt8Array, Path], None]
    companions: tuple[str, ...] = ()
    is_exact: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all that it writes."""
        return (self.filename, *self.companions)

    def named(self, filename: str, precision: str) -> Exporter:
        """Return what writes the same kind of files under another name."""
        companions = tuple(Path(filename).with_suffix(Path(name).suffix).name for name in self.companions)
        return replace(self, filename=filename, precision=precision, companions=companions)


EXPORTERS: Registry[Exporter] = Registry(
    "exporter",
    {
        "onnx": "gonogo.export.onnx:EXPORTER",
        "openvino": "gonogo.export.openvino:EXPORTER",
        "litert": "gonogo.export.litert:EXPORTER",
        "executorch": "gonogo.export.executorch:EXPORTER",
        "ncnn": "gonogo.export.ncnn:EXPORTER",
        "c": "gonogo.export.c:EXPORTER",
        "c-int8": "gonogo.export.c.int8:EXPORTER",
    },
)
