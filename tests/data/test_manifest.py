"""The table of samples: there and back, and every wrong line named."""

from __future__ import annotations

from pathlib import Path

import pytest

from gonogo.data.manifest import Manifest, Sample, read_table
from gonogo.errors import DataError
from tests.helpers import make_manifest

SAMPLES = (
    Sample("a b/1.png", "bad, very", "train", "part 1", "ab" * 32, 20, 30, "imagefolder"),
    Sample("ü/2.png", 'good "one"', "test"),
    Sample("3.png", "bad, very"),
)


def test_a_table_survives_writing(tmp_path: Path):
    manifest = Manifest(tmp_path, SAMPLES, ("bad, very", 'good "one"'))
    manifest.write(tmp_path / "m.csv")
    assert read_table(tmp_path / "m.csv") == manifest


def test_columns_that_are_not_known_are_ignored_and_an_excel_mark_is_no_part_of_the_name(tmp_path: Path):
    (tmp_path / "m.csv").write_text("\ufeffcomment,path,label\nx,1.png,ok\ny,2.png,bad\n", encoding="utf-8")
    assert read_table(tmp_path / "m.csv").samples == (Sample("1.png", "ok"), Sample("2.png", "bad"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,lable\n1.png,ok\n", "no column 'label' (found: path, lable)"),
        ("", "no column 'path' (found: nothing)"),
        ("path,label\n", "the table has no rows"),
        ("path,label\n1.png,\n", "line 2: path or label is empty"),
        ("path,label\n1.png,ok\n../2.png,ok\n", "line 3: '../2.png' leaves the table's folder"),
        ("path,label\n/etc/2.png,ok\n", "'/etc/2.png' leaves"),
        ("path,label,split\n1.png,ok,testing\n", "split 'testing', expected one of train, val, test"),
        ("path,label,width\n1.png,ok,-3\n", "width '-3', expected a whole number"),
        ("path,label\n1.png,ok\n2.png,ok\n1.png,bad\n1.png,bad\n", "'1.png' stands in 3 rows"),
    ],
)
def test_wrong_tables_are_refused_with_the_place(text: str, words: str, tmp_path: Path):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        read_table(tmp_path / "m.csv")
    assert words in str(caught.value)
    assert "m.csv" in str(caught.value)


def test_what_is_no_table_is_refused(tmp_path: Path):
    (tmp_path / "m.csv").write_bytes(b"path,label\n\xff\xfe,ok\n")
    with pytest.raises(DataError, match="is not a CSV table"):
        read_table(tmp_path / "m.csv")
    with pytest.raises(DataError, match="cannot read"):
        read_table(tmp_path / "gone.csv")


def test_classes_and_numbers_are_those_of_the_whole_set():
    manifest = make_manifest([("ok", "train", "", ""), ("bad", "test", "", ""), ("ok", "test", "", "")])
    assert manifest.classes == ("bad", "ok")
    assert manifest.labels.tolist() == [1, 0, 1]
    train = manifest.select("train")
    assert (train.classes, train.labels.tolist(), train.counts()) == (("bad", "ok"), [1], {"bad": 0, "ok": 1})
    assert manifest.keep([False, True, True]).counts() == {"bad": 1, "ok": 1}


def test_groups_fall_back_to_content_and_then_to_the_path():
    manifest = make_manifest([("ok", "", "p", "aa"), ("ok", "", "", "bb"), ("ok", "", "", "")])
    assert manifest.groups == ("p", "bb", "2.png")
    assert manifest.has_groups
    assert not make_manifest([("ok", "", "", "aa")]).has_groups


def test_the_fingerprint_is_of_content_and_not_of_names_or_order():
    rows = [("ok", "train", "p", "aa"), ("bad", "test", "", "bb")]
    first = make_manifest(rows).fingerprint
    assert make_manifest(rows[::-1]).fingerprint == first
    changed = [
        ("ok", "val", "p", "aa"),
        ("ok", "train", "q", "aa"),
        ("bad", "train", "p", "aa"),
        ("ok", "train", "p", "cc"),
    ]
    assert len({first, *(make_manifest([row, rows[1]]).fingerprint for row in changed)}) == 5
