"""``gonogo fit`` on 20,000 small photos and on 100: memory of all its processes together, and the minutes it took.

Claims: under 4 GiB at the peak with 20,000 photos of 96x96, and no more than 10 % over `--minutes` with either. Memory
is that of the whole tree of processes, pages that several share counted once (PSS), looked at twice a second. It takes
as long as the two fits are given, six minutes. Run: python benchmarks/fit.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from common import heading, scratch

SIDE = 96
MOST_GIB, MOST_OVER = 4.0, 0.1
# Photos, and minutes for them.
FITS = ((20_000, 4.5), (100, 1.5))
EVERY_S = 0.5


@dataclass(frozen=True)
class Watched:
    """One fit in processes of its own.

    Attributes:
        document: what it printed as JSON.
        seconds: wall clock, start-up included.
        peak_gib: largest memory of all its processes together.
        largest_gib: of the largest one of them.
    """

    document: dict[str, Any]
    seconds: float
    peak_gib: float
    largest_gib: float


def write_photos(folder: Path, count: int) -> Path:
    """Draw plates, half of them with a hole."""
    rng = np.random.default_rng(0)
    for label in ("ok", "defect"):
        (folder / label).mkdir(parents=True)
    for number in range(count):
        shade = cv2.resize(rng.uniform(90, 160, (6, 6)).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        plate = shade + rng.normal(0, 6, (SIDE, SIDE))
        if number % 2:
            x, y = rng.integers(SIDE // 6, SIDE - SIDE // 6, 2)
            cv2.circle(plate, (int(x), int(y)), int(rng.integers(SIDE // 24, SIDE // 12)), 35.0, -1)
        path = folder / ("defect" if number % 2 else "ok") / f"{number:05d}.png"
        cv2.imwrite(str(path), np.clip(plate, 0, 255).astype(np.uint8))
    return folder


def processes_under(root: int) -> list[int]:
    """Return a process and all that it started, and they in turn."""
    children = defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:  # it has ended meanwhile
            continue
        children[parent].append(int(folder.name))
    found = [root]
    for process in found:
        found += children[process]
    return found


def memory_of(process: int) -> float:
    """Return its share of the memory in GiB; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 2**20


def fit(data: Path, out: Path, minutes: float) -> Watched:
    """Run the command with an empty cache, and watch it."""
    words = [sys.executable, "-m", "gonogo", "fit", str(data), "--out", str(out), "--minutes", str(minutes), "--json"]
    environment = os.environ | {"GONOGO_CACHE": str(out.with_suffix(".cache"))}
    log = out.with_suffix(".log")
    with log.open("wb") as said, out.with_suffix(".json").open("wb") as document:
        started = time.perf_counter()
        process = subprocess.Popen(words, env=environment, stdout=document, stderr=said)
        peak = largest = 0.0
        while process.poll() is None:
            each = [memory_of(own) for own in processes_under(process.pid)]
            peak, largest = max(peak, sum(each)), max(largest, *each)
            time.sleep(EVERY_S)
        seconds = time.perf_counter() - started
    if process.returncode not in (0, 1):
        raise SystemExit(log.read_text())
    return Watched(json.loads(out.with_suffix(".json").read_text()), seconds, peak, largest)


def measure(folder: Path, photos: int, minutes: float) -> bool:
    """Print one row; say whether the claims hold."""
    found = fit(write_photos(folder / f"photos-{photos}", photos), folder / f"fit-{photos}", minutes)
    over = found.seconds / 60 / minutes - 1
    auc, tried = found.document["val"]["auc"]["value"], found.document["tried"]
    whole = sum(own["score"] is not None for own in tried)
    print(
        f"  {photos:6,} photos of {SIDE}x{SIDE}   {minutes:g} minutes asked, {found.seconds / 60:.2f} used "
        f"({over:+.0%}, claimed {MOST_OVER:+.0%})   peak {found.peak_gib:.2f} GiB (claimed {MOST_GIB:g}), the largest "
        f"process {found.largest_gib:.2f}   {len(tried)} networks, {whole} at full length, AUC {auc:.3f}"
    )
    return found.peak_gib < MOST_GIB and over <= MOST_OVER


def main() -> None:
    """Fit many photos and few."""
    heading("gonogo fit, plates, half of them with a hole", threads=os.cpu_count() or 1)
    with scratch() as folder:
        held = [measure(folder, photos, minutes) for photos, minutes in FITS]
    raise SystemExit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
