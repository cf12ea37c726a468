"""How long networks take on this machine, as they are deployed: exported, opened by a runtime, asked in turns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gonogo.bench.timer import percentiles
from gonogo.compress.gate import REPEATS
from gonogo.export import EXPORTERS
from gonogo.gauge.facts import Facts
from gonogo.models.deployed import Deployed
from gonogo.runtimes import RUNTIMES
from gonogo.types import Float64Array, UInt8Array

FORMAT = "onnx"


@dataclass(frozen=True)
class Timed:
    """A network as it is deployed: (R,) milliseconds of one photo, turn by turn, and bytes of its file."""

    milliseconds: Float64Array
    size_bytes: int

    @property
    def p50_ms(self) -> float:
        """The median."""
        return float(np.median(self.milliseconds))


def time_networks(
    networks: Mapping[str, Deployed], facts: Facts, photos: UInt8Array, repeats: int = REPEATS
) -> dict[str, Timed]:
    """Time one photo, from camera pixels, on one thread, all networks in the same run.

    Args:
        networks: by name, in evaluation and on the CPU.
        facts: what their files say; of one geometry.
        photos: (N, H, W, C) uint8, N at least 2.
        repeats: timed calls of each.

    Raises:
        ExportError: a network cannot be written.
    """
    exporter = EXPORTERS.get(FORMAT)
    calls: dict[str, Callable[[int], object]] = {}
    sizes: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, network) in enumerate(networks.items()):
            path = Path(folder) / f"{number}-{exporter.filename}"
            exporter.write(network, facts, photos, path)
            sizes[name] = path.stat().st_size
            session = RUNTIMES.get(exporter.runtime).open(path, 1)
            calls[name] = lambda turn, session=session: session(photos[turn % len(photos)][None])  # type: ignore[misc]
        times = percentiles(calls, repeats)
    return {name: Timed(values, sizes[name]) for name, values in times.items()}
