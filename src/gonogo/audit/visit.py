"""Decode every photo once: look at it, and take what the search for copies needs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from gonogo.audit.copies.features import Blobs, extract, gather, opencv, working_sizes
from gonogo.audit.copies.find import Copies, search
from gonogo.audit.copies.memo import recall, remember
from gonogo.audit.copies.stack import Stack
from gonogo.audit.looks import Looks, look
from gonogo.data.images import decode_photo
from gonogo.data.manifest import Manifest
from gonogo.data.records import record_of
from gonogo.data.scan import Scan
from gonogo.types import UInt8Array
from gonogo.workers import workers

JOB = 32  # photos given to a worker at a time
Progress = Callable[[int, int], None]


def copies_of(found: Scan, *, seed: int = 0, progress: Progress | None = None) -> Copies:
    """Return the copies among N photos, searching only when these very photos were not searched before.

    Args:
        found: the photos.
        seed: of the search.
        progress: called with how much is done, and of how much.

    Raises:
        DataError: a photo cannot be decoded.
        MissingExtraError: a library of the extra [train] is not installed.
    """
    known = recall(_contents(found), seed)
    if known is not None:
        return known
    with workers(len(found.manifest)) as executor:
        return _visit_and_search(found, executor, False, seed, progress)[1]


def looks_and_copies(
    found: Scan, executor: Executor, *, seed: int = 0, progress: Progress | None = None
) -> tuple[Looks, Copies]:
    """Return what the photos look like, and the copies among them; see `copies_of`."""
    known = recall(_contents(found), seed)
    if known is not None:
        return Looks.of(_visit(found, executor, True, None, progress).rows), known
    rows, copies = _visit_and_search(found, executor, True, seed, progress)
    return Looks.of(rows), copies


def _visit_and_search(
    found: Scan, executor: Executor, looking: bool, seed: int, progress: Progress | None
) -> tuple[list[dict[str, Any]], Copies]:
    n = len(found.manifest)
    factor, shapes = working_sizes(np.array([(fact.height, fact.width) for fact in found.facts], dtype=np.int64))
    # Looking takes about as long as either step of the search.
    first = None if progress is None else lambda done, of: progress(done // 3, of)
    later = None if progress is None else lambda done, of: progress(n // 3 + (n - n // 3) * done // of, n)
    with TemporaryDirectory(prefix="gonogo-") as folder:
        local = Stack.create(Path(folder), shapes)
        seen = _visit(found, executor, looking, local, first)
        copies = search(gather(local, factor, seen.blobs), executor, seed=seed, progress=later)
    remember(_contents(found), seed, copies)
    return seen.rows, copies


def _visit(found: Scan, executor: Executor, looking: bool, local: Stack | None, progress: Progress | None) -> Seen:
    n = len(found.manifest)
    jobs = [_job(found, start) for start in range(0, n, JOB)]
    whole = Seen([], [])
    for seen in executor.map(partial(_see, found.channels, looking, local), jobs):
        whole.rows.extend(seen.rows)
        whole.blobs.extend(seen.blobs)
        if progress:
            progress(max(len(whole.rows), len(whole.blobs)), n)
    return whole


def _contents(found: Scan) -> list[str]:
    return [sample.sha256 for sample in found.manifest.samples]


@dataclass(frozen=True)
class Job:
    """Some photos of a set.

    Attributes:
        manifest: they alone.
        depths: bits of each.
        start: place of the first one in the whole set.
    """

    manifest: Manifest
    depths: tuple[int, ...]
    start: int


@dataclass(frozen=True)
class Seen:
    """What was seen of some photos: their rows of `Looks` and their blobs, each empty where not asked for."""

    rows: list[dict[str, Any]]
    blobs: list[Blobs]


def _job(found: Scan, start: int) -> Job:
    samples = found.manifest.samples[start : start + JOB]
    depths = tuple(max(8, fact.peak.bit_length()) for fact in found.facts[start : start + JOB])
    return Job(replace(found.manifest, samples=samples), depths, start)


def _see(channels: int, looking: bool, local: Stack | None, job: Job) -> Seen:
    seen = Seen([], [])
    for place, (sample, depth) in enumerate(zip(job.manifest.samples, job.depths, strict=True)):
        data = job.manifest.read_bytes(sample)
        pixels = decode_photo(data, channels=channels, bit_depth=depth, name=sample.path)
        grey: UInt8Array = pixels[:, :, 0] if channels == 1 else opencv().cvtColor(pixels, opencv().COLOR_RGB2GRAY)
        if looking:
            is_file = record_of(sample.path, sample.source) is None
            seen.rows.append(look(pixels, grey) | _file_facts(data if is_file else b""))
        if local is not None:
            seen.blobs.append(extract(grey, local[job.start + place]))
    return seen


def _file_facts(data: bytes) -> dict[str, Any]:
    if not data:
        return {"file_format": "", "size_bytes": 0}
    with Image.open(BytesIO(data)) as image:
        return {"file_format": image.format or "", "size_bytes": len(data)}
