"""The whole audit: time, memory and growth, and what it finds beside perceptual hashes in the same run.

Claims: 4,435 castings in under 30 s on 2 cores within 1 GiB, the page included; 20,000 photos of 32x32 in under 90 s,
and four times the photos in at most five times the time with a precision of at least .99 among planted copies; more
planted copies found than imagehash finds. Run: python benchmarks/audit.py [name of a bar, ...]
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
from PIL import Image

from common import ROOT, data_folder, heading, scratch
from gonogo.data.images import decode_photo
from gonogo.data.synthetic import write_castings
from gonogo.types import Int64Array, UInt8Array

sys.path.insert(0, str(ROOT / "tests"))
from helpers_copies import make_copy, pairs_in, precision_recall

CORES = 2
RECORD = 1 + 3 * 32 * 32
PLANTED = 400  # photos of which a copy is planted
HASH_BITS = 4  # of 64: a usual distance below which perceptual hashes count as the same


@dataclass(frozen=True)
class Audited:
    """One audit in a process of its own.

    Attributes:
        document: what it printed as JSON.
        groups: path to group.
        seconds: wall clock, start-up included.
        peak_mib: largest resident memory.
    """

    document: dict[str, Any]
    groups: dict[str, str]
    seconds: float
    peak_mib: float


def audit(data: Path, out: Path) -> Audited:
    """Run the command with an empty cache."""
    out.mkdir()
    words = [sys.executable, "-m", "gonogo", "audit", str(data), "-o", str(out / "page.html")]
    words += ["--groups", str(out / "groups.csv"), "--json"]
    environment = os.environ | {"GONOGO_CACHE": str(out / "cache")}
    with (out / "document.json").open("wb") as document, (out / "log").open("wb") as log:
        actions = [(os.POSIX_SPAWN_DUP2, document.fileno(), 1), (os.POSIX_SPAWN_DUP2, log.fileno(), 2)]
        started = time.perf_counter()
        process = os.posix_spawn(words[0], words, environment, file_actions=actions)
        _, status, usage = os.wait4(process, 0)
        seconds = time.perf_counter() - started
    if status:
        raise SystemExit((out / "log").read_text())
    lines = (out / "groups.csv").read_text(encoding="utf-8").splitlines()[1:]
    groups = dict(line.rsplit(",", 1) for line in lines)
    return Audited(json.loads((out / "document.json").read_text()), groups, seconds, usage.ru_maxrss / 1024)


def castings() -> bool:
    """The public castings as they are."""
    data = data_folder("casting")
    if data is None:
        print("  the castings are not at hand")
        return True
    with scratch() as folder:
        found = audit(data, folder / "out")
        page = (folder / "out" / "page.html").stat().st_size
    print(
        f"  castings: {found.document['photos']:,} photos, {found.document['parts']} parts, "
        f"{found.seconds:.1f} s (claimed 30), peak {found.peak_mib:.0f} MiB (claimed 1,024), page {page / 1e6:.1f} MB"
    )
    return found.seconds < 30 and found.peak_mib < 1024


def small_photos() -> bool:
    """CIFAR's 20,000 training photos with copies planted among them, and a quarter of them."""
    data = data_folder("cifar10-binary")
    if data is None:
        print("  the small photos are not at hand")
        return True
    files = sorted(data.glob("data_batch_*.bin"))
    records = np.concatenate([np.fromfile(file, np.uint8).reshape(-1, RECORD) for file in files])
    with scratch() as folder:
        few = _audit_records(records[: len(records) // 4], folder / "few")
        whole = _audit_records(records, folder / "whole")
        planted, origin = _plant(records)
        precision, recall = _judge(whole, _audit_records(planted, folder / "planted"), origin)
    ratio = whole.seconds / few.seconds
    print(
        f"  small photos: {whole.document['photos']:,} in {whole.seconds:.1f} s (claimed 90), peak "
        f"{whole.peak_mib:.0f} MiB, {ratio:.1f} times a quarter of them (claimed 5)"
    )
    print(f"    {PLANTED} planted copies: precision {precision:.4f} (claimed .99), recall {recall:.4f}")
    return whole.seconds < 90 and ratio <= 5 and precision >= 0.99


def _audit_records(records: np.ndarray, folder: Path) -> Audited:
    data = folder / "data"
    data.mkdir(parents=True)
    (data / "batches.meta.txt").write_text("\n".join(f"class {k}" for k in range(10)))
    records.tofile(data / "data_batch_1.bin")
    return audit(data, folder / "out")


def _plant(records: np.ndarray) -> tuple[np.ndarray, dict[int, int]]:
    """Replace some records by turned, mirrored, relit and compressed copies of others; return which of which."""
    chosen = np.random.default_rng(0).permutation(len(records))[: 2 * PLANTED].tolist()
    origin = dict(zip(chosen[:PLANTED], chosen[PLANTED:], strict=True))
    planted = records.copy()
    for place, original in origin.items():
        planes = records[original, 1:].reshape(3, 32, 32)
        copied = np.stack([make_copy(plane, np.random.default_rng(original)) for plane in planes])
        planted[place] = np.concatenate([records[original, :1], copied.reshape(-1)])
    return planted, origin


def _judge(whole: Audited, planted: Audited, origin: dict[int, int]) -> tuple[float, float]:
    """Return precision and recall among the pairs that hold a planted copy; the set's own copies are no mistakes."""
    natural = [whole.groups[f"data_batch_1.bin#{index}"] for index in range(len(whole.groups))]
    truth = np.array([natural[origin.get(index, index)] for index in range(len(natural))])
    joined = np.array([planted.groups[f"data_batch_1.bin#{index}"] for index in range(len(natural))])
    right = wrong = found = 0
    for place, original in origin.items():
        others = np.setdiff1d(np.flatnonzero(joined == joined[place]), [place])
        right += int((truth[others] == truth[place]).sum())
        wrong += int((truth[others] != truth[place]).sum())
        found += int(original in others)
    return right / max(right + wrong, 1), found / len(origin)


def beside_hashes() -> bool:
    """Planted copies of synthetic castings: what the audit joins, and what perceptual hashes join."""
    with scratch() as folder:
        write_castings(folder / "set", parts=150, views=1, copies=11, workers=CORES)
        photos = sorted((folder / "set" / "photos").rglob("*.jpg"))
        truth = np.array([int(path.name[5:9]) for path in photos], dtype=np.int64)
        found = audit(folder / "set" / "photos", folder / "out")
        names = [found.groups[path.relative_to(folder / "set" / "photos").as_posix()] for path in photos]
        rows = [("gonogo audit", np.unique(names, return_inverse=True)[1], found.seconds)]
        pixels = [decode_photo(path, channels=1)[:, :, 0] for path in photos]
        for name, function in (("imagehash phash", imagehash.phash), ("imagehash dhash", imagehash.dhash)):
            started = time.perf_counter()
            groups = _join_hashes(pixels, function)
            rows.append((name, groups, time.perf_counter() - started))
    recalls = []
    print(f"  {len(photos):,} photos of 150 castings, {pairs_in(truth):,} pairs to find")
    for name, groups, seconds in rows:
        precision, recall = precision_recall(truth, groups)
        recalls.append(recall)
        print(f"    {name:18} precision {precision:.4f}, recall {recall:.4f}, {seconds:5.1f} s")
    return recalls[0] > 2 * max(recalls[1:])


def _join_hashes(photos: list[UInt8Array], function: Callable[[Image.Image], Any]) -> Int64Array:
    """Join photos whose hashes differ in at most `HASH_BITS` bits, all pairs compared."""
    bits = np.array([function(Image.fromarray(photo)).hash.reshape(-1) for photo in photos], dtype=np.float32)
    apart = bits @ (1 - bits).T
    near = apart + apart.T <= HASH_BITS
    group = np.arange(len(photos))
    for index in range(len(photos)):
        joined = np.unique(group[np.flatnonzero(near[index])])
        group[np.isin(group, joined)] = joined.min()
    return group


BARS: dict[str, Callable[[], bool]] = {"castings": castings, "small": small_photos, "hashes": beside_hashes}


def main() -> None:
    """Print every bar asked for, all of them unless named."""
    heading("the whole audit, each in a process of its own", CORES)
    met = [BARS[name]() for name in (sys.argv[1:] or BARS)]
    raise SystemExit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
