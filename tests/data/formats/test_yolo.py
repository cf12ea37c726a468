"""YOLO as it comes: splits and folders in several orders, with and without data.yaml, complete or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gonogo.data.formats import FORMATS, ReadOptions, read_dataset
from gonogo.data.manifest import Manifest
from gonogo.errors import DataError
from tests.helpers import noise, picture

BOX = "0 0.5 0.5 0.2 0.2\n"
CLASS = ReadOptions(task="class")


def put(root: Path, photos: dict[str, str | None], labels: str = "labels") -> Path:
    """Write photos below root, each with its label text; None for no label file."""
    for number, (name, text) in enumerate(photos.items()):
        photo = root / name
        photo.parent.mkdir(parents=True, exist_ok=True)
        picture(noise(8, 8, seed=number)).save(photo)
        label = Path(str(photo.with_suffix(".txt")).replace("images", labels))
        label.parent.mkdir(parents=True, exist_ok=True)
        if text is not None:
            label.write_text(text)
    return root


def rows(manifest: Manifest) -> list[tuple[str, str, str]]:
    return [(s.path, s.label, s.split) for s in manifest.samples]


def test_an_empty_label_file_is_good_and_any_other_a_defect(tmp_path: Path):
    put(tmp_path, {"images/a.png": "", "images/b.png": BOX, "images/c.png": " \n\n"})
    manifest = read_dataset(tmp_path)
    assert rows(manifest) == [
        ("images/a.png", "good", ""),
        ("images/b.png", "defect", ""),
        ("images/c.png", "good", ""),
    ]
    assert manifest.notes == ()


def test_without_empty_files_the_classes_are_asked_for(tmp_path: Path):
    put(tmp_path, {"images/a.png": BOX, "images/b.png": "3 0.5 0.5 0.2 0.2"})
    assert read_dataset(tmp_path).classes == ("class_0", "class_3")
    with pytest.raises(DataError, match="only one class, 'defect'"):
        read_dataset(tmp_path, options=ReadOptions(task="binary"))


@pytest.mark.parametrize("names", ["[crack, no]", "{0: crack, 1: no}", "\n  0: crack\n  1: no"])
def test_names_are_taken_as_they_are_written(tmp_path: Path, names: str):
    put(tmp_path, {"images/a.png": BOX, "images/b.png": BOX.replace("0", "1", 1)})
    (tmp_path / "data.yaml").write_text(f"names: {names}\n")
    assert read_dataset(tmp_path).classes == ("crack", "no")
    assert rows(read_dataset(tmp_path / "data.yaml")) == rows(read_dataset(tmp_path))


def test_the_classes_of_a_binary_set_are_named_on_request(tmp_path: Path):
    put(tmp_path, {"images/a.png": "", "images/b.png": BOX, "images/c.png": "1 0.5 0.5 0.2 0.2"})
    assert read_dataset(tmp_path, options=CLASS).classes == ("class_0", "class_1", "good")
    (note,) = read_dataset(tmp_path).notes
    assert note == "2 classes of boxes are read as defect; --task class tells them apart"


def test_a_box_around_a_good_part_is_no_defect(tmp_path: Path):
    put(tmp_path, {"images/a.png": BOX, "images/b.png": "1 0.5 0.5 0.2 0.2", "images/c.png": ""})
    (tmp_path / "data.yaml").write_text("names: [ok, scratch]\n")
    assert read_dataset(tmp_path, options=ReadOptions(task="binary")).counts() == {"defect": 1, "good": 2}
    assert read_dataset(tmp_path, options=CLASS).counts() == {"ok": 2, "scratch": 1}


@pytest.mark.parametrize("layout", ["images/{}/x.png", "{}/images/x.png", "{}/images/deep/x.png"])
def test_splits_are_found_in_both_orders(tmp_path: Path, layout: str):
    put(tmp_path, {layout.format(split): text for split, text in (("train", ""), ("valid", BOX), ("test2017", ""))})
    assert sorted(s.split for s in read_dataset(tmp_path).samples) == ["test", "train", "val"]


def test_data_yaml_says_where_the_photos_are(tmp_path: Path):
    put(tmp_path, {"set/images/a.png": "", "set/images/b.png": BOX, "more/c.png": "", "unused/images/d.png": BOX})
    (tmp_path / "set" / "list.txt").write_text("./images/b.png\n\n")
    (tmp_path / "data.yaml").write_text("path: set\ntrain: images/\nval:\nnames: [crack]\n")
    assert {s.split for s in read_dataset(tmp_path).samples} == {"train"}
    (tmp_path / "data.yaml").write_text("path: .\ntrain: [set/images, more]\nnames: [crack]\n")
    assert len(read_dataset(tmp_path)) == 3
    (tmp_path / "set" / "images" / "c.png").write_bytes((tmp_path / "more" / "c.png").read_bytes())
    (tmp_path / "set" / "labels" / "c.txt").write_text("")
    (tmp_path / "set" / "data.yaml").write_text("train: list.txt\nnames: [crack]\n")
    with pytest.raises(DataError, match="only one class"):
        read_dataset(tmp_path / "set")


def test_a_path_one_up_that_means_the_folder_beside_is_understood_and_no_other(tmp_path: Path):
    put(tmp_path / "in", {"train/images/a.png": "", "train/images/b.png": BOX})
    put(tmp_path, {"out/images/a.png": ""})
    sheet = tmp_path / "in" / "data.yaml"
    sheet.write_text("train: ../train/images\nnames: [crack]\n")
    assert len(read_dataset(tmp_path / "in")) == 2
    for place in ("../out/images", "../../x", "/etc", "C:\\photos"):
        sheet.write_text(f"train: {place}\nnames: [crack]\n")
        with pytest.raises(DataError, match="leaves the data's folder"):
            read_dataset(tmp_path / "in")
    sheet.write_text("path: ../out\ntrain: images\nnames: [crack]\n")
    with pytest.raises(DataError, match=r"'path: \.\./out' leaves"):
        read_dataset(tmp_path / "in")


def test_a_photo_in_two_splits_is_refused(tmp_path: Path):
    put(tmp_path, {"images/a.png": "", "images/b.png": BOX})
    (tmp_path / "data.yaml").write_text("train: images\nval: images\nnames: [crack]\n")
    with pytest.raises(DataError, match=r"images/a\.png stands there 2 times"):
        read_dataset(tmp_path)


def test_what_is_missing_is_reported(tmp_path: Path):
    photos = {
        "images/train/a.png": "",
        "images/train/b.png": BOX,
        "images/train/c.png": None,
        "images/test/d.png": None,
    }
    put(tmp_path, photos)
    (tmp_path / "labels" / "train" / "gone.txt").write_text("")
    (tmp_path / "labels" / "train" / "classes.txt").write_text("crack\n")
    manifest = read_dataset(tmp_path)
    assert manifest.counts() == {"defect": 1, "good": 2}
    assert manifest.notes == (
        "1 photo has no label file and counts as good: images/train/c.png",
        "1 photo lies in a folder without any label file, left out: images/test/d.png",
        "1 label file has no photo: labels/train/gone.txt",
    )


MIXED = BOX + "1 0.5 0.5 0.9 0.9\n" + BOX


@pytest.mark.parametrize(
    ("rule", "counts"),
    [
        ("first", {"class_0": 2, "class_1": 1}),
        ("largest", {"class_0": 1, "class_1": 2}),
        ("most", {"class_0": 2, "class_1": 1}),
        ("skip", {"class_0": 1, "class_1": 1}),
    ],
)
def test_a_mixed_photo_follows_the_rule_and_is_reported(tmp_path: Path, rule: str, counts: dict[str, int]):
    put(tmp_path, {"images/a.png": BOX, "images/b.png": "1 0.5 0.5 0.2 0.2", "images/c.png": MIXED})
    with pytest.raises(DataError, match=r"1 photo has boxes of several classes \(images/c\.png: class_0 and class_1\)"):
        read_dataset(tmp_path)
    manifest = read_dataset(tmp_path, options=ReadOptions(mixed=rule))  # type: ignore[arg-type]
    assert manifest.counts() == counts
    assert "1 photo has boxes of several classes" in manifest.notes[0]


def test_as_many_boxes_of_two_classes_fall_to_the_one_that_covers_more(tmp_path: Path):
    polygon = "1 0.1 0.1 0.9 0.1 0.9 0.9\n"
    put(tmp_path, {"images/a.png": BOX, "images/b.png": polygon, "images/c.png": BOX + polygon})
    assert read_dataset(tmp_path, options=ReadOptions(mixed="most")).counts() == {"class_0": 1, "class_1": 2}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 0.5 0.5 0.2", "line 1: 4 values"),
        ("0 0.1 0.1 0.2 0.2 0.3", "line 1: 6 values"),
        (BOX + "x 0.5 0.5 0.2 0.2", "line 2: class 'x'"),
        ("-1 0.5 0.5 0.2 0.2", "class '-1'"),
        ("0.0 0.5 0.5 0.2 0.2", r"class '0\.0'"),
        ("1 0.5 0.5 0.2 0.2", "class 1 has no name"),
        ("0 0.5 0.5 0.2 big", "found no number"),
        ("0 0.5 0.5 0.2 nan", "nan is not from 0 to 1"),
        ("0 120 50 20 20", "120 is not from 0 to 1"),
        (b"\xff\xfe0", "not UTF-8"),
    ],
)
def test_a_line_that_is_no_box_is_named(tmp_path: Path, text: str | bytes, words: str):
    put(tmp_path, {"images/a.png": BOX, "images/b.png": ""})
    (tmp_path / "data.yaml").write_text("names: [crack]\n")
    (tmp_path / "labels" / "a.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=words) as caught:
        read_dataset(tmp_path)
    assert "a.txt" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("names: [crack", "line 1: not YAML"),
        ("- a\n", "found no table"),
        ("names: names.txt", "'names' is neither"),
        ("names: [[a], b]", "'names' has an entry"),
        ("names: {a: b}", "'names' has an entry"),
        ("names: [a, a]", "two classes are named 'a'"),
        ('names: ["a\\nb"]', "line break"),
        ("good: [x]", "'good' is not a name"),
        ("path: [x]", "'path' is not a folder's name"),
        ("train: {a: b}", "'train' is not a folder"),
        ("train: gone", "'train: gone' is not there"),
        ("x: " + "a" * 300_000, "300,003 characters"),
        ("a: &a [*a]", "not YAML"),
        ("[" * 5_000, "not YAML"),
    ],
)
def test_a_data_yaml_that_is_not_as_it_should_be_is_named(tmp_path: Path, text: str, words: str):
    put(tmp_path, {"images/a.png": BOX, "images/b.png": ""})
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(DataError, match=words):
        read_dataset(tmp_path)


def test_data_yaml_executes_nothing(tmp_path: Path):
    put(tmp_path, {"images/a.png": BOX, "images/b.png": ""})
    made = tmp_path / "made"
    (tmp_path / "data.yaml").write_text(f"names: !!python/object/apply:os.mkdir ['{made}']\n")
    assert read_dataset(tmp_path, options=CLASS).classes == (str(made), "good")
    assert not made.exists()


def test_classes_called_images_and_labels_are_classes(tmp_path: Path):
    put(tmp_path, {"images/a.png": None, "labels/b.png": None})
    (tmp_path / "labels" / "notes.txt").write_text("x")
    assert read_dataset(tmp_path).classes == ("images", "labels")
    (tmp_path / "labels" / "a.txt").write_text("")
    assert FORMATS.get("yolo").sniff(tmp_path) > FORMATS.get("imagefolder").sniff(tmp_path)


def test_links_out_are_refused_before_they_are_walked(tmp_path: Path):
    put(tmp_path / "in", {"images/a.png": "", "images/b.png": BOX})
    put(tmp_path, {"out/images/c.png": ""})
    (tmp_path / "in" / "images" / "c.png").symlink_to(tmp_path / "out" / "images" / "c.png")
    with pytest.raises(DataError, match=r"c\.png: a link that leads out"):
        read_dataset(tmp_path / "in")
    (tmp_path / "in" / "images" / "c.png").unlink()
    (tmp_path / "in" / "images" / "loop.png").symlink_to("loop.png")
    assert len(read_dataset(tmp_path / "in")) == 3  # the scan names it, with all that cannot be read
    (tmp_path / "in" / "labels" / "loop.txt").symlink_to("/etc/hostname")
    with pytest.raises(DataError, match=r"loop\.txt: a link that leads out"):
        read_dataset(tmp_path / "in")
    (tmp_path / "linked").mkdir()
    for name in ("images", "labels"):
        (tmp_path / "linked" / name).symlink_to("/", target_is_directory=True)
    with pytest.raises(DataError, match="a link that leads out"):
        read_dataset(tmp_path / "linked")


def test_commutators_are_read_as_good_and_defect(real_data: Path):
    manifest = read_dataset(real_data / "kolektor-yolo")
    assert manifest.counts() == {"defect": 10, "good": 70}
    assert {s.split for s in manifest.samples} == {"train"}
    assert manifest.notes == ()
