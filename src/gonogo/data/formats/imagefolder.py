"""One sub-folder of photos for each class, with or without train, val and test above the classes."""

from __future__ import annotations

import os
from pathlib import Path

from gonogo.data.formats import DEFAULT_OPTIONS, Format, ReadOptions
from gonogo.data.formats.inside import check_text
from gonogo.data.manifest import Manifest, Sample
from gonogo.data.records import record_of
from gonogo.errors import DataError
from gonogo.files import new_folder

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
SUFFIXES = frozenset((".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".gif"))
# What desktops leave in folders.
LITTER = frozenset(("thumbs.db", "desktop.ini"))


def is_hidden(name: str) -> bool:
    """Say whether a file or folder is none of the data's."""
    return name.startswith((".", "__MACOSX")) or name.lower() in LITTER


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not is_hidden(p.name))


def photos_below(folder: Path) -> list[Path]:
    """Return the photo files below a folder, at any depth, in the order of their names.

    Folders reached through a link are not followed, so that a loop of links cannot trap the walk.
    """
    found: list[Path] = []
    for directory, names, files in os.walk(folder, followlinks=False):
        names[:] = sorted(name for name in names if not is_hidden(name))
        found += [Path(directory, name) for name in sorted(files) if _is_photo(name)]
    return found


def _is_photo(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES and not is_hidden(name)  # noqa: PTH122  # a third of the time


def _class_folders(path: Path) -> list[tuple[str, Path]]:
    """Return (split, class folder) for every class folder; the split is empty where there is none above."""
    top = _folders(path)
    _refuse_loose(path, top)
    splits = [folder for folder in top if folder.name.lower() in SPLIT_NAMES]
    if not splits:
        return [("", folder) for folder in top]
    stray = [folder.name for folder in top if folder not in splits]
    if stray:
        raise DataError(
            f"{path}: '{stray[0]}' stands beside '{splits[0].name}'; expected only train, val and test, or only classes"
        )
    for split in splits:
        _refuse_loose(split, _folders(split))
    return [(SPLIT_NAMES[split.name.lower()], folder) for split in splits for folder in _folders(split)]


def _refuse_loose(path: Path, folders: list[Path]) -> None:
    """Refuse photos that stand beside class folders: nobody said what class they are."""
    loose = sorted(p.name for p in path.iterdir() if p.is_file() and _is_photo(p.name))
    if loose and folders:
        raise DataError(
            f"{path}: {len(loose)} photos (such as {loose[0]}) stand beside the folders and so have no class; "
            "move them into one, or away"
        )


def sniff(path: Path) -> float:
    """Return .6 where sub-folders hold photos."""
    if not path.is_dir():
        return 0.0
    return 0.6 if _folders(path) else 0.1 if photos_below(path) else 0.0


def read(path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> Manifest:
    """Read the folder. A class is a name that any split has; every split must hold photos of every class it names.

    Raises:
        DataError: no class folders, no photos, or a class folder without photos.
    """
    folders = _class_folders(path)
    if options.loose is not None and not _folders(path) and photos_below(path):
        names = (photo.relative_to(path).as_posix() for photo in photos_below(path))
        alike = tuple(Sample(name, options.loose, source="imagefolder") for name in names)
        return Manifest(path, alike, (options.loose,))
    samples: list[Sample] = []
    for split, folder in folders:
        photos = photos_below(folder)
        if not photos and not options.empty_classes:
            raise DataError(f"{folder}: a class folder with no photos; put photos in it or remove the folder")
        samples += [
            Sample(photo.relative_to(path).as_posix(), folder.name, split, source="imagefolder") for photo in photos
        ]
    if not samples:
        loose = len(photos_below(path))
        found = f"{loose} photos but no class folders" if loose else "no photos"
        raise DataError(f"{path}: {found}; expected one sub-folder of photos for each class, such as ok/ and defect/")
    return Manifest(path, tuple(samples), tuple(sorted({folder.name for _, folder in folders})))


def write(manifest: Manifest, path: Path) -> None:
    """Copy the photos into a new folder, one sub-folder a class, below their split where they have one.

    Raises:
        DataError: two photos would get the same name, or a class or photo one that would not be read again.
    """
    is_split = any(sample.split for sample in manifest.samples)
    for label in manifest.classes:
        _check_folder_name(label, is_split)
    with new_folder(path) as folder:
        for sample in manifest.samples:
            target = folder / sample.split / sample.label / _file_name(sample)
            if target.exists():
                raise DataError(f"two photos of class '{sample.label}' are called {target.name}; rename one")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(manifest.read_bytes(sample))


def _check_folder_name(label: str, is_split: bool) -> None:
    """Refuse a class whose folder would lie elsewhere, be passed over, or be taken for a split."""
    check_text(label, "class")
    taken = not is_split and label.lower() in SPLIT_NAMES
    if Path(label).name != label or label == ".." or is_hidden(label) or taken:
        raise DataError(f"the class '{label}' cannot be the name of a folder of photos; rename it")


def _file_name(sample: Sample) -> str:
    record = record_of(sample.path, sample.source)
    if record is not None:
        return f"{Path(record[0]).stem}_{record[1]:05d}.ppm"
    name = Path(sample.path).name
    if not _is_photo(name):
        raise DataError(f"{sample.path}: does not end in .png, .jpg or the like, so it would be passed over; rename it")
    return name


FORMAT = Format(sniff, read, write, linked_folders=True)
