"""Whatever the parts and copies: no part and no bytes on two sides, and every class on each."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from gonogo.data.manifest import Manifest
from gonogo.data.split import linked_groups, shared_content, split_manifest
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


@settings(max_examples=120, deadline=None)
@given(manifests(), st.integers(0, 2**31))
def test_splits_share_no_part_and_no_bytes_and_hold_every_class(manifest: Manifest, seed: int):
    found = split_manifest(manifest, seed=seed)
    assert [(s.path, s.label) for s in found.samples] == [(s.path, s.label) for s in manifest.samples]
    for key in ("group", "sha256"):
        assert all(len(where) == 1 for where in sides(found, key).values())
    for split in SPLITS:
        assert min(found.select(split).counts().values()) > 0
        assert shared_content(found, split) == 0


@settings(max_examples=40, deadline=None)
@given(manifests(), st.integers(0, 2**31))
def test_the_seed_alone_decides(manifest: Manifest, seed: int):
    assert split_manifest(manifest, seed=seed) == split_manifest(manifest, seed=seed)


def test_another_seed_is_another_split():
    manifest = make_manifest([(f"c{n % 2}", "", f"p{n}", f"b{n}") for n in range(60)])
    assert len({split_manifest(manifest, seed=seed).fingerprint for seed in range(8)}) == 8


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("pqrst"), st.integers(0, 12)), min_size=1, max_size=40)
)
def test_a_split_is_whole_or_refused_however_small_the_set(rows: list[tuple[str, str, int]]):
    manifest = make_manifest([(label, "", group, f"bytes {digest}") for label, group, digest in rows])
    try:
        found = split_manifest(manifest)
    except DataError as error:
        assert "would hold no photo of class" in str(error)
        return
    assert all(len(where) == 1 for where in (*sides(found, "group").values(), *sides(found, "sha256").values()))
    for split in SPLITS:
        assert min(found.select(split).counts().values()) > 0


@settings(max_examples=80, deadline=None)
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
