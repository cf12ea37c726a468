"""int8 against full precision under each runtime: where it is faster, and where the gate must refuse it.

Four networks with all of their layers in integers, one photo a call, one thread, from raw pixels; all files of a
network are timed in turns. Latency does not hang on the weights, so they are random; `gonogo quantize` leaves sensitive
layers of trained ones in float, and what it then measures decides.

    python benchmarks/quantize.py [taper] [taper-study] [resnet20] [stump]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common import heading, scratch
from gonogo.compress.gate import Speed, time_pairs, too_slow
from gonogo.compress.quantize import QUANTIZERS, Source
from gonogo.data.geometry import Geometry
from gonogo.data.task import Task
from gonogo.evaluate.decision import Decision
from gonogo.export import EXPORTERS
from gonogo.gauge.facts import Facts
from gonogo.models.architecture import make_spec
from gonogo.models.cost import count_macs
from gonogo.models.deployed import Deployed
from gonogo.runtimes import RUNTIMES

REPEATS = 300
PHOTOS = 16
COLOUR = {"colour": "rgb", "mean": (127.5,) * 3, "std": (60.0,) * 3}


@dataclass(frozen=True)
class Subject:
    """A network, and what is claimed of it: by quantizer, whether its file is faster for sure."""

    arch: str
    geometry: Geometry
    claims: Mapping[str, bool] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


SUBJECTS = (
    Subject("taper", Geometry(300, 300, reduce=3)),
    # Its BatchNorm follows the ReLU and cannot be folded: integers become floats and integers again around each.
    Subject("taper-study", Geometry(300, 300, 1, **COLOUR), {"onnx-int8": False}),  # type: ignore[arg-type]
    Subject("resnet20", Geometry(32, 32, 3, **COLOUR), {"onnx-int8": True, "openvino-int8": True}),  # type: ignore[arg-type]
    Subject("stump", Geometry(300, 300, reduce=2, size=(112, 112)), options={"cut": 7}),
)


def speeds(subject: Subject, network: Deployed, folder: Path) -> dict[str, Speed]:
    """Return by quantizer how fast its file is beside the one in full precision."""
    geometry = subject.geometry
    shape = (PHOTOS, geometry.height or 0, geometry.width or 0, geometry.channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    facts = Facts(Decision(network.task, None, "likeliest class"), geometry, 1.0, 0.0, {"arch": subject.arch})
    source = Source(network, facts, pixels, folder)
    calls: dict[str, Callable[[int], object]] = {}
    pairs = {}

    def open_file(name: str, path: Path, runtime: str) -> None:
        session = RUNTIMES.get(runtime).open(path, 1)
        calls[name] = lambda turn: session(pixels[turn % PHOTOS][None])

    for name in QUANTIZERS:
        quantizer = QUANTIZERS.get(name)
        if quantizer.why_not():
            continue
        exporter = EXPORTERS.get(quantizer.exporter)
        if quantizer.exporter not in calls:
            exporter.write(network, facts, pixels, folder / exporter.filename)
            open_file(quantizer.exporter, folder / exporter.filename, exporter.runtime)
        quantizer.prepare(source).write(folder / quantizer.filename, ())
        open_file(name, folder / quantizer.filename, exporter.runtime)
        pairs[name] = quantizer.exporter
    return time_pairs(calls, pairs, REPEATS)


def compare(subject: Subject) -> bool:
    """Print the rows of a network; return whether its claims hold."""
    torch.manual_seed(0)
    geometry = subject.geometry
    network = make_spec(subject.arch, 2, geometry.network_channels, subject.options).build().eval()
    macs = count_macs(network, geometry.network_channels, geometry.input_size)
    print(f"  {subject.arch}, {macs / 1e6:.1f} M multiply-adds, from {geometry.width}x{geometry.height}")
    deployed = Deployed(network, geometry, Task(("a", "b"), None)).eval()
    met = True
    with scratch() as folder:
        for name, speed in speeds(subject, deployed, folder).items():
            passes, claim = too_slow(speed, "int8", name) is None, subject.claims.get(name)
            met = met and claim in (None, passes)
            claimed = "" if claim is None else f" (claimed: {'faster' if claim else 'refused'})"
            said = f"undisturbed {speed.undisturbed:.2f}x), {'faster' if passes else 'refused'}{claimed}"
            print(
                f"    {name:14} {speed.p50_ms:7.3f} ms, full precision {speed.before_ms:7.3f} ms: {speed.speedup:5.2f}x"
                f" ({speed.low:.2f} to {speed.high:.2f}; {said}"
            )
    return met


def main() -> None:
    """Print the rows of the networks named, all of them unless named."""
    torch.set_num_threads(1)
    heading(f"int8 against full precision, median of {REPEATS} calls in turns, as ratio with its 95 % interval")
    known = {subject.arch: subject for subject in SUBJECTS}
    unknown = set(sys.argv[1:]) - set(known)
    if unknown:
        raise SystemExit(f"unknown network '{min(unknown)}'; there are: {', '.join(known)}")
    met = [compare(known[arch]) for arch in known if arch in (sys.argv[1:] or known)]
    raise SystemExit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
