"""Decode every photo once and remember what was found, so that the next run starts at once."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

from gonogo.data.images import PhotoFacts, inspect_photo
from gonogo.data.manifest import Manifest, Sample
from gonogo.errors import DataError
from gonogo.files import write_text

# Raised when what is remembered about a photo changes its meaning.
MEMO_VERSION = 1
JOB = 32  # photos given to a worker at a time


@dataclass(frozen=True)
class Scan:
    """What is known of a data set's files.

    Attributes:
        manifest: the readable photos, with hash and size filled in.
        facts: one for each of them.
        unreadable: (path, reason) of each photo that cannot be decoded.
    """

    manifest: Manifest
    facts: tuple[PhotoFacts, ...]
    unreadable: tuple[tuple[str, str], ...]

    def keep(self, mask: Sequence[bool]) -> Scan:
        """Return the photos where the mask (N,) is true."""
        facts = tuple(fact for fact, kept in zip(self.facts, mask, strict=True) if kept)
        return replace(self, manifest=self.manifest.keep(mask), facts=facts)

    @property
    def channels(self) -> int:
        """1 where every photo is grey (also when it is stored as colour), otherwise 3."""
        return 1 if all(fact.is_grey for fact in self.facts) else 3

    @property
    def sizes(self) -> Counter[tuple[int, int]]:
        """How many photos there are of each width and height."""
        return Counter((fact.width, fact.height) for fact in self.facts)


def cache_folder() -> Path:
    """Return where gonogo keeps what can be made again: ``$GONOGO_CACHE``, or below the user's cache folder."""
    named = os.environ.get("GONOGO_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named) if named else Path(base) / "gonogo"


def scan(
    manifest: Manifest, *, skip_unreadable: bool = False, progress: Callable[[int, int], None] | None = None
) -> Scan:
    """Look at every photo as `survey` does, and refuse a data set that cannot be used as it is.

    Args:
        manifest: the samples.
        skip_unreadable: go on without the photos that cannot be decoded.
        progress: called with how many are done, and of how many.

    Raises:
        DataError: photos cannot be decoded and `skip_unreadable` is off, or no readable photo of a class is left; the
            message names and counts them.
    """
    found = survey(manifest, progress=progress)
    if found.unreadable and not skip_unreadable:
        shown = "; ".join(reason for _, reason in found.unreadable[:5]) + ("; ..." if len(found.unreadable) > 5 else "")
        noun = "photo" if len(found.unreadable) == 1 else "photos"
        raise DataError(
            f"{len(found.unreadable)} unreadable {noun} of {len(manifest)} in {manifest.root} ({shown}); "
            "repair or remove them, or go on without them with --skip-unreadable"
        )
    left = {sample.label for sample in found.manifest.samples}
    lost = sorted({sample.label for sample in manifest.samples} - left)
    if lost:
        raise DataError(f"{manifest.root}: no readable photo of class '{lost[0]}' is left; repair them first")
    return found


def survey(
    manifest: Manifest, *, executor: Executor | None = None, progress: Callable[[int, int], None] | None = None
) -> Scan:
    """Hash and decode every photo, or recall it where the file has not changed since.

    Args:
        manifest: the samples.
        executor: does it; threads unless given.
        progress: called with how many are done, and of how many.

    Raises:
        DataError: not one photo can be decoded.
    """
    if executor is None:
        # Pillow's decoders release the interpreter lock, so threads use every core.
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return survey(manifest, executor=threads, progress=progress)
    memo_path = cache_folder() / "scans" / f"{sha256(str(manifest.root.resolve()).encode()).hexdigest()[:16]}.json"
    memo = _recall(memo_path)
    jobs = [replace(manifest, samples=manifest.samples[k : k + JOB]) for k in range(0, len(manifest), JOB)]
    known = [[memo.get(sample.path) for sample in job.samples] for job in jobs]
    rows: dict[str, list[object]] = {}
    for job, found in zip(jobs, executor.map(_look_at, jobs, known), strict=True):
        rows |= zip((sample.path for sample in job.samples), found, strict=True)
        if progress:
            progress(len(rows), len(manifest))
    if rows != memo:
        write_text(memo_path, json.dumps({"version": MEMO_VERSION, "photos": rows}))
    return _assemble(manifest, rows)


def _recall(path: Path) -> dict[str, list[object]]:
    """Read the memo; one that cannot be read only costs the time to look again."""
    try:
        memo = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return memo["photos"] if isinstance(memo, dict) and memo.get("version") == MEMO_VERSION else {}


def _look_at(manifest: Manifest, known: list[list[object] | None]) -> list[list[object]]:
    return [_look(manifest, sample, row) for sample, row in zip(manifest.samples, known, strict=True)]


def _look(manifest: Manifest, sample: Sample, known: list[object] | None) -> list[object]:
    """Return [size, modification time, hash, facts or None, reason]."""
    name = sample.path
    try:
        status = manifest.file_of(sample).stat()
        if known and known[:2] == [status.st_size, status.st_mtime_ns]:
            return known
        data = manifest.read_bytes(sample)
    except OSError as error:
        return [-1, -1, "", None, f"{name}: cannot be read ({error.strerror})"]
    except DataError as error:
        return [-1, -1, "", None, str(error)]
    key: list[object] = [status.st_size, status.st_mtime_ns, sha256(data).hexdigest()]
    try:
        return [*key, asdict(inspect_photo(data, name)), ""]
    except DataError as error:
        return [*key, None, str(error)]


def _assemble(manifest: Manifest, rows: dict[str, list[object]]) -> Scan:
    unreadable = tuple((s.path, str(rows[s.path][4])) for s in manifest.samples if rows[s.path][3] is None)
    samples, facts = [], []
    for sample in manifest.samples:
        _, _, digest, found, _ = rows[sample.path]
        if isinstance(found, dict):
            fact = PhotoFacts(**found)
            facts.append(fact)
            samples.append(replace(sample, sha256=str(digest), width=fact.width, height=fact.height))
    if not samples:
        gone = not any(manifest.file_of(sample).exists() for sample in manifest.samples)
        advice = "; say where a table's photos lie with --photos FOLDER" if gone else ""
        raise DataError(f"{manifest.root}: none of the {len(manifest)} photos can be read ({unreadable[0][1]}){advice}")
    return Scan(replace(manifest, samples=tuple(samples)), tuple(facts), unreadable)
