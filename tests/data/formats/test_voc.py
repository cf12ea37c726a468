"""Pascal VOC: names in files and of files, lists of splits, and XML that is not to be trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from gonogo.data.formats import ReadOptions, read_dataset
from gonogo.errors import DataError
from tests.helpers import noise, picture

BOX = "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>"


def xml(*labels: str, filename: str = "", extra: str = "") -> str:
    boxes = "".join(BOX.format(label, 1 + number) for number, label in enumerate(labels))
    return f"<annotation><filename>{filename}</filename>{extra}{boxes}</annotation>"


def put(root: Path, texts: dict[str, str], photos: tuple[str, str] = ("JPEGImages", "Annotations")) -> Path:
    for folder in photos:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number, (stem, text) in enumerate(texts.items()):
        picture(noise(10, 10, seed=number)).save(root / photos[0] / f"{stem}.png")
        (root / photos[1] / f"{stem}.xml").write_text(text)
    return root


def test_a_photo_is_what_its_boxes_are_and_good_without_any(tmp_path: Path):
    put(tmp_path, {"a": xml("crack", "crack"), "b": xml("dent"), "c": xml()})
    manifest = read_dataset(tmp_path)
    assert [(s.path, s.label, s.split) for s in manifest.samples] == [
        ("JPEGImages/a.png", "crack", ""),
        ("JPEGImages/b.png", "dent", ""),
        ("JPEGImages/c.png", "good", ""),
    ]
    assert read_dataset(tmp_path, options=ReadOptions(task="binary")).counts() == {"defect": 2, "good": 1}


def test_folders_in_capitals_are_found(tmp_path: Path):
    put(tmp_path, {"a": xml("crack"), "b": xml()}, ("IMAGES", "ANNOTATIONS"))
    assert len(read_dataset(tmp_path)) == 2


def test_the_annotation_s_own_name_goes_before_the_one_inside(tmp_path: Path):
    put(tmp_path, {"a": xml("crack", filename="b.jpg"), "b": xml(filename="b")})
    assert [s.label for s in read_dataset(tmp_path).samples] == ["crack", "good"]
    (tmp_path / "Annotations" / "a.xml").rename(tmp_path / "Annotations" / "x.xml")
    (tmp_path / "Annotations" / "x.xml").write_text(xml("crack", filename="a.jpg"))
    assert [s.path for s in read_dataset(tmp_path).samples] == ["JPEGImages/b.png", "JPEGImages/a.png"]
    (tmp_path / "JPEGImages" / "a.png").unlink()
    with pytest.raises(DataError, match=r"its photo 'a\.jpg' is not there"):
        read_dataset(tmp_path)


def test_lists_give_the_splits_and_what_is_in_none_is_left_out(tmp_path: Path):
    put(tmp_path, {name: xml("crack") if name < "d" else xml() for name in "abcdefg"})
    picture(noise(8, 8)).save(tmp_path / "JPEGImages" / "new.png")
    main = tmp_path / "ImageSets" / "Main"
    main.mkdir(parents=True)
    (main / "train.txt").write_text("a\nd\n\n")
    (main / "val.txt").write_text("b.png\ne\n")
    (main / "trainval.txt").write_text("a\nb\nd\ne\n")
    (main / "test.txt").write_text("c\nf\n")
    (main / "crack_train.txt").write_text("a 1\nd -1\n")
    manifest = read_dataset(tmp_path)
    for split in ("train", "val", "test"):
        assert manifest.select(split).counts() == {"crack": 1, "good": 1}
    assert manifest.notes == (
        "1 photo has no annotation file and is left out: new.png",
        "1 photo stands in no list of ImageSets/Main, left out: g",
    )
    (main / "test.txt").write_text("c\na\n")
    with pytest.raises(DataError, match=r"test\.txt, line 2: 'a' is in train too"):
        read_dataset(tmp_path)
    (main / "test.txt").write_text("../../x\n")
    with pytest.raises(DataError, match="line 1: no annotation of"):
        read_dataset(tmp_path)


def test_trainval_alone_is_train(tmp_path: Path):
    put(tmp_path, {"a": xml("crack"), "b": xml()})
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Main" / "trainval.txt").write_text("a\nb\n")
    assert {s.split for s in read_dataset(tmp_path).samples} == {"train"}


ENTITY = '<!DOCTYPE a [<!ENTITY x "{}">]><annotation><filename>&x;</filename></annotation>'
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not XML"),
        ("<annotation>", "not XML"),
        ("<html></html>", "the XML is a 'html'"),
        (ENTITY.format("a"), "declares the entity 'x'"),
        (f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><annotation>&l9;</annotation>', "declares the entity"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>', "declares the entity"),
        ("<annotation>&nbsp;</annotation>", "not XML"),
        ('<?xml version="1.0" encoding="no-such"?><annotation/>', "not XML"),
        (xml("crack").replace("crack", ""), "object 1: no name"),
        (xml("crack").replace("xmin", "x"), "object 1: no box"),
        (xml("crack").replace("<ymin>1", "<ymin>nan"), "min before max"),
        (xml("crack").replace("<ymin>1", "<ymin>10"), "min before max"),
        (xml("crack", filename="../../etc/passwd"), "leaves the data's folder"),
        (xml("crack", filename="/etc/passwd"), "leaves the data's folder"),
        (xml("crack", filename="a\nb"), "line break"),
        (xml("cr\nack"), "line break"),
    ],
)
def test_an_annotation_that_is_not_as_it_should_be_is_named(tmp_path: Path, text: str, words: str):
    put(tmp_path, {"a": text, "b": xml()})
    with pytest.raises(DataError, match=words) as caught:
        read_dataset(tmp_path)
    assert "a.xml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_parts_of_objects_and_depth_without_end_are_passed_over(tmp_path: Path):
    part = "<object><name>crack</name><part><name>tip</name><bndbox><xmin>0</xmin></bndbox></part><bndbox>"
    whole = xml("crack").replace("<object><name>crack</name><bndbox>", part)
    put(tmp_path, {"a": whole, "b": xml(extra="<a>" * 100_000 + "</a>" * 100_000)})
    assert read_dataset(tmp_path).classes == ("crack", "good")


@pytest.mark.parametrize(
    ("rule", "inclusion", "scratches"), [("first", 150, 150), ("largest", 155, 144), ("most", 158, 143)]
)
def test_steel_has_62_photos_of_several_classes(real_data: Path, rule: str, inclusion: int, scratches: int):
    with pytest.raises(DataError, match="62 photos have boxes of several classes"):
        read_dataset(real_data / "neu-voc")
    manifest = read_dataset(real_data / "neu-voc", options=ReadOptions(mixed=rule))  # type: ignore[arg-type]
    assert (len(manifest), len(manifest.classes)) == (900, 6)
    assert (manifest.counts()["inclusion"], manifest.counts()["scratches"]) == (inclusion, scratches)
    if rule == "first":
        assert set(manifest.counts().values()) == {150}
        assert all(Path(s.path).stem.rpartition("_")[0] == s.label for s in manifest.samples)
