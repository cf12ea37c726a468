"""The photo cache: built once, keyed by content and geometry, whole or absent."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from gonogo.data import cache
from gonogo.data.cache import load_photo, reduced_pixels
from gonogo.data.formats import read_dataset
from gonogo.data.manifest import Manifest
from gonogo.data.scan import scan
from gonogo.errors import DataError
from tests.helpers import grey_geometry, write_photos

GEOMETRY = grey_geometry(24, 20, reduce=2)


@pytest.fixture
def manifest(tmp_path: Path, empty_cache: Path) -> Manifest:
    return scan(read_dataset(write_photos(tmp_path / "photos", {"ok": 4, "bad": 3}))).manifest


def test_the_cache_holds_what_geometry_makes_of_each_photo(manifest: Manifest):
    pixels = reduced_pixels(manifest, GEOMETRY)
    assert (pixels.shape, pixels.dtype) == ((7, 12, 10, 1), np.uint8)
    for row, sample in enumerate(manifest.samples):
        photo = load_photo(manifest.path_of(sample), GEOMETRY)
        assert np.array_equal(pixels[row], GEOMETRY.apply(photo[None])[0])
    assert not pixels.flags.writeable


def test_the_second_call_decodes_nothing(manifest: Manifest):
    first = np.array(reduced_pixels(manifest, GEOMETRY))
    for sample in manifest.samples:
        manifest.path_of(sample).unlink()
    again = reduced_pixels(manifest, GEOMETRY.with_statistics((1.0,), (2.0,)))
    assert np.array_equal(first, again)


def test_content_order_and_geometry_have_files_of_their_own(manifest: Manifest, empty_cache: Path):
    reduced_pixels(manifest, GEOMETRY)
    reduced_pixels(Manifest(manifest.root, manifest.samples[::-1], manifest.classes), GEOMETRY)
    reduced_pixels(manifest, grey_geometry(24, 20, reduce=4))
    assert len(list((empty_cache / "pixels").iterdir())) == 3


@pytest.mark.parametrize("keep", [0, 50, 200])
def test_a_cut_cache_file_is_built_anew(manifest: Manifest, empty_cache: Path, keep: int):
    first = np.array(reduced_pixels(manifest, GEOMETRY))
    (path,) = (empty_cache / "pixels").iterdir()
    path.write_bytes(path.read_bytes()[:keep])
    assert np.array_equal(reduced_pixels(manifest, GEOMETRY), first)


def test_a_photo_that_does_not_fit_leaves_no_file(manifest: Manifest, empty_cache: Path):
    with pytest.raises(DataError, match="20x24 pixels, expected 25x30"):
        reduced_pixels(manifest, grey_geometry(30, 25))
    assert list((empty_cache / "pixels").iterdir()) == []


def test_leftovers_of_killed_processes_are_removed(manifest: Manifest, empty_cache: Path):
    folder = empty_cache / "pixels"
    folder.mkdir(parents=True)
    (folder / ".old.npy.999999999.tmp").write_text("half")
    (folder / ".busy.npy.1.tmp").write_text("of a process that runs")
    reduced_pixels(manifest, GEOMETRY)
    assert {path.name for path in folder.glob(".*")} == {".busy.npy.1.tmp"}


def test_a_full_disk_is_found_before_the_work(manifest: Manifest, monkeypatch: pytest.MonkeyPatch, empty_cache: Path):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: usage(100))
    with pytest.raises(DataError, match=r"0 MB free.*GONOGO_CACHE"):
        reduced_pixels(manifest, GEOMETRY)
    assert list((empty_cache / "pixels").iterdir()) == []
