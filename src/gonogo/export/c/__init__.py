"""C99: one file and its header, without allocation, with one static arena, from raw pixels to the verdict.

`graph` reads the network from PyTorch's export, `fold` merges operations, `plan` lays tensors out in the arena,
`loops`, `windows` and `levels` write the functions, `source` the two files.
"""

from __future__ import annotations

from pathlib import Path

from gonogo import __version__
from gonogo.export import Exporter
from gonogo.export.c.fold import fold
from gonogo.export.c.graph import Graph, read_graph
from gonogo.export.c.plan import make_plan
from gonogo.export.c.source import write_header, write_source
from gonogo.files import write_text
from gonogo.gauge.facts import Facts
from gonogo.models.deployed import Deployed
from gonogo.types import UInt8Array


def write(network: Deployed, facts: Facts, calibration: UInt8Array, path: Path) -> None:
    """Write the deployed network as C, and beside it the header of the same name.

    Args:
        network: in evaluation mode, on the CPU.
        facts: what the file says of itself.
        calibration: not needed in full precision.
        path: the C file to write.

    Raises:
        ExportError: the network holds an operator that C code is not written for; nothing is written.
    """
    del calibration
    write_files(fold(read_graph(network)), facts, path)


def write_files(graph: Graph, facts: Facts, path: Path) -> None:
    """Write a folded graph, in full precision or quantized, as C and its header."""
    plan = make_plan(graph)
    header = path.with_suffix(".h")
    source = write_source(facts, plan, header.name, __version__)
    write_text(header, write_header(facts, plan, header.name, __version__))
    write_text(path, source)


EXPORTER = Exporter("gauge.c", "native", "fp32", write, companions=("gauge.h",))
