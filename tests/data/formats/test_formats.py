"""Which format a path is."""

from __future__ import annotations

from pathlib import Path

import pytest

from gonogo.data.formats import read_dataset
from gonogo.errors import DataError, UsageError
from tests.helpers import write_photos


def test_a_table_in_the_folder_is_preferred_to_its_folders(tmp_path: Path):
    write_photos(tmp_path, {"ok": 2, "bad": 1})
    (tmp_path / "manifest.csv").write_text("path,label\nok/000.png,fine\nok/001.png,scrap\n")
    assert read_dataset(tmp_path).classes == ("fine", "scrap")
    assert read_dataset(tmp_path, "imagefolder").classes == ("bad", "ok")
    assert read_dataset(str(tmp_path / "manifest.csv")).classes == ("fine", "scrap")


def test_a_table_that_lacks_a_column_is_not_passed_over(tmp_path: Path):
    write_photos(tmp_path, {"ok": 2, "bad": 1})
    (tmp_path / "manifest.csv").write_text("file,label\nok/000.png,fine\n")
    with pytest.raises(DataError, match="no column 'path'"):
        read_dataset(tmp_path)


def test_what_is_no_data_set_is_refused(tmp_path: Path):
    (tmp_path / "text.txt").write_text("x")
    for path, words in (
        (tmp_path, "no data set found"),
        (tmp_path / "text.txt", "no data set"),
        (tmp_path / "x", "no such"),
    ):
        with pytest.raises(DataError, match=words):
            read_dataset(path)


def test_an_unknown_format_is_suggested(tmp_path: Path):
    with pytest.raises(UsageError, match="did you mean 'imagefolder'"):
        read_dataset(tmp_path, "imagefoldr")
