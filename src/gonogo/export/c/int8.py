"""C99 in eight bits: see `quantize` for what is, and what stays in float."""

from __future__ import annotations

from pathlib import Path

from gonogo.export import Exporter
from gonogo.export.c import write_files
from gonogo.export.c.fold import fold
from gonogo.export.c.graph import read_graph
from gonogo.export.c.quantize import quantize
from gonogo.gauge.facts import Facts
from gonogo.models.deployed import Deployed
from gonogo.types import UInt8Array


def write(network: Deployed, facts: Facts, calibration: UInt8Array, path: Path) -> None:
    """Write the deployed network as C in eight bits, and beside it the header of the same name.

    Args:
        network: in evaluation mode, on the CPU.
        facts: what the file says of itself.
        calibration: (N, H, W, C) uint8 photos of training, which the ranges come from.
        path: the C file to write.

    Raises:
        ExportError: the network holds an operator that C code is not written for; nothing is written.
    """
    write_files(quantize(fold(read_graph(network)), facts.geometry, calibration), facts, path)


EXPORTER = Exporter("gauge_int8.c", "native", "int8", write, companions=("gauge_int8.h",), is_exact=False)
