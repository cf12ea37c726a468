"""GC10-DET's own layout: photos in folders numbered by their defect, and boxes as XML files in a folder ``lable``.

The class of a photo is its folder's. Source of the layout and the names: Lv et al., "Deep metallic surface defect
detection: the new benchmark and detection network", Sensors 20 (2020) 1562, and the data set that comes with it.
"""

from __future__ import annotations

from pathlib import Path

from gonogo.data.formats import DEFAULT_OPTIONS, Format, ReadOptions
from gonogo.data.formats.imagefolder import photos_below
from gonogo.data.formats.imagefolder import write as write_folder
from gonogo.data.manifest import Manifest, Sample
from gonogo.errors import DataError, UsageError
from gonogo.files import new_folder

# By the folder's number; the annotations use their Chinese names (1_chongkong to 10_yaozhe).
CLASSES = (
    "punching", "weld line", "crescent gap", "water spot", "oil spot",
    "silk spot", "inclusion", "rolled pit", "crease", "waist folding",
)  # fmt: skip
BOXES = ("lable", "label")


def _numbered(path: Path) -> dict[int, Path]:
    """Return class number, from 1, to its folder."""
    return {n: path / str(n) for n in range(1, len(CLASSES) + 1) if (path / str(n)).is_dir()}


def sniff(path: Path) -> float:
    """Return .9 for numbered folders beside one of annotations."""
    if not path.is_dir() or not any((path / name).is_dir() for name in BOXES):
        return 0.0
    return 0.9 if len(_numbered(path)) > 1 else 0.0


def read(path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> Manifest:
    """Read the photos of the numbered folders.

    Raises:
        DataError: another folder with photos stands beside them, a numbered one has none, or there are fewer than two.
        UsageError: good and defective are asked for; no photo here is good.
    """
    if options.task == "binary":
        raise UsageError(f"{path}: every photo of GC10-DET shows a defect, so there is no good part; leave --task out")
    folders = _numbered(path)
    others = [p.name for p in sorted(path.iterdir()) if p.is_dir() and p not in folders.values()]
    strange = [name for name in others if name not in BOXES and photos_below(path / name)]
    if strange:
        raise DataError(f"{path}: photos in '{strange[0]}', expected folders 1 to {len(CLASSES)} only; move them away")
    if len(folders) < 2:
        raise DataError(f"{path}: {len(folders)} folders numbered 1 to {len(CLASSES)}, expected two at least")
    samples: list[Sample] = []
    for number, folder in folders.items():
        photos = photos_below(folder)
        if not photos and not options.empty_classes:
            raise DataError(f"{folder}: a class folder with no photos; put photos in it or remove the folder")
        label = CLASSES[number - 1]
        samples += [Sample(photo.relative_to(path).as_posix(), label, source="gc10") for photo in photos]
    return Manifest(path, tuple(samples), tuple(sorted(CLASSES[number - 1] for number in folders)))


def write(manifest: Manifest, path: Path) -> None:
    """Copy the photos into numbered folders, beside an empty one for annotations.

    Raises:
        DataError: a class that GC10-DET does not have, or two photos of one name in a class.
    """
    unknown = [label for label in manifest.classes if label not in CLASSES]
    if unknown:
        raise DataError(f"the class '{unknown[0]}' is none of GC10-DET's ten: {', '.join(CLASSES)}; choose a format")
    with new_folder(path) as folder:
        write_folder(manifest, folder / "by-name")
        for label in manifest.classes:
            (folder / "by-name" / label).rename(folder / str(CLASSES.index(label) + 1))
        (folder / "by-name").rmdir()
        (folder / BOXES[0]).mkdir()


FORMAT = Format(sniff, read, write, splits=("",), classes=CLASSES)
