"""From photos to an honest split: find what shows one part, refuse leaks, share out whole parts."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gonogo.audit.visit import copies_of
from gonogo.data.formats import ReadOptions, read_dataset
from gonogo.data.formats.table import write_apart
from gonogo.data.groups import group_by, join_groups, names_from
from gonogo.data.manifest import Manifest
from gonogo.data.scan import Scan, scan
from gonogo.data.split import (
    Division,
    fold_manifest,
    leaked_photos,
    linked_groups,
    part_counts,
    split_manifest,
    without_split,
)
from gonogo.data.task import resolve_task
from gonogo.errors import DataError, UsageError
from gonogo.evaluate.intervals import share
from gonogo.files import check_writable
from gonogo.types import SPLITS, Rate

Progress = Callable[[str, int, int], None]
TABLE_COLUMNS = {"path", "label", "split", "group"}
VAL, TEST = 0.2, 0.2


def link_parts(
    found: Scan, *, groups: Path | None = None, find_copies: bool = True, progress: Progress | None = None
) -> Scan:
    """Join the photos of one part, by everything that tells it.

    Args:
        found: readable photos, with the parts that the data or their names give.
        groups: a CSV file path,group that says more.
        find_copies: search the photos for copies of one another.
        progress: called with what is done, how much of it, and of how much.

    Returns:
        The photos; those of one part, those with the same bytes and those that show one picture share a group. Without
        a file and without a search they are as they came.

    Raises:
        DataError: the file does not fit the photos, or one of them cannot be decoded.
        MissingExtraError: a library that the search needs is not installed.
    """
    names, numbers = None, None
    if groups is not None:
        names = names_from(groups, found.manifest, [path for path, _ in found.unreadable])
    if find_copies:
        steps = None if progress is None else partial(progress, "comparing")
        numbers = copies_of(found, progress=steps).groups.tolist()
    if names is None and numbers is None:
        return found
    return replace(found, manifest=join_groups(found.manifest, names=names, numbers=numbers))


def leaky_shares(manifest: Manifest) -> dict[str, Rate]:
    """Return for test and val the share of photos whose part also stands in another split; nothing if none does."""
    leaked = leaked_photos(manifest)
    splits = np.array([sample.split for sample in manifest.samples])
    if not leaked.any():
        return {}
    return {name: share(leaked[splits == name], None) for name in ("test", "val") if (splits == name).any()}


def describe_leaks(manifest: Manifest) -> str:
    """Return in words how many photos of each split show a part that is also in another; empty where none does."""
    of: Counter[str] = Counter(sample.split for sample in manifest.samples)
    there = Counter(s.split for s, leaked in zip(manifest.samples, leaked_photos(manifest), strict=True) if leaked)
    counts = [f"{there[name]:,} of {of[name]:,} {name} photos" for name in ("test", "val") if there[name]]
    if not counts:
        return ""
    return f"{' and '.join(counts)} show a part that is also in {'another split' if of['val'] else 'train'}"


def refuse_leaks(manifest: Manifest, data: Path) -> None:
    """Refuse a split that came with the data and leaks.

    Args:
        manifest: linked, with the splits that the data give.
        data: how messages call them.

    Raises:
        DataError: photos of one part stand in several splits.
    """
    leaks = describe_leaks(manifest)
    if leaks:
        raise DataError(
            f"the split of {data} leaks: {leaks}; make a leak-free one with --resplit (or gonogo split {data}), or "
            "keep it with --allow-leaks, and every figure is then marked as leaky"
        )


@dataclass(frozen=True)
class SplitRequest:
    """What to split, and how.

    Attributes:
        data: a folder of photos or a manifest file.
        val: share of the photos that are not test; a fifth unless given.
        test: share of all photos; a fifth unless given.
        folds: share out so many folds instead.
        seed: which parts go where.
        good: name of the good class, checked and handed on.
        format: name of the data set's format.
        reading: how labels are read.
        group_by: how file names tell the part.
        groups: a CSV file path,group that tells the parts.
        find_copies: search the photos for copies of one another.
        skip_unreadable: go on without photos that cannot be decoded.
        keep_test: keep the test set that the data came with, and leave out what else shows its parts.
    """

    data: Path
    val: float | None = None
    test: float | None = None
    folds: int | None = None
    seed: int = 0
    good: str | None = None
    format: str | None = None
    reading: ReadOptions = field(default_factory=ReadOptions)
    group_by: str | None = None
    groups: Path | None = None
    find_copies: bool = True
    skip_unreadable: bool = False
    keep_test: bool = False


@dataclass(frozen=True)
class Split:
    """A split that was made, and what there is to say of it.

    Attributes:
        division: the photos, what they were given, and what could not be balanced.
        left_out: how many photos were left out because they show a part of the test set that was kept.
        notes: what the user should know.
    """

    division: Division
    left_out: int
    notes: tuple[str, ...]

    @property
    def manifest(self) -> Manifest:
        """The photos."""
        return self.division.manifest

    @property
    def parts(self) -> int:
        """How many different parts or pictures there are."""
        return len(set(linked_groups(self.manifest)))

    def of_folds(self) -> list[dict[str, Any]] | None:
        """Return the photos and parts of each fold, by class; None where there are no folds."""
        folds = self.division.folds
        if folds is None:
            return None
        numbers = linked_groups(self.manifest)
        rows: list[dict[str, Any]] = []
        for fold in range(max(folds) + 1):
            mask = [own == fold for own in folds]
            shown = {(s.label, n) for s, n, inside in zip(self.manifest.samples, numbers, mask, strict=True) if inside}
            held = self.manifest.keep(mask)
            rows.append(
                {
                    "fold": fold,
                    "split": held.samples[0].split,
                    "counts": held.counts(),
                    "parts": {name: sum(label == name for label, _ in shown) for name in self.manifest.classes},
                }
            )
        return rows

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints, but for the table's path."""
        return {
            "counts": {split: self.manifest.select(split).counts() for split in SPLITS},
            "parts": part_counts(self.manifest),
            "unbalanced": [found.to_json() for found in self.division.unbalanced],
            "folds": self.of_folds(),
            "left_out": self.left_out,
        }

    def write(self, table: Path) -> Path | None:
        """Write the table; return the photos' folder where it is not above the photos."""
        folds = self.division.folds
        more = {} if folds is None else {"fold": ["" if fold < 0 else fold for fold in folds]}
        return write_apart(self.manifest, table, **more)


def make_split(request: SplitRequest, *, progress: Progress | None = None) -> Split:
    """Split a data set anew, photos of one part always together.

    Args:
        request: what to split, and how.
        progress: called with what is done, how much of it, and of how much.

    Raises:
        DataError: the photos cannot be read, or are of too few parts.
        UsageError: options that do not exist or do not go together.
        MissingExtraError: a library that the search for copies needs is not installed.
    """
    if request.folds is not None and (request.val is not None or request.test is not None):
        raise UsageError("with --folds, test and val are a fold each in turn; leave --val and --test out")
    manifest = read_dataset(request.data, request.format, request.reading)
    if request.group_by is not None:
        manifest = group_by(manifest, request.group_by)
    if request.good is not None:
        resolve_task(manifest.classes, request.good)
    given = Counter(sample.split for sample in manifest.samples if sample.split)
    if request.keep_test and not given["test"]:
        raise UsageError(f"{request.data} names no test set to keep; leave --keep-test out")
    reading = None if progress is None else lambda done, total: progress("reading", done, total)
    found = scan(manifest, skip_unreadable=request.skip_unreadable, progress=reading)
    unreadable = len(found.unreadable)
    found = link_parts(found, groups=request.groups, find_copies=request.find_copies, progress=progress)
    found, left_out = _without_test_parts(found, request, progress) if request.keep_test else (found, 0)
    fresh = without_split(found.manifest, keep_test=request.keep_test)
    if request.folds is not None:
        division = fold_manifest(fresh, request.folds, seed=request.seed)
    else:
        val = VAL if request.val is None else request.val
        test = TEST if request.test is None else request.test
        division = split_manifest(fresh, val=val, test=test, seed=request.seed)
    notes = [*manifest.notes]
    if unreadable:
        notes.append(f"went on without {unreadable} unreadable photos")
    if (given["val"] or given["test"]) and not request.keep_test:
        counts = ", ".join(f"{split} {given[split]:,}" for split in SPLITS if given[split])
        notes.append(f"the split that came with the data ({counts} photos) plays no part")
    if left_out:
        notes.append(f"left out {left_out:,} photos outside the test set that show a part of it")
    return Split(division, left_out, tuple(notes))


def _without_test_parts(found: Scan, request: SplitRequest, progress: Progress | None) -> tuple[Scan, int]:
    """Leave out the photos that show a part of the test set without being in it."""
    before = len(found.manifest)
    while True:
        numbers = linked_groups(found.manifest)
        is_test = [sample.split == "test" for sample in found.manifest.samples]
        tested = {number for number, inside in zip(numbers, is_test, strict=True) if inside}
        kept = [inside or number not in tested for number, inside in zip(numbers, is_test, strict=True)]
        if all(kept):
            return found, before - len(kept)
        found = found.keep(kept)
        left = {sample.label for sample in found.manifest.samples if sample.split != "test"}
        lost = [name for name in found.manifest.classes if name not in left]
        if lost:
            raise DataError(
                f"--keep-test leaves no photo of class '{lost[0]}' to train on: every one of them shows a part that is "
                "also in the test set; leave --keep-test out, and all photos are split anew"
            )
        # Fewer photos are compared more closely, so that another look may join what the first one did not.
        found = link_parts(found, find_copies=request.find_copies, progress=progress)


def check_table(table: Path, *, force: bool = False) -> None:
    """See that a split table could be written, leaving no trace.

    Args:
        table: the CSV file.
        force: replace a split table that is there.

    Raises:
        UsageError: it is no CSV file, is in the way, or cannot be written.
    """
    if table.suffix.lower() != ".csv":
        raise UsageError(f"found --out {table}, expected a CSV file; give a name that ends in .csv")
    if table.is_dir():
        raise UsageError(f"{table} is a folder, expected a CSV file to write; give another name")
    if table.exists() and not force:
        raise UsageError(f"{table} exists; give another name, or --force to replace it")
    if table.exists() and not _is_split(table):
        raise UsageError(f"{table} is no table path,label,split,group, so --force does not replace it")
    check_writable(table.parent)


def _is_split(table: Path) -> bool:
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            return set(next(csv.reader(stream), [])) >= TABLE_COLUMNS
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
