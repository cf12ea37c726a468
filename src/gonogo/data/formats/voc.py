"""Pascal VOC: an XML file of boxes for each photo in ``Annotations/``, photos in ``JPEGImages/``."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from xml.parsers import expat
from xml.sax.saxutils import escape

from gonogo.data.formats import DEFAULT_OPTIONS, Format, ReadOptions
from gonogo.data.formats.boxes import Box, Boxes, count, good_name, label_photos, new_names, some, write_photo
from gonogo.data.formats.imagefolder import SUFFIXES, is_hidden
from gonogo.data.formats.inside import DataFolder, check_path, check_text
from gonogo.data.images import inspect_photo
from gonogo.data.manifest import Manifest
from gonogo.errors import DataError
from gonogo.files import new_folder, write_text
from gonogo.types import SPLITS

PHOTOS, ANNOTATIONS, SETS = "JPEGImages", "Annotations", "ImageSets"
# Some sets spell the folders in capitals, or call the first one images.
PHOTO_FOLDERS = frozenset(("jpegimages", "images"))
CORNERS = ("xmin", "ymin", "xmax", "ymax")
OBJECT = "annotation/object"


class _Annotation:
    """What one XML file says, gathered while it is read; no tree is built, however deep it nests.

    Attributes:
        filename: of the photo, empty where it is not named.
        good: what the photo is when nothing is marked in it; our own element, empty where it is not there.
        boxes: in order.
    """

    def __init__(self, path: Path, data: bytes) -> None:
        self.filename, self.good = "", ""
        self.boxes: list[Box] = []
        self._path = path
        self._object: dict[str, str] = {}
        self._places: list[str] = []
        self._text: list[str] = []
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        # Entities are how a small file becomes a huge one, or another file's text; no annotation needs them.
        parser.EntityDeclHandler = self._refuse_entity
        try:
            parser.Parse(data, True)
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise DataError(f"{path}: not XML ({error}); expected a Pascal VOC annotation") from error
        except RecursionError as error:
            raise DataError(f"{path}: not XML; expected a Pascal VOC annotation") from error

    def _start(self, tag: str, _attributes: Mapping[str, str]) -> None:
        if not self._places and tag != "annotation":
            raise DataError(f"{self._path}: the XML is a '{tag[:30]}', expected a Pascal VOC 'annotation'")
        # Deeper than a box's corners, nothing is asked for.
        self._places.append(f"{self._places[-1]}/{tag}" if 0 < len(self._places) < 4 else tag)
        self._text.clear()

    def _end(self, _tag: str) -> None:
        deep, place = len(self._places), self._places.pop()
        text = "".join(self._text).strip()
        self._text.clear()
        if place == "annotation/filename":
            self.filename = text
        elif place == "annotation/good":
            self.good = text
        elif place == OBJECT:
            self.boxes.append(_box(self._path, len(self.boxes) + 1, self._object))
            self._object = {}
        elif place.startswith(f"{OBJECT}/") and deep <= 4:
            self._object[place.removeprefix(f"{OBJECT}/")] = text

    def _refuse_entity(self, name: str, *_: object) -> None:
        raise DataError(f"{self._path}: declares the entity '{name[:30]}', which is not read; remove the declaration")


def _box(path: Path, number: int, values: Mapping[str, str]) -> Box:
    where = f"{path}, object {number}"
    if not values.get("name"):
        raise DataError(f"{where}: no name; expected the class of the box")
    try:
        left, top, right, bottom = (float(values[f"bndbox/{corner}"]) for corner in CORNERS)
    except (KeyError, ValueError) as error:
        raise DataError(f"{where}: no box; expected bndbox with numbers for {', '.join(CORNERS)}") from error
    if not all(map(math.isfinite, (left, top, right, bottom))) or right < left or bottom < top:
        raise DataError(f"{where}: a box from {left:g}, {top:g} to {right:g}, {bottom:g}; expected min before max")
    return Box(check_text(values["name"], where), (right - left) * (bottom - top))


def _folder(root: Path, names: frozenset[str]) -> Path | None:
    found = sorted(name for name in os.listdir(root) if name.lower() in names)  # noqa: PTH208
    return next((root / name for name in found if (root / name).is_dir()), None)


def _files(folder: DataFolder, path: Path, suffixes: frozenset[str]) -> dict[str, Path]:
    """Return stem to file of the files in a folder."""
    if not folder.has_folder(path):
        return {}
    names = sorted(os.listdir(path))  # noqa: PTH208
    return {Path(n).stem: path / n for n in names if Path(n).suffix.lower() in suffixes and not is_hidden(n)}


def sniff(path: Path) -> float:
    """Return .8 where XML files stand in ``Annotations`` beside ``JPEGImages`` or ``images``."""
    if not path.is_dir() or _folder(path, PHOTO_FOLDERS) is None:
        return 0.0
    annotations = _folder(path, frozenset((ANNOTATIONS.lower(),)))
    if annotations is None:
        return 0.0
    return 0.8 if any(name.lower().endswith(".xml") for name in os.listdir(annotations)) else 0.0  # noqa: PTH208


def read(path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> Manifest:
    """Read the boxes; a photo without any is good, one without an annotation file is left out.

    Raises:
        DataError: a file is not as it should be, or names something outside.
    """
    folder = DataFolder(path)
    annotations = _folder(path, frozenset((ANNOTATIONS.lower(),))) if path.is_dir() else None
    photos = _folder(path, PHOTO_FOLDERS) if annotations else None
    if annotations is None or photos is None:
        raise DataError(f"{path}: no {ANNOTATIONS}/ beside {PHOTOS}/; expected the folders of Pascal VOC")
    texts = _files(folder, annotations, frozenset((".xml",)))
    files = _files(folder, photos, SUFFIXES)
    splits = _splits(folder, texts)
    found, names = [], set()
    for stem, text in texts.items():
        annotation = _Annotation(text, folder.read_bytes(text))
        photo = _photo(text, annotation, files)
        names.add(annotation.good)
        if splits is None or stem in splits:
            split = splits[stem] if splits else ""
            found.append(Boxes(photo.relative_to(path).as_posix(), split, tuple(annotation.boxes)))
    good = names.pop() if len(names) == 1 else ""
    notes = []
    without = [file.name for stem, file in files.items() if stem not in texts]
    if without:
        have = count(len(without), "photo has no annotation file and is", "photos have no annotation file and are")
        notes.append(f"{have} left out: {some(without)}")
    unlisted = [stem for stem in texts if splits is not None and stem not in splits]
    if unlisted:
        stand = count(len(unlisted), "photo stands", "photos stand")
        notes.append(f"{stand} in no list of {SETS}/Main, left out: {some(unlisted)}")
    return label_photos(path, found, options, source="voc", good=good, notes=notes)


def _photo(text: Path, annotation: _Annotation, files: Mapping[str, Path]) -> Path:
    """Return the photo of the annotation's own name, otherwise the one that it names inside."""
    named = check_path(annotation.filename, f"{text}: filename") if annotation.filename else ""
    photo = files.get(text.stem) or files.get(Path(named).stem)
    if photo is None:
        raise DataError(f"{text}: its photo '{named or text.stem}' is not there; put it into {PHOTOS}/")
    return photo


def _splits(folder: DataFolder, texts: Mapping[str, Path]) -> dict[str, str] | None:
    """Return the split of each annotation that a list names; None where there are no lists."""
    lists = {name: folder.root / SETS / "Main" / f"{name}.txt" for name in ("train", "val", "test", "trainval")}
    there = {name: path for name, path in lists.items() if folder.has_file(path)}
    if "train" in there or "val" in there:
        there.pop("trainval", None)
    splits: dict[str, str] = {}
    for name, path in there.items():
        split = "train" if name == "trainval" else name
        for number, line in enumerate(folder.read_text(path).splitlines(), start=1):
            stem = line.strip() if line.strip() in texts else Path(line.strip()).stem
            if not line.strip():
                continue
            if stem not in texts:
                raise DataError(f"{path}, line {number}: no annotation of '{line.strip()[:60]}'; remove the line")
            if splits.setdefault(stem, split) != split:
                raise DataError(f"{path}, line {number}: '{stem}' is in {splits[stem]} too; keep it in one list")
    return splits if there else None


def write(manifest: Manifest, path: Path) -> None:
    """Write a new folder: a box over the whole photo for every class but the good one.

    Raises:
        DataError: a class or photo that cannot be written.
    """
    good = good_name(manifest.classes)
    lists: dict[str, list[str]] = {}
    with new_folder(path) as folder:
        for sample, name in zip(manifest.samples, new_names(manifest), strict=True):
            facts = inspect_photo(manifest.read_bytes(sample), sample.path)
            write_photo(manifest, sample, folder / PHOTOS / name)
            label = "" if sample.label == good else sample.label
            text = _xml(name, facts.width, facts.height, 1 if facts.is_grey else 3, label, good)
            write_text((folder / ANNOTATIONS / name).with_suffix(".xml"), text)
            lists.setdefault(sample.split, []).append(Path(name).stem)
        for split in (split for split in SPLITS if split in lists):
            write_text(folder / SETS / "Main" / f"{split}.txt", "\n".join(lists[split]) + "\n")


def _xml(name: str, width: int, height: int, depth: int, label: str, good: str) -> str:
    lines = [
        "<annotation>",
        f"\t<folder>{PHOTOS}</folder>",
        f"\t<filename>{escape(name)}</filename>",
        f"\t<size><width>{width}</width><height>{height}</height><depth>{depth}</depth></size>",
        *([f"\t<good>{escape(good)}</good>"] if good else []),
        "\t<segmented>0</segmented>",
    ]
    if label:
        corners = "".join(f"<{c}>{v}</{c}>" for c, v in zip(CORNERS, (1, 1, width, height), strict=True))
        lines.append(
            f"\t<object><name>{escape(label)}</name><difficult>0</difficult><bndbox>{corners}</bndbox></object>"
        )
    return "\n".join([*lines, "</annotation>"]) + "\n"


FORMAT = Format(sniff, read, write, has_boxes=True)
