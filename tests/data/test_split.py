"""Splits: groups stay together, what the data came with is kept, and what cannot be done is said."""

from __future__ import annotations

import pytest

from gonogo.data.split import (
    fold_manifest,
    leaked_photos,
    linked_groups,
    part_counts,
    share_out,
    shared_content,
    split_manifest,
    without_split,
)
from gonogo.errors import DataError, UsageError
from tests.helpers import make_manifest


def rows(count: int, label: str, split: str = "", offset: int = 0) -> list[tuple[str, str, str, str]]:
    return [(label, split, "", f"{label}{n + offset}") for n in range(count)]


def counts(manifest) -> dict[str, dict[str, int]]:
    return {split: manifest.select(split).counts() for split in ("train", "val", "test")}


def test_shares_are_of_each_class():
    found = counts(split_manifest(make_manifest(rows(100, "ok") + rows(20, "bad"))).manifest)
    assert found["test"] == {"ok": 20, "bad": 4}
    assert found["val"] == {"ok": 16, "bad": 3}
    assert found["train"] == {"ok": 64, "bad": 13}


def test_a_test_set_that_came_with_the_data_is_kept():
    manifest = make_manifest(
        rows(20, "ok", "train") + rows(20, "bad", "train") + rows(2, "ok", "test", 50) + rows(3, "bad", "test", 50)
    )
    found = split_manifest(manifest, seed=3).manifest
    assert found.select("test").samples == manifest.select("test").samples
    assert counts(found)["val"] == {"ok": 4, "bad": 4}


def test_a_validation_set_that_came_with_the_data_is_kept():
    given = rows(9, "ok", "train") + rows(9, "bad", "train") + rows(1, "ok", "val", 50) + rows(1, "bad", "val", 50)
    manifest = make_manifest(given)
    found = split_manifest(manifest, test=0.34).manifest
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
        found = counts(split_manifest(make_manifest(rows(parts, "bad") + rows(40, "ok")), seed=seed).manifest)
        assert min(found[split]["bad"] for split in found) == 1


@pytest.mark.parametrize("parts", [1, 2])
def test_fewer_parts_than_splits_is_an_error_that_counts_them(parts: int):
    manifest = make_manifest([("bad", "", f"p{n % parts}", f"b{n}") for n in range(8)] + rows(40, "ok"))
    with pytest.raises(DataError, match=rf"no photo of class 'bad': its 8 photos show {parts} distinct part"):
        split_manifest(manifest)


def test_no_test_set_is_made_where_none_is_wanted():
    found = counts(split_manifest(make_manifest(rows(10, "ok") + rows(2, "bad")), val=0.3, test=0).manifest)
    assert found["test"] == {"bad": 0, "ok": 0}
    assert found["val"] == {"bad": 1, "ok": 3}
    with pytest.raises(DataError, match="expected at least 2, one each for train and val: photograph more"):
        split_manifest(make_manifest(rows(10, "ok") + rows(1, "bad")), test=0)


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


def test_a_split_can_be_forgotten_all_of_it_or_all_but_the_test_set():
    manifest = make_manifest(rows(1, "ok", "train") + rows(1, "ok", "val", 1) + rows(1, "ok", "test", 2))
    assert [s.split for s in without_split(manifest).samples] == ["", "", ""]
    assert [s.split for s in without_split(manifest, keep_test=True).samples] == ["train", "train", "test"]
    assert [s.split for s in without_split(manifest.select("val"), keep_test=True).samples] == [""]


def test_parts_are_counted_once_in_each_class_they_show():
    manifest = make_manifest(
        [("ok", "train", "p", "a"), ("ok", "train", "p", "b"), ("bad", "train", "p", "c"), ("ok", "test", "q", "d")]
    )
    assert part_counts(manifest) == {
        "train": {"bad": 1, "ok": 1},
        "val": {"bad": 0, "ok": 0},
        "test": {"bad": 0, "ok": 1},
    }


def test_photos_without_a_split_leak_nowhere():
    manifest = make_manifest([("ok", "", "p", "a"), ("ok", "test", "p", "b"), ("ok", "train", "q", "c")])
    assert not leaked_photos(manifest).any()


def test_a_split_is_kept_together_by_other_groups_where_they_are_given():
    manifest = make_manifest(rows(12, "ok", "train") + rows(12, "bad", "train") + rows(3, "ok", "test", 50))
    manifest = make_manifest([*[(s.label, s.split, "", s.sha256) for s in manifest.samples], ("bad", "test", "", "z")])
    found = split_manifest(manifest, groups=[n // 4 for n in range(len(manifest))]).manifest
    sides = [{s.split for s in found.samples[first : first + 4]} for first in range(0, 24, 4)]
    assert all(len(side) == 1 for side in sides)
    assert {"val"} in sides


def test_folds_become_test_val_and_train_in_turn():
    division = fold_manifest(make_manifest(rows(20, "ok") + rows(10, "bad")), 5, seed=1)
    assert division.folds is not None
    assert sorted(set(division.folds)) == [0, 1, 2, 3, 4]
    for fold in range(5):
        held = division.manifest.keep(own == fold for own in division.folds)
        assert held.counts() == {"ok": 4, "bad": 2}
        assert {s.split for s in held.samples} == {{0: "test", 1: "val"}.get(fold, "train")}
    assert division.unbalanced == ()


def test_folds_beside_a_test_set_that_is_kept():
    manifest = make_manifest(rows(8, "ok", "train") + rows(8, "bad", "train") + rows(1, "ok", "test", 50))
    manifest = make_manifest([*[(s.label, s.split, "", s.sha256) for s in manifest.samples], ("bad", "test", "", "z")])
    division = fold_manifest(manifest, 2)
    assert division.folds is not None
    assert division.folds[-2:] == (-1, -1)
    assert counts(division.manifest) == {
        "train": {"ok": 4, "bad": 4},
        "val": {"ok": 4, "bad": 4},
        "test": {"ok": 1, "bad": 1},
    }


def test_what_folds_cannot_hold_is_refused():
    manifest = make_manifest(rows(20, "ok") + rows(4, "bad"))
    with pytest.raises(UsageError, match="found --folds 2, expected 3 or more"):
        fold_manifest(manifest, 2)
    with pytest.raises(DataError, match=r"class 'bad' has 4 distinct parts to share out, expected .* each of 5 folds"):
        fold_manifest(manifest, 5)


def test_parts_are_shared_out_whole_and_test_photos_are_left_alone():
    views = [(label, "train", f"{label}{n // 3}", f"{label}{n}") for label in ("ok", "bad") for n in range(18)]
    division = share_out(make_manifest([*views, ("ok", "test", "", "t")]), 2, seed=1)
    assert division.folds is not None
    assert division.folds[-1] == -1
    assert [s.split for s in division.manifest.samples] == ["train"] * 36 + ["test"]
    for first in range(0, 36, 3):
        assert len(set(division.folds[first : first + 3])) == 1
    assert sorted(division.folds[:18]) == [0] * 9 + [1] * 9
    assert division.folds != share_out(make_manifest([*views, ("ok", "test", "", "t")]), 2, seed=2).folds


def test_what_cannot_be_balanced_is_said_of_new_sides_only():
    lumps = [("ok", "train", f"p{n // 30}", f"o{n}") for n in range(90)] + rows(30, "bad", "train")
    tested = rows(5, "ok", "test", 100) + rows(5, "bad", "test", 100)
    division = split_manifest(make_manifest(lumps + tested))
    assert {(u.split, u.label) for u in division.unbalanced} == {("val", "ok"), ("train", "ok")}
