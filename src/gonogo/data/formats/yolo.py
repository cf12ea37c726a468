"""YOLO: a text file of boxes or polygons for each photo, in ``labels/`` beside ``images/``; names in ``data.yaml``."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from gonogo.data.formats import DEFAULT_OPTIONS, Format, ReadOptions
from gonogo.data.formats.boxes import (
    Box,
    Boxes,
    count,
    good_name,
    label_photos,
    new_names,
    some,
    split_of,
    write_photo,
)
from gonogo.data.formats.data_yaml import SHEETS, Sheet, quoted, read_sheet
from gonogo.data.formats.imagefolder import is_hidden, photos_below
from gonogo.data.formats.inside import DataFolder, check_path
from gonogo.data.manifest import Manifest
from gonogo.errors import DataError
from gonogo.files import new_folder, write_text
from gonogo.types import SPLITS

# Half a pixel of a photo 500 pixels wide: what rounding leaves over the border.
OVER = 1e-3
# Labelling programs leave their list of names among the labels.
NO_LABELS = frozenset(("classes.txt",))


def sniff(path: Path) -> float:
    """Return .8 where a photo has its text file in ``labels``, or where a ``data.yaml`` lists photos."""
    if path.suffix.lower() in (".yaml", ".yml") and path.is_file():
        return 0.8
    if not path.is_dir():
        return 0.0
    folder = DataFolder(path)
    try:
        if any(_has_labels(folder, images) for images in _image_folders(path)):
            return 0.8
    except DataError:
        return 0.8  # links lead out: reading will say so
    sheet = next((path / name for name in SHEETS if (path / name).is_file()), None)
    return 0.7 if sheet and re.search(rb"^(train|val)\s*:", _head(sheet), re.MULTILINE) else 0.0


def _has_labels(folder: DataFolder, images: Path) -> bool:
    labels = images.with_name("labels")
    if not folder.has_folder(labels) or not folder.has_folder(images):
        return False
    stems = {file.relative_to(images).with_suffix("") for file in photos_below(images)}
    return any(text.relative_to(labels).with_suffix("") in stems for text in _texts_below(labels))


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(10_000)


def _image_folders(root: Path) -> list[Path]:
    """Return the folders of photos: ``images``, or ``train/images`` and so on."""
    inner = [root / name / "images" for name in sorted(os.listdir(root)) if split_of(name)]  # noqa: PTH208
    return [folder for folder in (root / "images", *inner) if folder.is_dir()]


def _texts_below(folder: Path) -> list[Path]:
    return [
        Path(directory, name)
        for directory, _, files in os.walk(folder)
        for name in sorted(files)
        if name.endswith(".txt") and not is_hidden(name)
    ]


def read(path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> Manifest:
    """Read the boxes; a photo without any is good.

    Where nobody says what is asked, it is good or defect if some photos are empty, otherwise the boxes' classes.

    Raises:
        DataError: a file is not as it should be, or names something outside; file and line are named.
        MissingExtraError: there is a ``data.yaml`` and no PyYAML.
    """
    root = path if path.is_dir() else path.parent
    folder = DataFolder(root)
    found = path if path.is_file() else next((root / n for n in SHEETS if folder.has_file(root / n)), None)
    sheet = read_sheet(folder, found) if found else Sheet(root)
    photos, notes = _labelled(folder, _listed(folder, sheet) or _found(folder), sheet)
    names = sheet.names.values()
    if options.task is None:
        binary = not sheet.good and any(not photo.boxes for photo in photos)
        options = ReadOptions("binary" if binary else "class", options.mixed)
        kinds = {label for photo in photos for label in photo.labels}
        if binary and len(kinds) > 1:
            notes.append(f"{len(kinds)} classes of boxes are read as defect; --task class tells them apart")
    return label_photos(root, photos, options, source="yolo", good=sheet.good, names=names, notes=notes)


# ---- which photos


def _listed(folder: DataFolder, sheet: Sheet) -> list[tuple[str, str]]:
    """Return (path, split) of the photos that ``data.yaml`` lists."""
    photos = []
    for split, places in sheet.listed.items():
        for place in places:
            start = folder.root / _inside(folder, sheet, place)
            if folder.has_folder(start):
                photos += [(file.relative_to(folder.root).as_posix(), split) for file in photos_below(start)]
            elif start.suffix == ".txt":
                photos += [(name, split) for name in _from_list(folder, sheet, start)]
            else:
                raise DataError(f"{sheet.path}: '{split}: {place[:200]}' is not there; expected a folder of photos")
    return photos


def _inside(folder: DataFolder, sheet: Sheet, place: str) -> str:
    """Return a place below the root; "../train/images", as one exporter writes it, means the one beside the file."""
    where = f"{sheet.path}: a list of photos"
    beside = place.removeprefix("../")
    if beside != place and os.path.isdir(folder.root / sheet.base / check_path(beside, where)):  # noqa: PTH112
        place = beside
    return (PurePosixPath(sheet.base) / check_path(place, where)).as_posix()


def _from_list(folder: DataFolder, sheet: Sheet, path: Path) -> list[str]:
    lines = [line.strip() for line in folder.read_text(path).splitlines()]
    names = [check_path(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1) if line]
    return [(PurePosixPath(sheet.base) / name).as_posix() for name in names]


def _found(folder: DataFolder) -> list[tuple[str, str]]:
    """Return (path, split) of the photos in the usual folders."""
    photos, root = [], folder.root
    for images in filter(folder.has_folder, _image_folders(root)):
        for file in photos_below(images):
            above = images.parent.name if images.parent != root else file.relative_to(images).parts[0]
            photos.append((file.relative_to(root).as_posix(), split_of(above) if above != file.name else ""))
    return photos


# ---- labels


def _label_path(photo: str) -> PurePosixPath:
    """Return the text file of a photo: in ``labels`` instead of the last ``images``, otherwise beside the photo."""
    parts = list(PurePosixPath(photo).with_suffix(".txt").parts)
    places = [place for place, part in enumerate(parts[:-1]) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    return PurePosixPath(*parts)


def _labelled(folder: DataFolder, photos: Sequence[tuple[str, str]], sheet: Sheet) -> tuple[list[Boxes], list[str]]:
    """Return the photos with their boxes, and notes on photos without labels and labels without photos."""
    texts = {photo: _label_path(photo) for photo, _ in photos}
    used = set(texts.values())
    there = {parent: _texts_in(folder, parent, used) for parent in {text.parent for text in used}}
    unlabelled = [photo for photo, _ in photos if not there[texts[photo].parent]]
    missing = [p for p, _ in photos if there[texts[p].parent] and texts[p].name not in there[texts[p].parent]]
    orphans = sorted(str(p / name) for p, names in there.items() for name in names if p / name not in used)
    notes = []
    if missing:
        have = count(len(missing), "photo has no label file and counts", "photos have no label file and count")
        notes.append(f"{have} as good: {some(missing)}")
    if unlabelled:
        lie = count(len(unlabelled), "photo lies in a folder", "photos lie in folders")
        notes.append(f"{lie} without any label file, left out: {some(unlabelled)}")
    if orphans:
        notes.append(f"{count(len(orphans), 'label file has', 'label files have')} no photo: {some(orphans)}")
    skipped, empty = set(unlabelled), set(missing)
    return [
        Boxes(photo, split, () if photo in empty else _read_boxes(folder, folder.root / texts[photo], sheet))
        for photo, split in photos
        if photo not in skipped
    ], notes


def _texts_in(folder: DataFolder, place: PurePosixPath, used: set[PurePosixPath]) -> set[str]:
    """Return the names of the label files in a folder."""
    if not folder.has_folder(folder.root / place):
        return set()
    names = {n for n in os.listdir(folder.root / place) if n.endswith(".txt") and not is_hidden(n)}  # noqa: PTH208
    return {name for name in names if name not in NO_LABELS or place / name in used}


def _read_boxes(folder: DataFolder, path: Path, sheet: Sheet) -> tuple[Box, ...]:
    lines = enumerate(folder.read_text(path).splitlines(), start=1)
    return tuple(_read_box(f"{path}, line {number}", line.split(), sheet) for number, line in lines if line.strip())


def _read_box(where: str, words: list[str], sheet: Sheet) -> Box:
    if len(words) != 5 and (len(words) < 7 or len(words) % 2 == 0):
        raise DataError(
            f"{where}: {len(words)} values, expected 5 (class x y width height) or a class and at least 3 points x y"
        )
    if not re.fullmatch("[0-9]{1,6}", words[0]):
        raise DataError(f"{where}: class '{words[0][:30]}', expected a whole number")
    number = int(words[0])
    if sheet.names and number not in sheet.names:
        raise DataError(
            f"{where}: class {number} has no name in {sheet.path.name}; it names {len(sheet.names)} classes"
        )
    try:
        values = [float(word) for word in words[1:]]
    except ValueError as error:
        raise DataError(f"{where}: found no number, expected numbers from 0 to 1 after the class") from error
    wrong = next((value for value in values if not (math.isfinite(value) and -OVER <= value <= 1 + OVER)), None)
    if wrong is not None:
        raise DataError(f"{where}: {wrong:g} is not from 0 to 1; expected shares of the photo's width and height")
    return Box(sheet.names.get(number, f"class_{number}"), _area(values))


def _area(values: list[float]) -> float:
    """Return the share of the photo that a box or a polygon (by the shoelace formula) covers."""
    if len(values) == 4:
        return values[2] * values[3]
    xs, ys = values[::2], values[1::2]
    return abs(sum(x * ys[i - 1] - xs[i - 1] * y for i, (x, y) in enumerate(zip(xs, ys, strict=True)))) / 2


# ---- writing


def write(manifest: Manifest, path: Path) -> None:
    """Write a new folder: a box over the whole photo for every class but the good one, whose files stay empty.

    Raises:
        DataError: a class or photo that cannot be written.
    """
    names = new_names(manifest)
    good = good_name(manifest.classes)
    classes = [label for label in manifest.classes if label != good]
    with new_folder(path) as folder:
        for sample, name in zip(manifest.samples, names, strict=True):
            write_photo(manifest, sample, folder / "images" / sample.split / name)
            text = "" if sample.label == good else f"{classes.index(sample.label)} 0.5 0.5 1 1\n"
            label = (folder / "labels" / sample.split / name).with_suffix(".txt")
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text(text, encoding="utf-8")
        splits = [split for split in SPLITS if any(sample.split == split for sample in manifest.samples)]
        lines = [f"{split}: images/{split}" for split in splits]
        lines += ["names:" if classes else "names: []"]
        lines += [f"  {number}: {quoted(label)}" for number, label in enumerate(classes)]
        if good:
            lines += ["# gonogo: what a photo with an empty label file is", f"good: {quoted(good)}"]
        write_text(folder / "data.yaml", "\n".join(lines) + "\n")


FORMAT = Format(sniff, read, write, has_boxes=True)
