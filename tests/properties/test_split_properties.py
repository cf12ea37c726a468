"""Whatever the parts and copies: no part and no bytes on two sides, and every class on each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from gonogo.data.groups import join_groups
from gonogo.data.manifest import Manifest
from gonogo.data.split import fold_manifest, leaked_photos, linked_groups, shared_content, split_manifest, without_split
from gonogo.errors import DataError
from tests.helpers import make_manifest

SPLITS = ("train", "val", "test")


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """Draw two to four classes of 6 to 14 parts of 1 to 3 photos, some of them byte for byte the same."""
    rows = []
    for k in range(draw(st.integers(2, 4))):
        for part in range(draw(st.integers(6, 14))):
            for photo in range(draw(st.integers(1, 3))):
                group = f"{k}/{part}" if draw(st.booleans()) else ""
                rows.append((f"class {k}", "", group, f"{k}-{part}-{photo if draw(st.booleans()) else 0}"))
    order = draw(st.permutations(range(len(rows))))
    return make_manifest([rows[place] for place in order])


def sides(manifest: Manifest, key: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for sample in manifest.samples:
        if getattr(sample, key):
            found[getattr(sample, key)].add(sample.split)
    return found


@settings(max_examples=20, deadline=None)
@given(manifests(), st.integers(0, 2**31))
def test_splits_share_no_part_and_no_bytes_and_hold_every_class(manifest: Manifest, seed: int):
    found = split_manifest(manifest, seed=seed).manifest
    assert [(s.path, s.label) for s in found.samples] == [(s.path, s.label) for s in manifest.samples]
    for key in ("group", "sha256"):
        assert all(len(where) == 1 for where in sides(found, key).values())
    for split in SPLITS:
        assert min(found.select(split).counts().values()) > 0
        assert shared_content(found, split) == 0


@settings(max_examples=10, deadline=None)
@given(manifests(), st.integers(0, 2**31))
def test_the_seed_alone_decides(manifest: Manifest, seed: int):
    assert split_manifest(manifest, seed=seed) == split_manifest(manifest, seed=seed)


@settings(max_examples=10, deadline=None)
@given(manifests(), st.integers(0, 2**31), st.randoms(use_true_random=False))
def test_the_order_of_the_samples_plays_no_part(manifest: Manifest, seed: int, random: Random):
    shuffled = list(manifest.samples)
    random.shuffle(shuffled)
    first = split_manifest(manifest, seed=seed).manifest
    second = split_manifest(replace(manifest, samples=tuple(shuffled)), seed=seed).manifest
    assert {s.path: s.split for s in first.samples} == {s.path: s.split for s in second.samples}


@settings(max_examples=30, deadline=None)
@given(manifests(), st.integers(3, 6), st.integers(0, 2**31))
def test_folds_share_no_part_and_no_bytes_and_hold_every_class(manifest: Manifest, folds: int, seed: int):
    try:
        division = fold_manifest(manifest, folds, seed=seed)
    except DataError as error:
        assert f"each of {folds} folds" in str(error)
        return
    assert division.folds is not None
    marked = replace(
        manifest,
        samples=tuple(replace(s, source=str(f)) for s, f in zip(manifest.samples, division.folds, strict=True)),
    )
    for key in ("group", "sha256"):
        where: dict[str, set[str]] = defaultdict(set)
        for sample in marked.samples:
            if getattr(sample, key):
                where[getattr(sample, key)].add(sample.source)
        assert all(len(found) == 1 for found in where.values())
    for fold in range(folds):
        assert min(manifest.keep(own == fold for own in division.folds).counts().values()) > 0
    assert not leaked_photos(division.manifest).any()


@settings(max_examples=30, deadline=None)
@given(st.data(), manifests(), st.integers(0, 2**31))
def test_no_link_of_any_kind_crosses_the_sides_of_a_split(data: st.DataObject, manifest: Manifest, seed: int):
    """A name, equal bytes, a file of names, what a search found: whatever joins photos keeps them together."""
    n = len(manifest)
    numbers = data.draw(st.lists(st.integers(0, 3 * n), min_size=n, max_size=n))
    names = data.draw(st.lists(st.sampled_from(["", *(f"file {k}" for k in range(n))]), min_size=n, max_size=n))
    try:
        found = split_manifest(without_split(join_groups(manifest, names=names, numbers=numbers)), seed=seed).manifest
    except DataError as error:
        assert "would hold no photo of class" in str(error)
        return
    where: dict[str, set[str]] = defaultdict(set)
    for before, after, name, number in zip(manifest.samples, found.samples, names, numbers, strict=True):
        for key in (
            f"group {before.group or before.path}",
            f"name {name or before.path}",
            f"found {number}",
            before.sha256,
            f"joined {after.group or after.path}",
        ):
            where[key].add(after.split)
    assert all(len(splits) == 1 for splits in where.values())
    assert not leaked_photos(found).any()


def test_another_seed_is_another_split():
    manifest = make_manifest([(f"c{n % 2}", "", f"p{n}", f"b{n}") for n in range(60)])
    assert len({split_manifest(manifest, seed=seed).manifest.fingerprint for seed in range(8)}) == 8


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("pqrst"), st.integers(0, 12)), min_size=1, max_size=40)
)
def test_a_split_is_whole_or_refused_however_small_the_set(rows: list[tuple[str, str, int]]):
    manifest = make_manifest([(label, "", group, f"bytes {digest}") for label, group, digest in rows])
    try:
        found = split_manifest(manifest).manifest
    except DataError as error:
        assert "would hold no photo of class" in str(error)
        return
    assert all(len(where) == 1 for where in (*sides(found, "group").values(), *sides(found, "sha256").values()))
    for split in SPLITS:
        assert min(found.select(split).counts().values()) > 0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["", *"pqrstu"]), st.integers(0, 15)), min_size=1, max_size=30))
def test_linked_groups_are_the_connected_ones(rows: list[tuple[str, int]]):
    manifest = make_manifest([("ok", "", group, f"b{digest}") for group, digest in rows])
    found = linked_groups(manifest)
    reach = [{n} for n in range(len(rows))]
    for _ in rows:
        for i, (group, digest) in enumerate(rows):
            for j, (other, same) in enumerate(rows):
                if (group and group == other) or digest == same:
                    reach[i] |= reach[j]
    assert all((found[i] == found[j]) == (j in reach[i]) for i in range(len(rows)) for j in range(len(rows)))
