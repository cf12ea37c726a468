"""Divide a data set into train, val and test: groups stay together, classes stay balanced, a given test is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from gonogo.data.manifest import Manifest
from gonogo.errors import DataError, UsageError
from gonogo.types import SPLITS


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


def split_manifest(manifest: Manifest, *, val: float = 0.2, test: float = 0.2, seed: int = 0) -> Manifest:
    """Give every sample a split.

    A test set that the data came with is kept as it is; so is a validation set. What is missing is taken from the
    rest. Where the data name no test set, one is made.

    Args:
        manifest: samples with a split, without one, or with train only.
        val: share of the photos that are not test, 0 to 1.
        test: share of all photos, used only where the data came without a test set.
        seed: which groups go where.

    Raises:
        UsageError: shares outside 0 to 1.
        DataError: some samples have a split and some have none, or a class cannot stand in every split.
    """
    if not (0 < val < 1 and 0 < test < 1):
        raise UsageError(f"found shares val {val} and test {test}, expected numbers between 0 and 1")
    present = {sample.split for sample in manifest.samples}
    if "" in present and len(present) > 1:
        raise DataError("some photos have a split and some have none; fill in the column, or empty it for all")
    splits = [sample.split or "train" for sample in manifest.samples]
    if "test" not in present:
        _take(manifest, splits, "test", test, seed)
    if "val" not in present:
        _take(manifest, splits, "val", val, seed + 1)
    result = replace(
        manifest,
        samples=tuple(replace(s, split=split) for s, split in zip(manifest.samples, splits, strict=True)),
    )
    _check(result)
    return result


def _take(manifest: Manifest, splits: list[str], name: str, share: float, seed: int) -> None:
    """Move whole groups from train to `name` until each class has about its share there."""
    numbers = linked_groups(manifest)
    members: dict[int, list[int]] = defaultdict(list)
    for index, number in enumerate(numbers):
        if splits[index] == "train":
            members[number].append(index)
    groups = list(members.values())
    np.random.default_rng(seed).shuffle(groups)
    counts = np.array([np.bincount(manifest.labels[group], minlength=len(manifest.classes)) for group in groups])
    totals = counts.sum(axis=0)
    # Groups of rare classes are placed first, then large ones: the rest can even out what they leave.
    rarity = np.where(counts > 0, 1 / np.maximum(totals, 1), 0).max(axis=1)
    order = np.lexsort((-counts.sum(axis=1), -rarity))
    wanted = totals * share
    taken = np.zeros_like(wanted)
    for index in order:
        scale = np.maximum(wanted, 1e-9)
        before = np.square((wanted - taken) / scale).sum()
        after = np.square((wanted - taken - counts[index]) / scale).sum()
        if after < before:
            taken = taken + counts[index]
            for sample in groups[index]:
                splits[sample] = name
    # A class too rare for its share still gives one group, as long as another stays behind.
    for label in np.flatnonzero((taken == 0) & (totals > 0)):
        left = [i for i in order if counts[i][label] and splits[groups[i][0]] == "train"]
        if len(left) > 1:
            for sample in groups[left[-1]]:
                splits[sample] = name


def _check(manifest: Manifest) -> None:
    groups = linked_groups(manifest)
    for split in SPLITS:
        counts = manifest.select(split).counts()
        missing = [name for name, count in counts.items() if count == 0]
        if missing:
            total = len({g for g, s in zip(groups, manifest.samples, strict=True) if s.label == missing[0]})
            raise DataError(
                f"{split} would hold no photo of class '{missing[0]}' ({total} distinct "
                f"{'part' if total == 1 else 'parts'} of it in all); "
                "expected every class in train, val and test: add photos, or give the splits yourself"
            )


def shared_content(manifest: Manifest, split: str = "test") -> int:
    """Count the photos of a split whose very bytes, or whose part, also stand in another split."""
    sides: dict[int, set[str]] = defaultdict(set)
    groups = linked_groups(manifest)
    for group, sample in zip(groups, manifest.samples, strict=True):
        sides[group].add(sample.split)
    return sum(s.split == split and len(sides[g]) > 1 for g, s in zip(groups, manifest.samples, strict=True))
