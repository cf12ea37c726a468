"""COCO: where its files and photos may lie, and tables that contradict themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gonogo.data.formats import FORMATS, ReadOptions, read_dataset
from gonogo.errors import DataError
from tests.helpers import noise, picture


def tables(photos: dict[str, list[int]], **changes: Any) -> dict[str, Any]:
    """Return a COCO document of photos and the categories of their boxes: 1 crack, 2 dent."""
    images = [{"id": number, "file_name": name} for number, name in enumerate(photos)]
    boxes = [
        {"image_id": number, "category_id": category, "bbox": [0, 0, 2 * category, 2]}
        for number, categories in enumerate(photos.values())
        for category in categories
    ]
    categories = [{"id": 1, "name": "crack"}, {"id": 2, "name": "dent"}]
    return {"images": images, "annotations": boxes, "categories": categories} | changes


def put(root: Path, sheet: str, photos: dict[str, list[int]], place: str = "images", **changes: Any) -> Path:
    for number, name in enumerate(photos):
        photo = root / place / name
        photo.parent.mkdir(parents=True, exist_ok=True)
        picture(noise(8, 8, seed=number)).save(photo)
    (root / sheet).parent.mkdir(parents=True, exist_ok=True)
    (root / sheet).write_text(json.dumps(tables(photos, **changes)))
    return root


PHOTOS = {"a.png": [1], "b.png": [2, 2], "c.png": []}
ROWS = [("a.png", "crack"), ("b.png", "dent"), ("c.png", "good")]


@pytest.mark.parametrize("place", ["images", "", "train2017", "images/train2017"])
def test_photos_are_found_where_sets_have_them(tmp_path: Path, place: str):
    put(tmp_path, "annotations/instances_train2017.json", PHOTOS, place)
    (tmp_path / "annotations" / "captions_train2017.json").write_text("{}")
    found = read_dataset(tmp_path)
    assert [(Path(s.path).name, s.label) for s in found.samples] == ROWS
    assert {s.split for s in found.samples} == {"train"}
    assert read_dataset(tmp_path / "annotations" / "instances_train2017.json") == found


def test_a_file_beside_its_photos_and_one_in_each_split_s_folder(tmp_path: Path):
    put(tmp_path / "one", "parts.json", PHOTOS, "")
    for path in (tmp_path / "one", tmp_path / "one" / "parts.json"):
        assert [(s.path, s.label, s.split) for s in read_dataset(path).samples] == [(*row, "") for row in ROWS]
    for split in ("train", "valid"):
        put(tmp_path / "two", f"{split}/_annotations.coco.json", PHOTOS, split)
    assert {(s.path.split("/")[0], s.split) for s in read_dataset(tmp_path / "two").samples} == {
        ("train", "train"),
        ("valid", "val"),
    }


def test_photos_of_one_name_in_two_splits_stay_two(tmp_path: Path):
    for split in ("train", "val"):
        put(tmp_path, f"annotations/instances_{split}.json", PHOTOS, f"images/{split}")
    assert len({s.path for s in read_dataset(tmp_path).samples}) == 6
    put(tmp_path, "annotations/instances_test.json", PHOTOS, "images/train")
    with pytest.raises(DataError, match=r"no photo 'a\.png' in"):
        read_dataset(tmp_path)


def test_the_category_that_reads_as_good_is_what_photos_without_boxes_are(tmp_path: Path):
    names = [{"id": 1, "name": "crack"}, {"id": 2, "name": "no defect"}]
    put(tmp_path, "a.json", {"a.png": [1], "b.png": [], "c.png": [2]}, categories=names)
    assert [s.label for s in read_dataset(tmp_path).samples] == ["crack", "no defect", "no defect"]
    assert read_dataset(tmp_path, options=ReadOptions(task="binary")).counts() == {"defect": 1, "good": 2}


def test_the_given_area_goes_before_that_of_the_box(tmp_path: Path):
    put(tmp_path, "a.json", {"a.png": [1, 2], "b.png": [1]})
    assert read_dataset(tmp_path, options=ReadOptions(mixed="largest")).counts() == {"crack": 1, "dent": 1}
    document = tables({"a.png": [1, 2], "b.png": [2]})
    document["annotations"][0]["area"] = 50
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert [s.label for s in read_dataset(tmp_path, options=ReadOptions(mixed="largest")).samples] == ["crack", "dent"]


def test_other_json_is_no_data_set_unless_it_is_given(tmp_path: Path):
    (tmp_path / "settings.json").write_text('{"a": 1}')
    assert FORMATS.get("coco").sniff(tmp_path) == 0
    with pytest.raises(DataError, match="no list 'images'"):
        read_dataset(tmp_path / "settings.json")


IMAGE, BOX = {"id": 0, "file_name": "a.png"}, {"image_id": 0, "category_id": 1}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": {}}, "no list 'images'"),
        ({"images": [1]}, r"images\[0\] is no table"),
        ({"images": [{"id": 0}]}, r"images\[0\] has no 'file_name'"),
        ({"images": [{"id": [], "file_name": "a.png"}]}, r"images\[0\] has no 'id'"),
        ({"images": [IMAGE, IMAGE]}, "the id of another photo"),
        ({"images": [IMAGE, {"id": 7, "file_name": "a.png"}]}, r"a\.png stands there 2 times"),
        ({"images": [{"id": 0, "file_name": "gone.png"}]}, "no photo 'gone.png'"),
        ({"images": [{"id": 0, "file_name": "../a.png"}]}, "leaves the data's folder"),
        ({"images": [{"id": 0, "file_name": "/etc/passwd"}]}, "leaves the data's folder"),
        ({"images": [{"id": 0, "file_name": "a\n.png"}]}, "line break"),
        ({"images": [{"id": 0, "file_name": "\0"}]}, "line break"),
        ({"images": [{"id": 0, "file_name": "\ud800"}]}, "line break"),
        ({"images": [{"id": 0, "file_name": "x" * 9000}]}, "no photo 'xxx"),
        ({"images": [{"id": 0, "file_name": ""}]}, "an empty name"),
        ({"images": []}, "is of a photo that is not in the file"),
        ({"annotations": [{"image_id": 0, "category_id": 9}]}, "is of a category that is not in the file"),
        ({"annotations": [{"image_id": 0, "category_id": True}]}, "has no 'category_id'"),
        ({"annotations": [BOX | {"bbox": [1, 2]}]}, "has a bbox"),
        ({"annotations": [BOX | {"bbox": [0, 0, float("inf"), 1]}]}, "has a bbox"),
        ({"annotations": [BOX | {"bbox": [0, 0, 10**400, 1]}]}, "has a bbox"),
        ({"annotations": [BOX | {"area": "big"}]}, "has an area"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}, "the id of another category"),
        ({"categories": [{"id": 1, "name": 5}]}, "has no 'name'"),
    ],
)
def test_tables_that_contradict_themselves_are_named(tmp_path: Path, changes: dict[str, Any], words: str):
    put(tmp_path, "a.json", {"a.png": [1]}, **changes)
    with pytest.raises(DataError, match=words) as caught:
        read_dataset(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", '{"images": [', "[" * 100_000, '{"images": ' * 50_000, "1" * 5000, "\x00"])
def test_text_that_is_no_json_is_named(tmp_path: Path, text: str):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=r"a\.json"):
        read_dataset(tmp_path / "a.json")


def test_links_out_are_refused(tmp_path: Path):
    put(tmp_path, "in/a.json", {"x.png": [1], "b.png": []}, "out")
    (tmp_path / "in" / "images").symlink_to(tmp_path / "out", target_is_directory=True)
    with pytest.raises(DataError, match="a link that leads out"):
        read_dataset(tmp_path / "in")
