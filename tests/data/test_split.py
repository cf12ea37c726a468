"""Splits: groups stay together, what the data came with is kept, and what cannot be done is said."""

from __future__ import annotations

import pytest

from gonogo.data.split import linked_groups, shared_content, split_manifest
from gonogo.errors import DataError, UsageError
from tests.helpers import make_manifest


def rows(count: int, label: str, split: str = "", offset: int = 0) -> list[tuple[str, str, str, str]]:
    return [(label, split, "", f"{label}{n + offset}") for n in range(count)]


def counts(manifest) -> dict[str, dict[str, int]]:
    return {split: manifest.select(split).counts() for split in ("train", "val", "test")}


def test_shares_are_of_each_class():
    found = counts(split_manifest(make_manifest(rows(100, "ok") + rows(20, "bad"))))
    assert found["test"] == {"ok": 20, "bad": 4}
    assert found["val"] == {"ok": 16, "bad": 3}
    assert found["train"] == {"ok": 64, "bad": 13}


def test_a_test_set_that_came_with_the_data_is_kept():
    manifest = make_manifest(
        rows(20, "ok", "train") + rows(20, "bad", "train") + rows(2, "ok", "test", 50) + rows(3, "bad", "test", 50)
    )
    found = split_manifest(manifest, seed=3)
    assert found.select("test").samples == manifest.select("test").samples
    assert counts(found)["val"] == {"ok": 4, "bad": 4}


def test_a_validation_set_that_came_with_the_data_is_kept():
    given = rows(9, "ok", "train") + rows(9, "bad", "train") + rows(1, "ok", "val", 50) + rows(1, "bad", "val", 50)
    manifest = make_manifest(given)
    found = split_manifest(manifest, test=0.34)
    assert found.select("val").samples == manifest.select("val").samples
    assert counts(found)["test"] == {"ok": 3, "bad": 3}


def test_parts_and_equal_bytes_chain_into_one_group():
    # 0 and 1 share a part, 1 and 2 their bytes, 3 stands alone
    manifest = make_manifest([("ok", "", "p", "a"), ("ok", "", "p", "b"), ("ok", "", "q", "b"), ("ok", "", "r", "c")])
    groups = linked_groups(manifest)
    assert groups[0] == groups[1] == groups[2] != groups[3]


@pytest.mark.parametrize("parts", [3, 4, 5])
def test_three_parts_of_a_class_are_enough(parts: int):
    for seed in range(5):
        found = counts(split_manifest(make_manifest(rows(parts, "bad") + rows(40, "ok")), seed=seed))
        assert min(found[split]["bad"] for split in found) == 1


@pytest.mark.parametrize("parts", [1, 2])
def test_fewer_parts_than_splits_is_an_error_that_counts_them(parts: int):
    manifest = make_manifest([("bad", "", f"p{n % parts}", f"b{n}") for n in range(8)] + rows(40, "ok"))
    with pytest.raises(DataError, match=rf"no photo of class 'bad' \({parts} distinct part"):
        split_manifest(manifest)


def test_half_a_split_column_is_an_error():
    with pytest.raises(DataError, match="some photos have a split and some have none"):
        split_manifest(make_manifest(rows(9, "ok", "train") + rows(9, "bad")))


@pytest.mark.parametrize(("val", "test"), [(0, 0.2), (0.2, 1), (-1, 0.2), (0.2, float("nan"))])
def test_shares_outside_0_to_1_are_refused(val: float, test: float):
    with pytest.raises(UsageError, match="expected numbers between 0 and 1"):
        split_manifest(make_manifest(rows(20, "ok") + rows(20, "bad")), val=val, test=test)


def test_shared_content_counts_the_photos_of_the_split():
    manifest = make_manifest(
        [
            ("ok", "train", "", "a"),
            ("ok", "test", "", "a"),
            ("ok", "test", "", "a"),
            ("ok", "val", "p", "b"),
            ("ok", "test", "p", "c"),
            ("ok", "test", "q", "d"),
        ]
    )
    assert shared_content(manifest) == 3
    assert shared_content(manifest, "train") == 1
    assert shared_content(manifest, "val") == 1
