"""The studies' networks and gonogo's own under every runtime: milliseconds, and ratios to ONNX Runtime in float32.

Raw pixels in, probabilities and heat map out, one photo a call, one thread, all files of a network in turns. Latency
does not hang on the weights, so they are drawn. Runtimes that are not installed and networks that one refuses are
left out and named. C is written for networks of up to a million parameters: beyond, its source is too long for a
compiler.

    python benchmarks/latency.py [taper] [taper-study] [stump] [sheet-590k-dw] [mobilenetv2] [resnet50]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from common import heading, scratch
from gonogo.bench.roofline import measure_roofline
from gonogo.bench.timer import percentiles
from gonogo.compress.quantize import QUANTIZERS, Source
from gonogo.data.geometry import Geometry
from gonogo.data.task import Task
from gonogo.errors import ExportError, MissingExtraError
from gonogo.evaluate.decision import Decision
from gonogo.export import EXPORTERS
from gonogo.gauge.facts import Facts
from gonogo.models.architecture import Network, count_frozen, count_parameters, make_spec
from gonogo.models.cost import count_macs
from gonogo.models.deployed import Deployed
from gonogo.runtimes import RUNTIMES

PEER = "onnx"
PHOTOS = 8
SECONDS = 12.0  # about so long is spent on a network; no fewer than 20 calls of each file, no more than 500
MOST_C_PARAMS = 1_000_000
COLOUR: Mapping[str, Any] = {"colour": "rgb", "mean": (127.5,) * 3, "std": (60.0,) * 3}


@dataclass(frozen=True)
class Subject:
    """A network and how photos come to it."""

    arch: str
    geometry: Geometry
    options: Mapping[str, Any] = field(default_factory=dict)


SUBJECTS = {
    "taper": Subject("taper", Geometry(300, 300, reduce=3)),
    "taper-study": Subject("taper-study", Geometry(300, 300, 3, **COLOUR)),
    "stump": Subject("stump", Geometry(300, 300, reduce=2, size=(112, 112)), {"cut": 7}),
    "sheet-590k-dw": Subject("sheet-590k-dw", Geometry(224, 224)),
    "mobilenetv2": Subject("timm", Geometry(224, 224, 3, **COLOUR), {"backbone": "mobilenetv2_100"}),
    "resnet50": Subject("timm", Geometry(224, 224, 3, **COLOUR), {"backbone": "resnet50"}),
}


def files(subject: Subject, network: Network, pixels: np.ndarray, folder: Path) -> dict[str, Callable[[int], object]]:
    """Return by name what answers one of the photos: PyTorch, and every file that can be written here."""
    deployed = Deployed(network, subject.geometry, Task(("defect", "ok"), "ok")).eval()
    facts = Facts(Decision(deployed.task, 0.5, "none"), subject.geometry, 1.0, 0.0, {"arch": subject.arch})
    tensors = torch.from_numpy(pixels)
    calls: dict[str, Callable[[int], object]] = {
        "PyTorch eager": torch.no_grad()(lambda turn: deployed(tensors[turn % PHOTOS][None]))
    }
    source = Source(deployed, facts, pixels, folder)

    def add(name: str, runtime: str, filename: str, write: Callable[[Path], None]) -> None:
        try:
            write(folder / filename)
            session = RUNTIMES.get(runtime).open(folder / filename, 1)
        except (ExportError, MissingExtraError) as error:
            print(f"    {name:14} {error}")
            return
        calls[name] = lambda turn: session(pixels[turn % PHOTOS][None])

    for name in EXPORTERS:
        exporter = EXPORTERS.get(name)
        if exporter.runtime == "native" and sum(count_parameters(network)) + count_frozen(network) > MOST_C_PARAMS:
            continue
        filename = f"{name}-{exporter.filename}"
        add(name, exporter.runtime, filename, lambda path, e=exporter: e.write(deployed, facts, pixels, path))  # type: ignore[misc]
    for name in QUANTIZERS:
        quantizer = QUANTIZERS.get(name)
        runtime = EXPORTERS.get(quantizer.exporter).runtime
        if quantizer.why_not() is None:
            add(name, runtime, quantizer.filename, lambda path, q=quantizer: q.prepare(source).write(path, ()))  # type: ignore[misc]
    return calls


def compare(name: str, subject: Subject, flops: float) -> None:
    """Print the rows of a network."""
    torch.manual_seed(0)
    geometry = subject.geometry
    network = make_spec(subject.arch, 2, geometry.network_channels, subject.options).build().eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):  # timm begins with 0 in some, whose branches a converter then leaves out
            nn.init.uniform_(layer.weight, 0.5, 1.5)
    macs = count_macs(network, geometry.network_channels, geometry.input_size)
    height, width = geometry.input_size
    params = sum(count_parameters(network)) + count_frozen(network)
    print(f"  {name}: {params:,} parameters, {macs / 1e6:,.1f} M multiply-adds")
    print(f"    at {width}x{height}, float32 at the core's best {2e3 * macs / flops:.3f} ms", flush=True)
    shape = (PHOTOS, geometry.height or 0, geometry.width or 0, geometry.channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with scratch() as folder:
        calls = files(subject, network, pixels, folder)
        once = sum(float(np.median(values)) for values in percentiles(calls, 3).values())
        repeats = int(np.clip(1e3 * SECONDS / once, 20, 500))
        times = percentiles(calls, repeats)
    peer = np.median(times[PEER])
    for kind, values in sorted(times.items(), key=lambda item: float(np.median(item[1]))):
        p50, p99 = np.percentile(values, [50, 99])
        print(f"    {kind:14} {p50:9.3f} ms (99 %: {p99:9.3f})   {peer / p50:5.2f}x as fast as {PEER}", flush=True)


def main() -> None:
    """Print the rows of the networks named, all of them unless named."""
    torch.set_num_threads(1)
    names = sys.argv[1:] or list(SUBJECTS)
    unknown = set(names) - set(SUBJECTS)
    if unknown:
        raise SystemExit(f"unknown network '{min(unknown)}'; there are: {', '.join(SUBJECTS)}")
    heading("raw pixels to verdict under every runtime, median of calls in turns")
    flops = measure_roofline().flops
    print(f"  a matrix product reaches {flops / 1e9:.0f} GFLOP/s on this core")
    for name in names:
        compare(name, SUBJECTS[name], flops)


if __name__ == "__main__":
    main()
