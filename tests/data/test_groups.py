"""Parts from file names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from gonogo.data.formats import read_dataset
from gonogo.data.groups import group_by
from gonogo.data.manifest import Manifest, Sample
from gonogo.errors import UsageError


def named(*paths: str) -> Manifest:
    return Manifest(Path(), tuple(Sample(path, "ok") for path in paths), ("defect", "ok"))


def groups(rule: str, *paths: str) -> list[str]:
    return [sample.group for sample in group_by(named(*paths), rule).samples]


def test_a_number_makes_runs_by_the_last_number_of_the_name():
    assert groups("4", "ok/0.jpg", "ok/3.jpg", "defect/4.jpg", "ok/11.jpg") == ["0", "0", "1", "2"]


def test_runs_stay_apart_where_the_names_begin_differently():
    assert groups("2", "a_0.jpg", "a_1.jpg", "b_0.jpg", "b_7x.jpg") == ["a_0", "a_0", "b_0", "b_3"]


def test_brackets_hold_the_part_wherever_they_stand():
    paths = ("ok/part_12_view_1.jpg", "defect/part_12_view_2.jpg", "ok/part_7_view_1.jpg")
    assert groups(r"part_(\d+)_view", *paths) == ["12", "12", "7"]
    assert groups(r"^(\w+)/part_(\d+)", *paths) == ["ok/12", "defect/12", "ok/7"]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("1", "2 photos a part or more"),
        ("8", "all 2 photos into one group"),
        (r"(\d+", "no regular expression"),
        (r"\d+", "has no brackets"),
        (r"(\d)_view", "does not fit 2 of 2 photos, such as ok/1.jpg"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused(rule: str, words: str):
    with pytest.raises(UsageError, match=words):
        group_by(named("ok/1.jpg", "ok/2.jpg"), rule)


def test_names_without_a_number_need_a_pattern():
    with pytest.raises(UsageError, match="needs numbered names, found ok/left"):
        group_by(named("ok/left.jpg", "ok/right.jpg"), "8")


def test_commutators_are_ten_parts_of_eight_photos(real_data: Path):
    manifest = group_by(read_dataset(real_data / "kolektor-yolo"), "8")
    assert sorted(Counter(sample.group for sample in manifest.samples).values()) == [8] * 10
