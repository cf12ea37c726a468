"""From raw pixels to a verdict on one thread: two gauges, the casting study's network, MobileNetV2, decoding the JPEG.

Claims on castings of 300x300, all in turns (beside each, the fifth call in a row): the smallest gauge under ONNX
Runtime is at least 25x as fast as the study's network and 60x as fast as the whole MobileNetV2, and no slower than
OpenCV decodes the JPEG; as C 60x, 150x and half the decoding. The best (a stump) is at least 4x and 10x as fast. Speed
does not depend on weights, so all of them are drawn; what the networks are worth on parts never seen is measured by
quality.py (tapers) and stumps.py.
Run: python benchmarks/headline.py [sides of what the smallest sees, ...]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
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
from gonogo.models import architecture
from gonogo.models.architecture import make_spec
from gonogo.models.cost import count_macs
from gonogo.models.deployed import Deployed
from gonogo.models.mobilenet import LAST_BLOCK
from gonogo.runtimes import RUNTIMES

SIDE, PHOTOS, REPEATS = 300, 16, 300
# In turns, a small network finds nothing of itself in the caches after one of MobileNetV2's calls; at a line it has
# them to itself, as in the last of so many calls in a row. That is printed as well; what is claimed is in turns.
IN_A_ROW = 5
STUDY, WHOLE, DECODE = "the study's network", "MobileNetV2, whole", "decoding the JPEG"
SMALLEST, BEST = "the smallest", "the best"


@dataclass(frozen=True)
class Network:
    """A network to time: its architecture and options, how it sees photos, and as what it is written."""

    arch: str
    options: dict[str, Any] = field(default_factory=dict)
    sees: dict[str, Any] = field(default_factory=dict)
    formats: tuple[str, ...] = ("onnx",)


# What each claim asks of the ratio, by what is claimed and of which file.
CLAIMS = (
    (f"{SMALLEST}, onnx", STUDY, 25.0),
    (f"{SMALLEST}, onnx", WHOLE, 60.0),
    (f"{SMALLEST}, onnx", DECODE, 1.0),
    (f"{SMALLEST}, c", STUDY, 60.0),
    (f"{SMALLEST}, c", WHOLE, 150.0),
    (f"{SMALLEST}, c", DECODE, 2.0),
    (f"{BEST}, onnx", STUDY, 4.0),
    (f"{BEST}, onnx", WHOLE, 10.0),
)


def networks(reduce: int) -> dict[str, Network]:
    """Return what is timed; photos of the study's network are in colour, as it was made for."""
    return {
        STUDY: Network("taper-study", sees={"colour": "rgb", "mean": (127.5,) * 3, "std": (127.5,) * 3}),
        WHOLE: Network("stump", {"cut": LAST_BLOCK, "statistics": ("avg",)}, {"size": (224, 224)}),
        SMALLEST: Network("taper", sees={"reduce": reduce}, formats=("onnx", "c")),
        BEST: Network("stump", {"cut": 7}, {"reduce": 2, "size": (112, 112)}, ("onnx", "c")),
    }


def opened(folder: Path, name: str, network: Network, pixels: np.ndarray) -> dict[str, Callable[[int], object]]:
    """Write a network, see that every file answers as it does, and return what is timed."""
    geometry = Geometry(SIDE, SIDE, **network.sees)
    torch.manual_seed(0)
    channels = geometry.network_channels
    built = make_spec(network.arch, 2, channels, network.options).build().eval()
    macs = count_macs(built, channels, geometry.input_size) / 1e6
    print(f"  {name}: {sum(p.numel() for p in built.parameters()):,} parameters, {macs:.2f} M multiply-adds")
    calls = sessions(folder, built, geometry, network.formats, pixels)
    return {name if len(calls) == 1 else f"{name}, {kind}": call for kind, call in calls.items()}


def sessions(
    folder: Path, network: architecture.Network, geometry: Geometry, formats: tuple[str, ...], pixels: np.ndarray
) -> dict[str, Callable[[int], object]]:
    """Write a network to every format, see that each file answers as it does, and open them."""
    facts = Facts(Decision(Task(("defect", "ok"), "ok"), 0.5, "none"), geometry, 1.0, 0.0, {})
    deployed = Deployed(network, geometry, facts.decision.task).eval()
    folder.mkdir()
    calls: dict[str, Callable[[int], object]] = {}
    for kind in formats:
        exporter = EXPORTERS.get(kind)
        path = folder / exporter.filename
        exporter.write(deployed, facts, pixels, path)
        check_parity(path, exporter.runtime, facts.decision, deployed, pixels)
        session = RUNTIMES.get(exporter.runtime).open(path, 1)
        calls[kind] = lambda turn, session=session: session(pixels[turn % PHOTOS][None])  # type: ignore[misc]
    return calls


def photos(folder: Path) -> tuple[np.ndarray, list[Path]]:
    """Return (N, 300, 300, 1) real castings and their files; drawn ones where they are not at hand."""
    real = data_folder("casting")
    if real is None:
        from gonogo.data.synthetic import write_castings

        write_castings(folder / "castings", parts=PHOTOS, views=1)
        files = sorted((folder / "castings").rglob("*.jpg"))[:PHOTOS]
    else:
        names = sorted(real.rglob("*.jpeg"))
        files = names[:: len(names) // PHOTOS][:PHOTOS]
    return np.stack([decode_photo(file, channels=1) for file in files]), files


def compare(folder: Path, reduce: int, pixels: np.ndarray, files: list[Path]) -> bool:
    """Time everything in turns; say whether every claim holds."""
    import cv2

    cv2.setNumThreads(1)
    jpegs = [np.frombuffer(file.read_bytes(), dtype=np.uint8) for file in files]
    calls: dict[str, Callable[[int], object]] = {
        DECODE: lambda turn: cv2.imdecode(jpegs[turn % PHOTOS], cv2.IMREAD_GRAYSCALE)
    }
    for number, (name, network) in enumerate(networks(reduce).items()):
        calls |= opened(folder / f"{reduce}-{number}", name, network, pixels)
    times, warm = percentiles(calls, REPEATS), percentiles(calls, REPEATS, in_a_row=IN_A_ROW)
    p50 = {name: float(np.median(values)) for name, values in times.items()}
    for name, value in p50.items():
        print(f"    {name:24} {value:8.3f} ms, {np.median(warm[name]):8.3f} at the fifth call in a row")
    met = True
    for name, rival, least in CLAIMS:
        # In the quickest tenth of the turns nothing else ran; all are shown, the median decides.
        ratio = p50[rival] / p50[name]
        quick = np.percentile(times[rival], 10) / np.percentile(times[name], 10)
        alone = np.median(warm[rival]) / np.median(warm[name])
        met = met and ratio >= least
        kept = "" if ratio >= least else "   NOT MET"
        print(
            f"    {name}: {ratio:.1f}x as fast as {rival} (quickest tenth {quick:.1f}x, fifth call "
            f"{alone:.1f}x), claimed {least:g}x{kept}"
        )
    return met


def main() -> None:
    """Time the gauges for each size of what the smallest sees."""
    torch.set_num_threads(1)
    with scratch() as folder:
        pixels, files = photos(folder)
        heading(f"raw pixels of {SIDE}x{SIDE} castings to a verdict, median of {REPEATS} turns")
        held = []
        for side in [int(word) for word in sys.argv[1:]] or [100]:
            print(f"  the smallest sees {side}x{side}")
            held.append(compare(folder, SIDE // side, pixels, files))
    raise SystemExit(0 if any(held) else 1)


if __name__ == "__main__":
    main()
