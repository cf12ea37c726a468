"""Copies of photos: how many pairs are found, how many are wrong, how long it takes. One setting for all.

Claims: pairwise precision and recall of at least .99 on synthetic castings, .95 on steel, .98 on both in one folder, no
two real castings joined at a recall of .92; 4,435 castings in 20 s, 20,000 small photos in 90 s, four times the photos
in at most five times the time. Run: python benchmarks/copies.py [name of a bar, ...]
"""

from __future__ import annotations

import csv
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from common import ROOT, data_folder, heading, scratch
from gonogo.audit.copies import find_copies
from gonogo.data.images import decode_photo
from gonogo.data.synthetic import write_castings
from gonogo.types import Int64Array, UInt8Array

sys.path.insert(0, str(ROOT / "tests"))
from helpers_copies import make_planted, precision_recall

THREADS = 2
STEEL = 150  # photos
COPIES = 4
Planted = tuple[list[UInt8Array], Int64Array]


def grey(paths: list[Path]) -> list[UInt8Array]:
    """Read photos as (H, W)."""
    return [decode_photo(path, channels=1)[:, :, 0] for path in paths]


def folder_of(name: str, pattern: str) -> list[Path]:
    """Return the photos of a real set, none where it is not at hand."""
    folder = data_folder(name)
    return sorted(folder.glob(pattern)) if folder else []


def timed(photos: list[UInt8Array] | UInt8Array) -> tuple[Int64Array, float]:
    """Return the groups found, and the seconds taken."""
    started = time.perf_counter()
    groups = find_copies(photos, count=THREADS).groups
    return groups, time.perf_counter() - started


def judge(name: str, planted: Planted, least_precision: float, least_recall: float) -> bool:
    """Print one row and say whether the bar is met."""
    photos, truth = planted
    groups, seconds = timed(photos)
    precision, recall = precision_recall(truth, groups)
    met = precision >= least_precision and recall >= least_recall
    print(
        f"  {name:34} {len(photos):6,} photos of {len(np.unique(truth)):4}: precision {precision:.4f}, recall "
        f"{recall:.4f} (asked {least_precision}, {least_recall}), {seconds:.1f} s{'' if met else '   NOT MET'}"
    )
    return met


def originals(name: str, pattern: str, most: int | None = None) -> list[UInt8Array]:
    """Return one photo of each group of a real set, so that what is planted is all there is to find."""
    photos = grey(folder_of(name, pattern))
    if not photos:
        return []
    first = np.unique(timed(photos)[0], return_index=True)[1]
    if most is not None and len(first) > most:
        first = np.sort(np.random.default_rng(0).choice(first, most, replace=False))
    return [photos[index] for index in first]


def synthetic() -> bool:
    """150 parts x 12 photos; and parts photographed anew, of which none may be joined."""
    with scratch() as folder:
        write_castings(folder / "copies", parts=150, views=1, copies=11, workers=THREADS)
        write_castings(folder / "views", parts=60, views=4, copies=0, workers=THREADS)
        met = judge("synthetic castings", _table(folder / "copies"), 0.99, 0.99)
        photos, _ = _table(folder / "views")
    joined = len(photos) - len(np.unique(timed(photos)[0]))
    print(f"  {'parts photographed anew':34} {len(photos):6,} photos of   60: {joined} joined (asked 0)")
    return met and joined == 0


def _table(folder: Path) -> Planted:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    truth = np.array([int(row["group"].removeprefix("part_")) for row in rows], dtype=np.int64)
    return grey([folder / row["path"] for row in rows]), truth


def planted() -> bool:
    """Copies planted on one photo of each steel strip and of each real casting, apart and in one folder."""
    steel = originals("neu-voc", "JPEGImages/*", STEEL)
    castings = originals("casting", "*/*/*")
    if not steel or not castings:
        print("  real photos are not at hand")
        return True
    bars = [
        judge("steel", make_planted(steel, COPIES, 1), 0.95, 0.95),
        judge("castings", make_planted(castings, COPIES, 2), 1.0, 0.92),
        judge("steel and castings in one folder", make_planted(steel + castings, COPIES, 3), 0.98, 0.98),
    ]
    return all(bars)


def casting() -> bool:
    """The public castings as they are: groups, time and memory."""
    photos = grey(folder_of("casting", "*/*/*"))
    if not photos:
        return True
    groups, seconds = timed(photos)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"  {'public castings':34} {len(photos):6,} photos: {len(np.unique(groups))} groups, {seconds:.1f} s "
        f"(asked 20), peak {peak:.0f} MB with the photos"
    )
    return seconds <= 20


def growth() -> bool:
    """20,000 small photos, and a quarter of them."""
    files = folder_of("cifar10-binary", "data_batch_*.bin")
    if not files:
        return True
    raw = np.concatenate([np.fromfile(file, np.uint8).reshape(-1, 3073) for file in files])[:, 1:].reshape(
        -1, 3, 32, 32
    )
    photos = np.rint(np.tensordot(raw, [0.299, 0.587, 0.114], axes=(1, 0))).astype(np.uint8)
    few = timed(photos[: len(photos) // 4])[1]
    groups, all_ = timed(photos)
    ratio = all_ / few
    print(
        f"  {'small photos':34} {len(photos):6,} photos: {len(np.unique(groups)):,} groups, {all_:.1f} s (asked 90), "
        f"{ratio:.1f} times a quarter of them (asked 5)"
    )
    return all_ <= 90 and ratio <= 5


BARS: dict[str, Callable[[], bool]] = {"synthetic": synthetic, "planted": planted, "casting": casting, "growth": growth}


def main() -> None:
    """Print every bar asked for, all of them unless named."""
    heading("copies of photos, one setting", THREADS)
    met = [BARS[name]() for name in (sys.argv[1:] or BARS)]
    raise SystemExit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
