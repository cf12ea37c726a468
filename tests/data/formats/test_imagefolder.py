"""One folder a class, as cameras, archives and people leave it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gonogo.data.formats import read_dataset
from gonogo.data.formats.imagefolder import photos_below, read, write
from gonogo.errors import DataError
from tests.helpers import noise, picture, write_photos


def test_classes_are_folders_and_photos_come_in_the_order_of_their_names(tmp_path: Path):
    write_photos(tmp_path, {"ok": 2, "a defect": 1})
    manifest = read_dataset(tmp_path)
    assert manifest.classes == ("a defect", "ok")
    assert [s.path for s in manifest.samples] == ["a defect/000.png", "ok/000.png", "ok/001.png"]
    assert {s.split for s in manifest.samples} == {""}


def test_train_val_and_test_above_the_classes_are_splits_whatever_their_spelling(tmp_path: Path):
    for split in ("Training", "valid", "TEST"):
        write_photos(tmp_path / split, {"ok": 1, "bad": 1})
    found = {(s.path.split("/")[0], s.split) for s in read_dataset(tmp_path).samples}
    assert found == {("Training", "train"), ("valid", "val"), ("TEST", "test")}


def test_a_folder_beside_the_splits_is_an_error(tmp_path: Path):
    write_photos(tmp_path / "train", {"ok": 1, "bad": 1})
    write_photos(tmp_path, {"extra": 1})
    with pytest.raises(DataError, match="'extra' stands beside 'train'"):
        read_dataset(tmp_path)


def test_photos_beside_the_class_folders_are_an_error(tmp_path: Path):
    write_photos(tmp_path, {"ok": 1, "bad": 1, ".": 2})
    with pytest.raises(DataError, match=r"2 photos \(such as 000\.png\) stand beside the folders"):
        read_dataset(tmp_path)


def test_what_desktops_leave_behind_is_no_photo_and_no_class(tmp_path: Path):
    write_photos(tmp_path, {"ok": 1, "bad": 1, ".thumbnails": 3, "__MACOSX": 3})
    for name in ("Thumbs.db", "desktop.ini", "._000.png", ".DS_Store", "notes.txt"):
        (tmp_path / "ok" / name).write_text("x")
    manifest = read_dataset(tmp_path)
    assert (len(manifest), manifest.classes) == (2, ("bad", "ok"))


def test_suffixes_in_capitals_and_photos_further_down_are_found(tmp_path: Path):
    write_photos(tmp_path, {"ok": 1, "bad": 1})
    (tmp_path / "ok" / "monday" / "late").mkdir(parents=True)
    picture(noise(8, 8)).save(tmp_path / "ok" / "monday" / "late" / "X.JPG")
    assert "ok/monday/late/X.JPG" in [s.path for s in read_dataset(tmp_path).samples]


def test_a_loop_of_links_does_not_trap_the_walk(tmp_path: Path):
    write_photos(tmp_path, {"ok": 2})
    (tmp_path / "ok" / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert len(photos_below(tmp_path)) == 2


def test_two_photos_of_one_name_are_not_written_over_each_other(tmp_path: Path):
    write_photos(tmp_path / "in", {"ok": 1, "bad": 1})
    write_photos(tmp_path / "in" / "ok" / "more", {".": 1})
    with pytest.raises(DataError, match=r"two photos of class 'ok' are called 000\.png"):
        write(read(tmp_path / "in"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
