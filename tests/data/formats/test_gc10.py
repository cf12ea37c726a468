"""GC10-DET's own layout: the folders' numbers tell the class, annotations beside them are none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gonogo.data.formats import FORMATS, ReadOptions, read_dataset
from gonogo.errors import DataError, UsageError
from tests.helpers import write_photos

ANNOTATION = "<annotation><object><name>{}</name><bndbox><xmin>1</xmin></bndbox></object></annotation>"


@pytest.fixture
def steel(tmp_path: Path) -> Path:
    """Photos in folders 1, 2 and 10, with the annotations that the data set has."""
    folder = tmp_path / "GC10-DET"
    write_photos(folder, {"1": 3, "2": 2, "10": 4})
    (folder / "lable").mkdir()
    for name in ("1_chongkong", "2_hanfeng", "10_yaozhe"):
        (folder / "lable" / f"img_{name}.xml").write_text(ANNOTATION.format(name))
    return folder


def test_the_number_tells_the_class(steel: Path):
    found = read_dataset(steel)
    assert found.counts() == {"punching": 3, "waist folding": 4, "weld line": 2}
    assert found.classes == ("punching", "waist folding", "weld line")
    assert {s.path.split("/")[0] for s in found.samples if s.label == "waist folding"} == {"10"}
    assert {s.source for s in found.samples} == {"gc10"}


def test_what_was_written_reads_the_same(steel: Path, tmp_path: Path):
    found = read_dataset(steel)
    FORMATS.get("gc10").write(found, tmp_path / "again")
    again = read_dataset(tmp_path / "again")
    assert again.counts() == found.counts()
    assert (tmp_path / "again" / "lable").is_dir()
    assert {p.name for p in (tmp_path / "again").iterdir()} == {"1", "2", "10", "lable"}


def test_an_image_folder_is_not_mistaken_for_it(tmp_path: Path):
    write_photos(tmp_path / "set", {"1": 3, "2": 3})
    assert {s.source for s in read_dataset(tmp_path / "set").samples} == {"imagefolder"}


def test_what_it_cannot_hold_is_refused(steel: Path, tmp_path: Path):
    found = read_dataset(steel)
    samples = tuple(replace(sample, label="dent") for sample in found.samples)
    with pytest.raises(DataError, match="the class 'dent' is none of GC10-DET's ten: punching, weld line"):
        FORMATS.get("gc10").write(replace(found, samples=samples, classes=("dent",)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_sets_get_one_line(steel: Path):
    with pytest.raises(UsageError, match="every photo of GC10-DET shows a defect"):
        read_dataset(steel, options=ReadOptions(task="binary"))
    write_photos(steel, {"scratches": 1})
    with pytest.raises(DataError, match="photos in 'scratches', expected folders 1 to 10 only"):
        read_dataset(steel)
    for photo in (steel / "scratches").iterdir():
        photo.unlink()
    for photo in (steel / "2").iterdir():
        photo.unlink()
    with pytest.raises(DataError, match="a class folder with no photos"):
        read_dataset(steel)
