"""The compiled C file against the same gauge's ONNX file under ONNX Runtime: raw pixels in, one thread, in turns.

Claim: a 6k taper on castings of 300x300 pixels is at least 2x as fast as C. Stumps and eight bits are shown beside it.
Weights are drawn (speed does not depend on them); every file answers as the network does before it is timed.
Run: python benchmarks/native.py
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common import data_folder, heading, scratch
from gonogo.bench.timer import percentiles
from gonogo.data.geometry import Geometry
from gonogo.data.images import decode_photo
from gonogo.data.task import Task
from gonogo.evaluate.decision import Decision
from gonogo.export import EXPORTERS
from gonogo.export.parity import check_parity
from gonogo.gauge.facts import Facts
from gonogo.models.architecture import make_spec
from gonogo.models.cost import count_macs
from gonogo.models.deployed import Deployed
from gonogo.runtimes import RUNTIMES, Session

LEAST = 2.0
REPEATS = 1000
PHOTOS = 16
SIDE = 300
# Name, architecture, its options, and how photos of 300x300 come to it.
NETWORKS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "6k taper, 100x100": ("taper", {}, {"reduce": 3}),
    "stump, block 4, 112x112": ("stump", {"cut": 4}, {"reduce": 2, "size": (112, 112)}),
    "stump, block 7, 112x112": ("stump", {"cut": 7}, {"reduce": 2, "size": (112, 112)}),
}


def photos() -> np.ndarray:
    """Return (N, 300, 300, 1) real castings, or noise where they are not at hand."""
    folder = data_folder("casting")
    if folder is None:
        return np.random.default_rng(0).integers(0, 256, (PHOTOS, SIDE, SIDE, 1), dtype=np.uint8)
    names = sorted(folder.rglob("*.jpeg"))
    return np.stack([decode_photo(name, channels=1) for name in names[:: len(names) // PHOTOS][:PHOTOS]])


def peak_gflops() -> float:
    """Return what a product of matrices reaches on one core: the context of the shares."""
    matrix = torch.rand(512, 512)
    best = min(_seconds(lambda: matrix @ matrix) for _ in range(20))
    return float(2 * 512**3 / best / 1e9)


def _seconds(call: Any) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def sessions(folder: Path, name: str, pixels: np.ndarray) -> tuple[dict[str, Session], int]:
    """Export a network to every format that is timed, check it, and open it; return the multiply-adds too."""
    arch, options, reading = NETWORKS[name]
    geometry = Geometry(SIDE, SIDE, **reading)
    torch.manual_seed(0)
    network = make_spec(arch, 2, 1, options).build().eval()
    facts = Facts(Decision(Task(("defect", "ok"), "ok"), 0.5, "none"), geometry, 1.0, 0.0, {"arch": arch})
    deployed = Deployed(network, geometry, facts.decision.task).eval()
    opened: dict[str, Session] = {}
    folder.mkdir()
    for format_name in ("onnx", "c", "c-int8"):
        exporter = EXPORTERS.get(format_name)
        path = folder / exporter.filename
        exporter.write(deployed, facts, pixels, path)
        if exporter.is_exact:
            check_parity(path, exporter.runtime, facts.decision, deployed, pixels)
        opened[format_name] = RUNTIMES.get(exporter.runtime).open(path, 1)
    return opened, count_macs(network, 1, geometry.input_size)


def main() -> None:
    """Time all files of each network in turns."""
    torch.set_num_threads(1)
    pixels = photos()
    with scratch() as folder:
        made = {name: sessions(folder / str(number), name, pixels) for number, name in enumerate(NETWORKS)}
        peak = peak_gflops()
        versions = f"ONNX Runtime {RUNTIMES.get('onnxruntime').version()}, compiler {RUNTIMES.get('native').version()}"
        heading(f"raw pixels to verdict, {versions}, median of {REPEATS} calls in turns")
        print(f"  a matrix product reaches {peak:.0f} GFLOP/s on this core")
        ratios = {}
        for name, (opened, macs) in made.items():
            times = percentiles(
                {
                    kind: lambda turn, one=one: one(pixels[turn % PHOTOS][None])  # type: ignore[misc]
                    for kind, one in opened.items()
                },
                REPEATS,
            )
            p50 = {kind: float(np.median(values)) for kind, values in times.items()}
            p10 = {kind: float(np.percentile(values, 10)) for kind, values in times.items()}
            ratios[name] = p50["onnx"] / p50["c"]
            print(
                f"  {name:24} {macs / 1e6:5.2f} M multiply-adds   onnx {p50['onnx']:.3f} ms   c {p50['c']:.3f} ms   "
                f"c-int8 {p50['c-int8']:.3f} ms   c is {ratios[name]:.2f}x as fast "
                f"(in the quickest tenth {p10['onnx'] / p10['c']:.2f}x), "
                f"{2 * macs / p50['c'] / 1e6 / peak:.0%} of the core"
            )
    raise SystemExit(0 if ratios["6k taper, 100x100"] >= LEAST else 1)


if __name__ == "__main__":
    main()
