"""Every small network of the registry in every exporter's file, on 200 real photos: how far the answers are apart.

Claim: probabilities within 1e-4 of PyTorch's, heat maps too, and every verdict the same. The file on disk answers.
Weights are drawn and BatchNorm is estimated on the photos; the threshold lies in the middle half of their scores, so
that no verdict is out of reach. Runtimes that are not installed, and networks that an exporter refuses, are named.
Run: python benchmarks/parity.py [--write]   (writes docs/parity.md; all runtimes: make runtimes)
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common import ROOT, commit, data_folder, device_name, scratch
from gonogo.data.geometry import Geometry
from gonogo.data.images import decode_photo
from gonogo.data.task import Task
from gonogo.errors import ExportError, MissingExtraError
from gonogo.evaluate.decision import Decision
from gonogo.export import EXPORTERS
from gonogo.export.parity import answer
from gonogo.gauge.facts import Facts
from gonogo.gauge.golden import TOLERANCE, Parity, compare, one_at_a_time
from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import Architecture, Network, count_frozen, count_parameters, make_spec
from gonogo.models.deployed import Deployed
from gonogo.runtimes import RUNTIMES
from gonogo.train.averaging import estimate_norms

MOST_PARAMS = 1_000_000
PHOTOS, SIDE, BATCH = 200, 300, 20
FIRST, LAST = "<!-- the table -->", "<!-- its end -->"
# What photos of 300x300 are reduced and resized to, for networks that take any size.
READING: dict[str, dict[str, Any]] = {"taper": {"reduce": 3}, "stump": {"reduce": 2, "size": (112, 112)}}


def photos() -> np.ndarray:
    """Return (200, 300, 300, 1) castings, evenly from all of them."""
    folder = data_folder("casting")
    if folder is None:
        raise SystemExit("error: no folder of castings; set GONOGO_DATA to the folder that holds casting/")
    names = sorted(folder.rglob("*.jpeg"))
    return np.stack([decode_photo(name, channels=1) for name in names[:: len(names) // PHOTOS][:PHOTOS]])


def geometry_of(name: str, architecture: Architecture, network: Network) -> Geometry:
    """Return how castings come to a network: as they are, or at the size that it was made for."""
    colour = architecture.colour or "grey"
    whole = architecture.size == (SIDE, SIDE) and network.fixed_size is None
    size = network.fixed_size or architecture.size
    # Resizing to half or less would skip pixels, and is refused.
    reading = READING.get(name.partition("-")[0], {}) if whole else {"size": size, "reduce": SIDE // (2 * size[0]) + 1}
    channels = 3 if colour == "rgb" else 1
    return Geometry(SIDE, SIDE, colour=colour, mean=(127.5,) * channels, std=(64.0,) * channels, **reading)


def between(scores: np.ndarray) -> float:
    """Return a threshold in the widest gap of the middle half of (N,) scores: at a score, the last digit decides."""
    middle = np.sort(scores)[len(scores) // 4 : 3 * len(scores) // 4]
    place = int(np.diff(middle).argmax())
    return float(middle[place : place + 2].mean())


def networks(pixels: np.ndarray) -> Iterator[tuple[str, Deployed, Facts]]:
    """Give the small ones, each in evaluation mode with its facts."""
    for name in ARCHITECTURES:
        architecture = ARCHITECTURES.get(name)
        for variant in architecture.variants:
            torch.manual_seed(0)
            network = make_spec(name, 2, 3 if architecture.colour == "rgb" else 1, dict(variant)).build()
            if sum(count_parameters(network)) + count_frozen(network) > MOST_PARAMS:
                continue
            geometry = geometry_of(name, architecture, network)
            decision = Decision(Task(("defect", "ok"), "ok"), 0.5, "none")
            deployed = Deployed(network, geometry, decision.task).eval()
            batches = torch.split(torch.from_numpy(pixels), BATCH)
            with torch.no_grad():
                seen = [(deployed.preprocess(batch), None) for batch in batches]
            network.requires_grad_(True)  # what was learnt elsewhere would keep statistics that no weights go with
            estimate_norms(network, network, lambda seen=seen: iter(seen))  # type: ignore[misc]
            deployed.eval()
            threshold = between(decision.defect_probs(answer(deployed, pixels).pred_probs))
            facts = Facts(Decision(decision.task, threshold, "none"), geometry, 1.0, 0.0, {"arch": name})
            yield " ".join([name, *(f"{key}={value}" for key, value in variant.items())]), deployed, facts


def cell(exporter_name: str, network: Deployed, facts: Facts, pixels: np.ndarray, folder: Path) -> Parity | str:
    """Return how the file answers, or why there is none."""
    try:
        exporter = EXPORTERS.get(exporter_name)
        path = folder / exporter.filename
        exporter.write(network, facts, pixels[:16], path)
        session = RUNTIMES.get(exporter.runtime).open(path, 1)
    except MissingExtraError:
        return "not installed"
    except ExportError as error:
        print(f"  {facts.about['arch']} for {exporter_name}: {error}")
        return "refused"
    return compare(facts.decision, answer(network, pixels), one_at_a_time(session, pixels))


def shown(found: Parity | str) -> str:
    """Return a cell's text."""
    if isinstance(found, str):
        return found
    worst = max(found.max_abs_diff, found.max_abs_diff_heatmap)
    return f"{worst:.0e}" if found.holds else f"**{worst:.0e}**" + ("" if found.verdicts_equal else ", verdicts differ")


def main() -> None:
    """Write every file, ask it, and print the table."""
    torch.set_num_threads(1)
    exact = [name for name in EXPORTERS if EXPORTERS.get(name).is_exact]
    pixels, lines, holds = photos(), [], True
    versions = []
    for name in exact:
        try:
            versions.append(f"{name} {RUNTIMES.get(EXPORTERS.get(name).runtime).version()}")
        except MissingExtraError:
            versions.append(f"{name} not installed")
    with scratch() as folder:
        for name, network, facts in networks(pixels):
            row = []
            for exporter_name in exact:
                found = cell(exporter_name, network, facts, pixels, folder)
                holds &= isinstance(found, str) or found.holds
                row.append(shown(found))
            height, width = facts.geometry.input_size
            lines.append(f"| {name} | {height}x{width} | " + " | ".join(row) + " |")
            print(lines[-1], flush=True)
    table = "\n".join(
        [
            f"{PHOTOS} photos of castings, commit {commit()}, {device_name()}; {', '.join(versions)}.",
            "",
            f"| network | input | {' | '.join(exact)} |",
            f"|---|---|{'---|' * len(exact)}",
            *lines,
        ]
    )
    print(table)
    if "--write" in sys.argv[1:]:
        page = ROOT / "docs" / "parity.md"
        before, _, rest = page.read_text(encoding="utf-8").partition(FIRST)
        page.write_text(f"{before}{FIRST}\n{table}\n{LAST}{rest.partition(LAST)[2]}", encoding="utf-8")
    print(f"largest difference allowed {TOLERANCE:g}: {'holds' if holds else 'DOES NOT HOLD'}")
    raise SystemExit(0 if holds else 1)


if __name__ == "__main__":
    main()
