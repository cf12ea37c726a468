"""From a folder of photos to what a training needs: task, geometry, split and reduced pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np

from gonogo.data.cache import reduced_pixels
from gonogo.data.formats import MixedRule, ReadOptions, TaskName
from gonogo.data.geometry import Colour, Geometry
from gonogo.data.good_alone import DEFECT, check_parts
from gonogo.data.manifest import Manifest
from gonogo.data.scan import Scan, scan
from gonogo.data.split import Division, linked_groups, share_out, split_manifest, with_splits, without_split
from gonogo.data.task import Task
from gonogo.errors import DataError, UsageError
from gonogo.splitting import TEST, VAL, Progress, describe_leaks, leaky_shares, link_parts, refuse_leaks
from gonogo.train.listing import Listed, list_photos
from gonogo.train.loader import statistics
from gonogo.types import Int64Array, Rate, UInt8Array

# The shorter side of the network's input unless --reduce says otherwise: small, and enough for most parts.
SHORT_SIDE = 100


@dataclass(frozen=True)
class DataOptions:
    """What may be said about the data; None is read off the photos.

    Attributes:
        good: name of the good class, "none" for sorting.
        crop: x, y, width, height in camera pixels.
        reduce: whole number.
        colour: "grey" or "rgb".
        bit_depth: of photos of more than 8 bits.
        val: share of the photos that are not test.
        test: share of all photos, where the data name no test set.
        skip_unreadable: go on without photos that cannot be decoded.
        format: name of the data set's format.
        task: "binary" for good and defect, "class" for the kinds.
        mixed: what a photo with boxes of several classes is.
        group_by: how file names tell the part: a number of photos a part, or a regular expression with brackets.
        groups: a CSV file path,group that tells the parts.
        find_copies: search the photos for copies of one another and keep them together.
        photos: the folder that a table's paths are below, where it is not the table's own.
        resplit: make a new split, whatever the data came with.
        allow_leaks: keep a split that leaks, and mark every figure.
        size: width and height of the network's input; the shorter side alone, and the other follows, where there is no
            height.
    """

    good: str | None = None
    crop: tuple[int, int, int, int] | None = None
    reduce: int | None = None
    colour: Colour | None = None
    bit_depth: int = 8
    val: float = VAL
    test: float = TEST
    skip_unreadable: bool = False
    format: str | None = None
    task: TaskName | None = None
    mixed: MixedRule = "refuse"
    group_by: str | None = None
    groups: str | None = None
    find_copies: bool = True
    photos: str | None = None
    resplit: bool = False
    allow_leaks: bool = False
    size: tuple[int, ...] | None = None

    @property
    def fixes_size(self) -> bool:
        """Whether the size of the network's input is given."""
        return self.size is not None or self.reduce is not None

    @property
    def reading(self) -> ReadOptions:
        """What concerns the reading of tables and labels."""
        return ReadOptions(self.task, self.mixed, photos=None if self.photos is None else Path(self.photos))


@dataclass(frozen=True)
class Prepared:
    """A data set that is ready to train on.

    Attributes:
        manifest: scanned and split.
        task: the question.
        geometry: with the mean and std of the training photos.
        pixels: (N, h, w, stored_channels) uint8, in the manifest's order.
        notes: what the user should know.
        leaky: for test and val, the share of photos whose part also stands in another split; empty if none does.
        good_alone: no photo outside the test set shows a defect.
        shares: (N,) photos that are always on one side, as those of a fold are: what a frozen body sees in them is
            computed and remembered share by share; None where they are all one.
    """

    manifest: Manifest
    task: Task
    geometry: Geometry
    pixels: UInt8Array
    notes: tuple[str, ...]
    leaky: dict[str, Rate]
    good_alone: bool = False
    shares: Int64Array | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Name the file of pixels that are mapped from one, so that another process maps it too and copies nothing."""
        pixels: Any = self.pixels
        # A part of a mapped file has the file's name too, but another base.
        mapped = isinstance(pixels, np.memmap) and isinstance(pixels.base, mmap)
        return self.__dict__ | ({"pixels": Path(pixels.filename)} if mapped else {})

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map pixels of which the file is named."""
        pixels = state["pixels"]
        if isinstance(pixels, Path):
            state = state | {"pixels": np.load(pixels, mmap_mode="r", allow_pickle=False)}
        self.__dict__.update(state)

    @property
    def parts(self) -> Int64Array:
        """(N,) part numbers; photos of which nobody and nothing tells the part are one each."""
        return np.array(linked_groups(self.manifest), dtype=np.int64)

    def rows(self, split: str) -> Int64Array:
        """Return (M,) the places of a split's photos in `manifest` and `pixels`."""
        return np.array([i for i, s in enumerate(self.manifest.samples) if s.split == split], dtype=np.int64)


def prepare(
    data: Path,
    options: DataOptions,
    *,
    listed: Listed | None = None,
    default_colour: Colour | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Prepared:
    """Read, scan, split and reduce.

    Args:
        data: a folder or a manifest file.
        options: what the user said.
        listed: its photos, where they were listed already.
        default_colour: what the architecture was made for, used unless the options say otherwise.
        seed: of the split.
        progress: called with what is done, how much of it, and of how much.

    Raises:
        DataError: the photos cannot be used as they are, or the split they came with leaks.
        UsageError: the options do not fit the photos.
        MissingExtraError: a library that the search for copies needs is not installed.
    """
    read = read_photos(data, options, listed=listed, default_colour=default_colour, progress=progress)
    is_alone = listed is not None and listed.good_alone
    if is_alone:
        check_parts(read.linked)
    division, leaky = _split(read, data, options, seed, may_lack=(DEFECT,) if is_alone else ())
    return replace(_reduced(read, division, leaky, progress), good_alone=is_alone)


@dataclass(frozen=True)
class Photos:
    """A data set that was read, its parts found and its geometry chosen, but not split.

    Attributes:
        scanned: the photos.
        named: them, those of one part joined where it is named.
        linked: them, those of one part joined.
        task: the question.
        geometry: without mean and std.
    """

    scanned: Scan
    named: Manifest
    linked: Manifest
    task: Task
    geometry: Geometry


def read_photos(
    data: Path,
    options: DataOptions,
    *,
    listed: Listed | None = None,
    default_colour: Colour | None = None,
    progress: Progress | None = None,
) -> Photos:
    """Read, scan, find parts and choose the geometry; arguments and errors as for `prepare`."""
    if options.resplit and options.allow_leaks:
        raise UsageError("--resplit makes a new split and --allow-leaks keeps the one given; leave one of them out")
    listed = listed or list_photos(data, options)
    scanned = scan(listed.manifest, skip_unreadable=options.skip_unreadable, progress=_named(progress, "reading"))
    geometry = choose_geometry(scanned, options, default_colour)
    named = link_parts(scanned, groups=None if options.groups is None else Path(options.groups), find_copies=False)
    linked = link_parts(named, find_copies=options.find_copies, progress=progress)
    return Photos(scanned, named.manifest, linked.manifest, listed.task, geometry)


def prepare_folds(
    data: Path,
    options: DataOptions,
    folds: int,
    seeds: Sequence[int],
    *,
    default_colour: Colour | None = None,
    progress: Progress | None = None,
) -> tuple[Prepared, Int64Array]:
    """Read, scan, share out whole parts and reduce; arguments and errors as for `prepare`, and more.

    Args:
        data: a folder or a manifest file.
        options: what the user said.
        folds: 2 or more.
        seeds: one for each round.
        default_colour: what the architectures were made for.
        progress: called with what is done, how much of it, and of how much.

    Returns:
        The photos without those of the test set that the data came with, which stays untouched unless the options make
        a new split, all of them "train"; and (R, N) the fold of each photo in each round.

    Raises:
        DataError: a class has fewer parts than there are folds.
    """
    read = read_photos(data, options, default_colour=default_colour, progress=progress)
    tested = [sample.split == "test" and not options.resplit for sample in read.linked.samples]
    manifest = read.linked.keep([not test for test in tested])
    manifest = with_splits(manifest, ["train"] * len(manifest))
    divisions = [share_out(manifest, folds, seed=seed) for seed in seeds]
    rounds = np.array([division.folds for division in divisions], dtype=np.int64)
    prepared = _reduced(read, replace(divisions[0], manifest=manifest), {}, progress)
    if any(tested):
        note = f"the {sum(tested):,} photos of the test set play no part; --resplit takes them too"
        prepared = replace(prepared, notes=(*prepared.notes, note))
    return prepared, rounds


def reduce_photos(read: Photos, manifest: Manifest, progress: Progress | None = None) -> Prepared:
    """Reduce photos as their geometry says; those of the manifest, whose train split gives mean and std."""
    return _reduced(read, Division(manifest, None, ()), {}, progress)


def _reduced(read: Photos, division: Division, leaky: dict[str, Rate], progress: Progress | None) -> Prepared:
    manifest = division.manifest
    pixels = reduced_pixels(manifest, read.geometry, progress=_named(progress, "reducing"))
    notes = _notes(read.scanned, division, read.task, read.geometry)
    prepared = Prepared(manifest, read.task, read.geometry, pixels, notes, leaky)
    return replace(prepared, geometry=statistics(pixels, prepared.rows("train"), read.geometry))


def _split(
    read: Photos, data: Path, options: DataOptions, seed: int, *, may_lack: Sequence[str]
) -> tuple[Division, dict[str, Rate]]:
    """Complete the split that the data came with, or make one; return it with the shares that leak.

    Args:
        read: the photos.
        data: how messages call them.
        options: what the user said.
        seed: of the split.
        may_lack: classes that need not stand in every split.
    """
    linked = read.linked
    if options.resplit:
        linked = without_split(linked)
    elif not options.allow_leaks:
        refuse_leaks(linked, data)
    # Whoever published a split that leaks took the photos for validation in the same way, without a look at copies;
    # whole parts kept out of training would make the figures those of another split.
    groups = linked_groups(read.named) if describe_leaks(linked) else None
    division = split_manifest(linked, val=options.val, test=options.test, seed=seed, groups=groups, may_lack=may_lack)
    return division, leaky_shares(division.manifest)


def _named(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(name, done, total)


def choose_geometry(scanned: Scan, options: DataOptions, default_colour: Colour | None = None) -> Geometry:
    """Choose the geometry from the options and, where they are silent, from the photos.

    Raises:
        DataError: photos of several sizes and no crop, or of more than 8 bits and no bit depth.
        UsageError: a crop or reduction that does not fit.
    """
    deep = [(s, f) for s, f in zip(scanned.manifest.samples, scanned.facts, strict=True) if f.peak]
    if deep and options.bit_depth <= 8:
        peak = max(fact.peak for _, fact in deep)
        raise DataError(
            f"{len(deep)} photos have more than 8 bits a pixel (such as {deep[0][0].path}; largest value {peak}); "
            f"give the camera's: --bit-depth {max(peak.bit_length(), 9)} holds these values, 16 is the full range"
        )
    width, height = _common_size(scanned.sizes, options.crop)
    colour = options.colour or default_colour or ("grey" if scanned.channels == 1 else "rgb")
    region = options.crop[2:] if options.crop else (width or 0, height or 0)
    size = input_size(options.size, region)
    reduce = options.reduce if options.reduce is not None else reduction(region, size)
    n = 3 if colour == "rgb" else 1
    return Geometry(
        height=height,
        width=width,
        channels=scanned.channels,
        crop=options.crop,
        reduce=reduce,
        colour=colour,
        mean=(127.5,) * n,
        std=(64.0,) * n,
        bit_depth=options.bit_depth,
        size=size,
    )


def input_size(asked: tuple[int, ...] | None, region: tuple[int, int]) -> tuple[int, int] | None:
    """Return height and width of the network's input from what was asked; None for what the reduction leaves."""
    if asked is None:
        return None
    width, height = region
    if len(asked) > 1:
        return asked[1], asked[0]
    short = asked[0]
    return (round(short * height / width), short) if width <= height else (short, round(short * width / height))


def reduction(region: tuple[int, int], size: tuple[int, int] | None) -> int:
    """Return the largest whole reduction that leaves as many pixels as the network's input has."""
    width, height = region
    if size is None:
        return max(1, min(region) // SHORT_SIDE)
    return max(1, min(height // size[0], width // size[1]))


def _common_size(
    sizes: Counter[tuple[int, int]], crop: tuple[int, int, int, int] | None
) -> tuple[int | None, int | None]:
    if len(sizes) == 1:
        return next(iter(sizes))
    if crop is not None:
        return None, None
    shown = ", ".join(f"{count} of {w}x{h}" for (w, h), count in sizes.most_common(3))
    common = f"{min(w for w, _ in sizes)}x{min(h for _, h in sizes)}"
    raise DataError(
        f"the photos have {len(sizes)} sizes ({shown}{', ...' if len(sizes) > 3 else ''}); expected one: "
        f"give a part that all of them hold, such as --crop {common}+0+0"
    )


def _notes(scanned: Scan, division: Division, task: Task, geometry: Geometry) -> tuple[str, ...]:
    manifest = division.manifest
    notes = list(manifest.notes)
    if task.is_sorting:
        notes.append(
            f"no class of {len(task.classes)} reads as good: this sorts them; accuracy and per-class rates take the "
            "place of escape and overkill"
        )
    if scanned.unreadable:
        names = ", ".join(path for path, _ in scanned.unreadable[:5])
        notes.append(f"went on without {len(scanned.unreadable)} unreadable photos: {names}")
    if geometry.discarded > 0:
        notes.append(f"{geometry.discarded:.1%} of each photo's pixels are left out (crop, or blocks at the border)")
    parts = len(set(linked_groups(manifest)))
    if manifest.has_groups:
        notes.append(f"{len(manifest):,} photos show {parts:,} different parts or pictures")
    leaks = describe_leaks(manifest)
    if leaks:
        notes.append(f"leak: {leaks}; every figure of this run is too good, and marked as leaky")
    if division.unbalanced:
        more = len(division.unbalanced) - 1
        others = f"; {more} more, which gonogo split lists" if more else ""
        notes.append(f"not balanced: {division.unbalanced[0].in_words()}{others}")
    return tuple(notes)
