"""Every photo is decoded once and remembered; what changed is looked at again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gonogo.data.formats import read_dataset
from gonogo.data.scan import cache_folder, scan
from gonogo.errors import DataError
from tests.helpers import encoded, noise, picture, write_photos, write_truncated


@pytest.fixture
def photos(tmp_path: Path, empty_cache: Path) -> Path:
    return write_photos(tmp_path / "photos", {"ok": 3, "bad": 2})


def test_hashes_sizes_and_channels_are_filled_in(photos: Path):
    found = scan(read_dataset(photos))
    sample = next(s for s in found.manifest.samples if s.path == "ok/001.png")
    assert sample.sha256 == hashlib.sha256((photos / "ok" / "001.png").read_bytes()).hexdigest()
    assert (sample.width, sample.height) == (20, 24)
    assert found.channels == 1
    assert found.sizes == {(20, 24): 5}
    assert found.unreadable == ()


def test_one_colour_photo_makes_the_set_colour(photos: Path):
    picture(noise(24, 20, 3)).save(photos / "ok" / "colour.png")
    assert scan(read_dataset(photos)).channels == 3


def test_unreadable_photos_are_counted_named_and_left_out_when_asked(photos: Path):
    write_truncated(photos / "ok" / "cut.jpg")
    (photos / "bad" / "none.png").touch()
    with pytest.raises(DataError, match=r"2 unreadable photos of 7 .*bad/none\.png.*ok/cut\.jpg"):
        scan(read_dataset(photos))
    found = scan(read_dataset(photos), skip_unreadable=True)
    assert [path for path, _ in found.unreadable] == ["bad/none.png", "ok/cut.jpg"]
    assert len(found.manifest) == len(found.facts) == 5


def test_of_many_unreadable_photos_five_are_named(photos: Path):
    for number in range(8):
        (photos / "ok" / f"none{number}.png").touch()
    with pytest.raises(DataError, match="8 unreadable photos of 13") as caught:
        scan(read_dataset(photos))
    assert str(caught.value).count("the file is empty") == 5


def test_a_class_that_loses_all_its_photos_is_an_error(photos: Path):
    for path in (photos / "bad").iterdir():
        path.write_text("no photo")
    with pytest.raises(DataError, match="no readable photo of class 'bad' is left"):
        scan(read_dataset(photos), skip_unreadable=True)


def test_a_second_scan_reads_only_what_changed(photos: Path, monkeypatch: pytest.MonkeyPatch):
    first = scan(read_dataset(photos))
    (photos / "ok" / "000.png").write_bytes(encoded(picture(noise(9, 8, seed=77)), "PNG"))
    read: list[str] = []
    whole = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or whole(path))
    second = scan(read_dataset(photos))
    assert read == ["000.png"]
    assert second.sizes == {(20, 24): 4, (8, 9): 1}
    assert [s.sha256 for s in first.manifest.samples[:2]] == [s.sha256 for s in second.manifest.samples[:2]]


def test_a_damaged_memory_only_costs_time(photos: Path, empty_cache: Path):
    first = scan(read_dataset(photos))
    (memo,) = (empty_cache / "scans").iterdir()
    for text in ("{", "[]", '{"version": 0, "photos": {}}'):
        memo.write_text(text)
        assert scan(read_dataset(photos)) == first


def test_a_repaired_photo_is_seen(photos: Path):
    path = write_truncated(photos / "ok" / "x.jpg")
    with pytest.raises(DataError):
        scan(read_dataset(photos))
    path.write_bytes(encoded(picture(noise(24, 20)), "JPEG"))
    assert len(scan(read_dataset(photos)).manifest) == 6


def test_the_cache_lies_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("GONOGO_CACHE", "/named")
    assert cache_folder() == Path("/named")
    monkeypatch.delenv("GONOGO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "gonogo"


def test_progress_goes_on_to_the_last_photo(photos: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gonogo.data.scan.JOB", 2)
    calls: list[tuple[int, int]] = []
    scan(read_dataset(photos), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(2, 5), (4, 5), (5, 5)]
