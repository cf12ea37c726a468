"""COCO: one JSON file of photos, boxes and class names for each split."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gonogo.data.formats import DEFAULT_OPTIONS, Format, ReadOptions
from gonogo.data.formats.boxes import (
    Box,
    Boxes,
    good_name,
    label_photos,
    new_names,
    split_of,
    words_of,
    write_photo,
)
from gonogo.data.formats.imagefolder import is_hidden
from gonogo.data.formats.inside import DataFolder, check_path, check_text
from gonogo.data.images import inspect_photo
from gonogo.data.manifest import Manifest
from gonogo.errors import DataError
from gonogo.files import new_folder, write_text
from gonogo.types import SPLITS

ANNOTATIONS = "annotations"
TABLES = ("images", "annotations", "categories")
# The keys of such a file stand near its beginning; it may be hundreds of megabytes long.
_KEYS = re.compile(rb'"(images|annotations|categories|licenses|info)"\s*:\s*[\[{]')
_HEAD_BYTES = 65_536


def _jsons(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    names = sorted(os.listdir(folder))  # noqa: PTH208
    return [folder / name for name in names if name.lower().endswith(".json") and not is_hidden(name)]


def _sheets(root: Path) -> list[Path]:
    """Return the annotation files of a data set: in ``annotations/``, beside the photos, or in each split's folder."""
    inside = _jsons(root / ANNOTATIONS)
    # The official sets have captions and key points beside the boxes.
    inside = [path for path in inside if path.name.startswith("instances")] or inside
    if inside:
        return inside
    in_splits = [root / name for name in sorted(os.listdir(root)) if split_of(name)]  # noqa: PTH208
    return [path for folder in (root, *in_splits) for path in _jsons(folder) if _looks_right(path)]


def _looks_right(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return _KEYS.search(stream.read(_HEAD_BYTES)) is not None


def sniff(path: Path) -> float:
    """Return .8 where a JSON file has COCO's keys, .5 for any other JSON file that is given itself."""
    if path.is_dir():
        return 0.8 if any(_looks_right(sheet) for sheet in _sheets(path)) else 0.0
    if path.suffix.lower() != ".json" or not path.is_file():
        return 0.0
    return 0.8 if _looks_right(path) else 0.5


def read(path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> Manifest:
    """Read the boxes; a photo without any is good.

    Raises:
        DataError: a file is not as it should be, or names something outside.
    """
    sheets = _sheets(path) if path.is_dir() else [path]
    if not sheets:
        raise DataError(f"{path}: no JSON file with {', '.join(TABLES)}; expected COCO's {ANNOTATIONS}/*.json")
    root = path if path.is_dir() else path.parent.parent if path.parent.name == ANNOTATIONS else path.parent
    folder = DataFolder(root)
    photos: list[Boxes] = []
    names: set[str] = set()
    for sheet in sheets:
        tables = _read_json(folder, sheet)
        categories = _names(sheet, tables["categories"])
        names |= set(categories.values())
        photos += _photos(folder, sheet, tables, categories)
    return label_photos(root, photos, options, source="coco", names=sorted(names))


def _read_json(folder: DataFolder, path: Path) -> dict[str, list[Any]]:
    try:
        tables = json.loads(folder.read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}); expected a COCO file") from error
    for name in TABLES:
        if not isinstance(tables, dict) or not isinstance(tables.get(name), list):
            raise DataError(f"{path}: no list '{name}'; expected a COCO file with {', '.join(TABLES)}")
    return dict(tables)


def _entries(path: Path, table: str, rows: Iterable[Any], keys: Mapping[str, type]) -> Iterable[tuple[str, Any]]:
    """Give each row with its place, checked to be a table with the keys; a key of type int is any kind of number."""
    for number, row in enumerate(rows):
        where = f"{path}: {table}[{number}]"
        if not isinstance(row, dict):
            raise DataError(f"{where} is no table; expected one with {', '.join(keys)}")
        for key, kind in keys.items():
            allowed = (int, str) if kind is int else kind
            if not isinstance(row.get(key), allowed) or isinstance(row.get(key), bool):
                raise DataError(f"{where} has no '{key}' that can be used; expected {kind.__name__}")
        yield where, row


def _names(path: Path, rows: list[Any]) -> dict[Any, str]:
    names: dict[Any, str] = {}
    for where, row in _entries(path, "categories", rows, {"id": int, "name": str}):
        if row["id"] in names:
            raise DataError(f"{where} has the id of another category; expected an id for each")
        names[row["id"]] = check_text(row["name"], where).strip()
    return names


def _photos(folder: DataFolder, sheet: Path, tables: Mapping[str, list[Any]], names: Mapping[Any, str]) -> list[Boxes]:
    boxes: dict[Any, list[Box]] = {}
    paths: dict[Any, str] = {}
    split, finder = _split(folder, sheet)
    for where, row in _entries(sheet, "images", tables["images"], {"id": int, "file_name": str}):
        if row["id"] in paths:
            raise DataError(f"{where} has the id of another photo; expected an id for each")
        paths[row["id"]] = finder.find(check_path(row["file_name"], where), where)
        boxes[row["id"]] = []
    for where, row in _entries(sheet, "annotations", tables["annotations"], {"image_id": int, "category_id": int}):
        if row["image_id"] not in boxes:
            raise DataError(f"{where} is of a photo that is not in the file; expected one of its ids")
        if row["category_id"] not in names:
            raise DataError(f"{where} is of a category that is not in the file; expected one of its ids")
        boxes[row["image_id"]].append(Box(names[row["category_id"]], _area(where, row)))
    return [Boxes(paths[number], split, tuple(boxes[number])) for number in paths]


def _area(where: str, row: Mapping[str, Any]) -> float:
    """Return the area in pixels: as it is given, otherwise of the box; 0 where there is neither."""
    sides = row.get("bbox")
    if sides is None:
        sides = [0, 0, 0, 0]
    if not isinstance(sides, list) or len(sides) not in (0, 4) or not all(map(_is_number, sides)):
        raise DataError(f"{where} has a bbox that is not x, y, width, height; expected 4 numbers")
    area = row.get("area")
    if area is not None and not _is_number(area):
        raise DataError(f"{where} has an area that is no number; expected pixels")
    return float(area) if area is not None else float(sides[2]) * float(sides[3]) if sides else 0.0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12


@dataclass
class _Finder:
    """Finds the photos of one file; which folder they lie in is found out with the first."""

    folder: DataFolder
    places: list[Path]

    def find(self, name: str, where: str) -> str:
        """Return the path below the root.

        Raises:
            DataError: it is nowhere, or a link out.
        """
        for place in self.places:
            if self.folder.has_file(place / name):
                self.places.remove(place)
                self.places.insert(0, place)
                return (place / name).relative_to(self.folder.root).as_posix()
        tried = ", ".join(str(place) for place in self.places)
        raise DataError(f"{where}: no photo '{name[:200]}' in {tried}; put it there")


def _split(folder: DataFolder, sheet: Path) -> tuple[str, _Finder]:
    """Return the split that a file's name or folder tells, and where to look for its photos."""
    root = folder.root
    word = next((word for word in words_of(sheet.stem) if split_of(word)), "")
    if not word and sheet.parent not in (root, root / ANNOTATIONS) and split_of(sheet.parent.name):
        word = sheet.parent.name
    places = [root / "images" / word, root / word] if word else []
    places += [root / "images", root]
    if sheet.parent not in (root / ANNOTATIONS, *places):
        places.insert(0, sheet.parent)
    return split_of(word), _Finder(folder, places)


def write(manifest: Manifest, path: Path) -> None:
    """Write a new folder: a box over the whole photo for every class but the good one.

    Raises:
        DataError: a class or photo that cannot be written.
    """
    good = good_name(manifest.classes)
    ids = {label: number for number, label in enumerate(manifest.classes, start=1)}
    categories = [{"id": number, "name": label, "supercategory": ""} for label, number in ids.items()]
    images: dict[str, list[Any]] = {}
    boxes: dict[str, list[Any]] = {}
    with new_folder(path) as folder:
        for number, (sample, name) in enumerate(zip(manifest.samples, new_names(manifest), strict=True), start=1):
            facts = inspect_photo(manifest.read_bytes(sample), sample.path)
            write_photo(manifest, sample, folder / "images" / sample.split / name)
            size = {"width": facts.width, "height": facts.height}
            images.setdefault(sample.split, []).append({"id": number, "file_name": name, **size})
            if sample.label != good:
                whole = {"bbox": [0, 0, *size.values()], "area": facts.width * facts.height, "iscrowd": 0}
                box = {"id": number, "image_id": number, "category_id": ids[sample.label], **whole}
                boxes.setdefault(sample.split, []).append(box)
        for split in (split for split in ("", *SPLITS) if split in images):
            name = f"instances_{split}.json" if split else "instances.json"
            tables = dict(zip(TABLES, (images[split], boxes.get(split, []), categories), strict=True))
            write_text(folder / ANNOTATIONS / name, json.dumps(tables, ensure_ascii=False) + "\n")


FORMAT = Format(sniff, read, write, has_boxes=True)
