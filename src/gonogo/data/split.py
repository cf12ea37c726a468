"""Divide a data set into train, val and test: groups stay together, classes stay balanced, a given test is kept."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gonogo.data.balance import Unbalanced, divide, find_unbalanced
from gonogo.data.manifest import Manifest
from gonogo.errors import DataError, UsageError
from gonogo.types import SPLITS, BoolArray, Int64Array

LEAST_FOLDS = 3


def link(keys: Sequence[Iterable[str]]) -> list[int]:
    """Number what hangs together: two samples that share a key, and all that are joined to either.

    Args:
        keys: (N,) the keys of each sample.

    Returns:
        (N,) for each sample the place of the one that stands for its group.
    """
    parent = list(range(len(keys)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[str, int] = {}
    for index, own in enumerate(keys):
        for key in own:
            parent[root(index)] = root(first.setdefault(key, index))
    return [root(index) for index in range(len(keys))]


def linked_groups(manifest: Manifest) -> list[int]:
    """Number the groups that must stay together: photos of one part, and photos with the same bytes.

    Returns:
        (N,) group number of each sample.
    """
    named = zip(manifest.samples, manifest.groups, strict=True)
    return link([(f"group {group}", f"bytes {sample.sha256 or sample.path}") for sample, group in named])


@dataclass(frozen=True)
class _Groups:
    """Groups in the order that a seed gives them, whatever the order of the samples.

    Attributes:
        members: the places of each group's samples.
        counts: (G, K) photos of each class in each group.
    """

    members: tuple[tuple[int, ...], ...]
    counts: Int64Array

    @classmethod
    def of(cls, manifest: Manifest, numbers: Sequence[int], places: Iterable[int], seed: int) -> _Groups:
        found: dict[int, list[int]] = defaultdict(list)
        for place in places:
            found[numbers[place]].append(place)

        def key(group: list[int]) -> str:
            content = min(manifest.samples[place].sha256 or manifest.samples[place].path for place in group)
            return hashlib.blake2b(f"{seed} {content}".encode(), digest_size=16).hexdigest()

        members = tuple(tuple(group) for group in sorted(found.values(), key=key))
        classes = len(manifest.classes)
        counts = [np.bincount(manifest.labels[list(group)], minlength=classes) for group in members]
        return cls(members, np.array(counts, dtype=np.int64).reshape(len(members), classes))


@dataclass(frozen=True)
class Division:
    """A data set whose samples all have a split.

    Attributes:
        manifest: the samples.
        folds: (N,) the fold of each sample, -1 for a test set that was kept; None where no folds were asked for.
        unbalanced: the shares that whole groups did not allow.
    """

    manifest: Manifest
    folds: tuple[int, ...] | None
    unbalanced: tuple[Unbalanced, ...]


def split_manifest(
    manifest: Manifest,
    *,
    val: float = 0.2,
    test: float = 0.2,
    seed: int = 0,
    groups: Sequence[int] | None = None,
    may_lack: Sequence[str] = (),
) -> Division:
    """Give every sample a split.

    A test set that the data came with is kept as it is; so is a validation set. What is missing is taken from the
    rest. Where the data name no test set, one is made.

    Args:
        manifest: samples with a split, without one, or with train only.
        val: share of the photos that are not test, 0 to 1.
        test: share of all photos, used only where the data came without a test set; 0 to make none.
        seed: which groups go where; the order of the samples plays no part.
        groups: (N,) number of what stays together; photos of one part and of the same bytes unless given.
        may_lack: classes that need not stand in every split.

    Raises:
        UsageError: shares outside 0 to 1.
        DataError: some samples have a split and some have none, or a class cannot stand in every split.
    """
    if not (0 < val < 1 and 0 <= test < 1):
        raise UsageError(f"found shares val {val} and test {test}, expected numbers between 0 and 1")
    present = {sample.split for sample in manifest.samples}
    if "" in present and len(present) > 1:
        raise DataError("some photos have a split and some have none; fill in the column, or empty it for all")
    shares = {} if "test" in present or not test else {"test": test}
    if "val" not in present:
        shares["val"] = val * (1 - sum(shares.values()))
    numbers = linked_groups(manifest) if groups is None else groups
    splits = [sample.split or "train" for sample in manifest.samples]
    unbalanced: tuple[Unbalanced, ...] = ()
    if shares:
        shares["train"] = 1 - sum(shares.values())
        names, wanted = list(shares), list(shares.values())
        places = [place for place, split in enumerate(splits) if split == "train"]
        found = _Groups.of(manifest, numbers, places, seed)
        side = divide(found.counts, wanted)
        for group, number in zip(found.members, side.tolist(), strict=True):
            for place in group:
                splits[place] = names[number]
        unbalanced = find_unbalanced(found.counts, side, wanted, names, manifest.classes)
    result = with_splits(manifest, splits)
    _check(result, numbers, may_lack, SPLITS if "test" in present or test else ("train", "val"))
    return Division(result, None, unbalanced)


def fold_manifest(manifest: Manifest, folds: int, *, seed: int = 0) -> Division:
    """Give every sample a fold, and the split of the first turn: fold 0 is test, fold 1 is val, the others are train.

    A test set that the data came with is kept and has no fold; then fold 0 is val, and the others are train.

    Args:
        manifest: samples without a split, or with a test set among them.
        folds: 3 or more; 2 or more beside a test set.
        seed: which groups go where; the order of the samples plays no part.

    Raises:
        UsageError: too few folds.
        DataError: a class has fewer parts than there are folds, or none in the test set.
    """
    kept = [sample.split == "test" for sample in manifest.samples]
    least = LEAST_FOLDS - any(kept)
    if folds < least:
        raise UsageError(f"found --folds {folds}, expected {least} or more: one each for test, val and train in turn")
    division = share_out(manifest, folds, seed=seed)
    assert division.folds is not None
    turns = ("val",) if any(kept) else ("test", "val")
    splits = ["test" if fold < 0 else turns[fold] if fold < len(turns) else "train" for fold in division.folds]
    result = with_splits(manifest, splits)
    _check(result, linked_groups(manifest))
    return replace(division, manifest=result)


def share_out(manifest: Manifest, folds: int, *, seed: int = 0) -> Division:
    """Give every sample a fold and leave its split as it is; test photos have none.

    Args:
        manifest: the samples.
        folds: 2 or more.
        seed: which groups go where; the order of the samples plays no part.

    Raises:
        DataError: a class has fewer parts than there are folds.
    """
    places = [place for place, sample in enumerate(manifest.samples) if sample.split != "test"]
    found = _Groups.of(manifest, linked_groups(manifest), places, seed)
    parts = (found.counts > 0).sum(axis=0)
    few = int(np.argmin(parts))
    if parts[few] < folds:
        raise DataError(
            f"class '{manifest.classes[few]}' has {_count(int(parts[few]))} to share out, expected at least one for "
            f"each of {folds} folds: photograph more different parts, or give fewer --folds"
        )
    wanted = [1 / folds] * folds
    side = divide(found.counts, wanted)
    fold_of = [-1] * len(manifest)
    for group, number in zip(found.members, side.tolist(), strict=True):
        for place in group:
            fold_of[place] = number
    names = [f"fold {number}" for number in range(folds)]
    return Division(manifest, tuple(fold_of), find_unbalanced(found.counts, side, wanted, names, manifest.classes))


def with_splits(manifest: Manifest, splits: Sequence[str]) -> Manifest:
    """Return the samples with these splits, (N,) names."""
    samples = tuple(replace(s, split=split) for s, split in zip(manifest.samples, splits, strict=True))
    return replace(manifest, samples=samples)


def without_split(manifest: Manifest, *, keep_test: bool = False) -> Manifest:
    """Return the samples with their split forgotten; beside a test set that is kept, all others are train."""
    if keep_test and any(sample.split == "test" for sample in manifest.samples):
        return with_splits(manifest, [s.split if s.split == "test" else "train" for s in manifest.samples])
    return with_splits(manifest, [""] * len(manifest))


def _check(
    manifest: Manifest, numbers: Sequence[int], may_lack: Sequence[str] = (), splits: Sequence[str] = SPLITS
) -> None:
    """Refuse a split in which a class is missing."""
    for split in splits:
        counts = manifest.select(split).counts()
        missing = [name for name, count in counts.items() if count == 0 and name not in may_lack]
        if missing:
            own = [n for n, s in zip(numbers, manifest.samples, strict=True) if s.label == missing[0]]
            parts = len(set(own))
            each = " and ".join((", ".join(splits[:-1]), splits[-1]))
            advice = (
                f"expected at least {len(splits)}, one each for {each}: photograph more different parts"
                if parts < len(splits)
                else f"expected every class in {each}: add photos, or give the splits yourself"
            )
            raise DataError(
                f"{split} would hold no photo of class '{missing[0]}': its {len(own)} "
                f"{'photo shows' if len(own) == 1 else 'photos show'} {_count(parts)}, {advice}"
            )


def _count(parts: int) -> str:
    return f"{parts} distinct {'part' if parts == 1 else 'parts'}"


def part_counts(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Return for each split and class how many different parts there are of it."""
    shown: dict[tuple[str, str], set[int]] = defaultdict(set)
    for number, sample in zip(linked_groups(manifest), manifest.samples, strict=True):
        shown[sample.split, sample.label].add(number)
    return {split: {name: len(shown[split, name]) for name in manifest.classes} for split in SPLITS}


def leaked_photos(manifest: Manifest) -> BoolArray:
    """Return (N,) the photos whose part, or whose very bytes, also stand in another split; none without a split."""
    sides: dict[int, set[str]] = defaultdict(set)
    numbers = linked_groups(manifest)
    for number, sample in zip(numbers, manifest.samples, strict=True):
        sides[number].add(sample.split)
    return np.array(
        [bool(s.split) and len(sides[n] - {""}) > 1 for n, s in zip(numbers, manifest.samples, strict=True)],
        dtype=np.bool_,
    )


def shared_content(manifest: Manifest, split: str = "test") -> int:
    """Count the photos of a split whose very bytes, or whose part, also stand in another split."""
    return sum(s.split == split for s, leaked in zip(manifest.samples, leaked_photos(manifest), strict=True) if leaked)
