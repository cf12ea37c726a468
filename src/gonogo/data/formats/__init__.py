"""Data set formats: one file each, each sniffed, read and written."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from gonogo.data.formats.inside import DataFolder, check_path, check_text, one_line
from gonogo.data.manifest import Manifest
from gonogo.data.task import reads_as_good
from gonogo.errors import DataError, MissingExtraError, UsageError
from gonogo.registry import Registry
from gonogo.types import SPLITS

TaskName = Literal["binary", "class"]
MixedRule = Literal["refuse", "first", "largest", "most", "skip"]


@dataclass(frozen=True)
class ReadOptions:
    """What may be said about labels.

    Attributes:
        task: "binary" for good and defect, "class" for the kinds; None leaves it to the format.
        mixed: what a photo with boxes of several classes is: refused; of its first or its largest box's class, or of
            the class of most boxes; or left out.
        empty_classes: read a class folder without photos as a class, for whoever will report it; refused otherwise.
        photos: the folder that a table's paths are below, where it is not the table's own.
        single_class: one class is enough, as of good parts alone; refused otherwise.
        loose: the class of photos in a folder without class folders; refused unless given.
    """

    task: TaskName | None = None
    mixed: MixedRule = "refuse"
    empty_classes: bool = False
    photos: Path | None = None
    single_class: bool = False
    loose: str | None = None


DEFAULT_OPTIONS = ReadOptions()


@dataclass(frozen=True)
class Format:
    """How one layout of files is recognised, read and written.

    Attributes:
        sniff: 0 (is not it) to 1 (certainly it).
        read: path and options to manifest.
        write: manifest and a new folder or file.
        splits: the splits it can name, empty for a set that is not split; others are refused when writing.
        size: width and height of the only photos it can hold; None for any.
        classes: the only ones it can hold; empty for any.
        has_boxes: its labels come from boxes, so that it obeys the options itself.
        linked_folders: links to folders of photos elsewhere are followed, as whoever arranged them meant.
    """

    sniff: Callable[[Path], float]
    read: Callable[[Path, ReadOptions], Manifest]
    write: Callable[[Manifest, Path], None]
    splits: tuple[str, ...] = ("", *SPLITS)
    size: tuple[int, int] | None = None
    classes: tuple[str, ...] = ()
    has_boxes: bool = False
    linked_folders: bool = False


FORMATS: Registry[Format] = Registry(
    "format",
    {
        "table": "gonogo.data.formats.table:FORMAT",
        "imagefolder": "gonogo.data.formats.imagefolder:FORMAT",
        "yolo": "gonogo.data.formats.yolo:FORMAT",
        "voc": "gonogo.data.formats.voc:FORMAT",
        "coco": "gonogo.data.formats.coco:FORMAT",
        "cifar": "gonogo.data.formats.cifar:FORMAT",
        "gc10": "gonogo.data.formats.gc10:FORMAT",
    },
)


def read_dataset(path: Path | str, format_name: str | None = None, options: ReadOptions = DEFAULT_OPTIONS) -> Manifest:
    """Read a data set, recognising its format.

    Args:
        path: a folder or a file that describes one.
        format_name: a name from the registry, to skip the recognition.
        options: what the labels are made of.

    Raises:
        DataError: no such path, nothing in it that any format recognises (or several do), a name that leaves the
            data's folder, or only one class.
        UsageError: no such format, or an option that it does not know.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"no such file or folder: {path}; give a folder of photos or a manifest file")
    try:
        name = format_name or _recognise(path)
        entry = FORMATS.get(name)
        if options.photos is not None and name != "table":
            raise UsageError(f"--photos says where a table's photos lie, but {path} is no table; leave it out")
        manifest = entry.read(path, options)
        if options.task == "binary" and not entry.has_boxes:
            manifest = _as_binary(manifest, path)
        return _check(manifest, path, entry, options)
    except OSError as error:
        raise DataError(one_line(f"{error.filename or path}: cannot be read ({error.strerror})")) from error
    except DataError as error:
        raise DataError(one_line(str(error))) from error


def _recognise(path: Path) -> str:
    scores = {name: FORMATS.get(name).sniff(path) for name in FORMATS}
    highest = max(scores.values())
    if highest <= 0:
        raise DataError(
            f"{path}: no data set found; expected a folder with one sub-folder of photos for each class (such as ok/ "
            "and defect/), a CSV or Parquet table with the columns path and label, or the files of YOLO, Pascal VOC, "
            "COCO or the CIFAR binaries"
        )
    best = [name for name, score in scores.items() if score == highest]
    if len(best) > 1:
        raise DataError(f"{path} can be read as {' and as '.join(best)}; say which with --format {best[0]}")
    return best[0]


def _as_binary(manifest: Manifest, path: Path) -> Manifest:
    """Make every class but the good one "defect"."""
    good = [name for name in manifest.classes if reads_as_good(name)]
    if len(good) != 1:
        raise DataError(
            f"{path}: {len(good)} of the classes {', '.join(manifest.classes[:10])} read as good, but --task binary "
            "needs exactly one; rename it 'good', or leave --task out"
        )
    samples = tuple(s if s.label == good[0] else replace(s, label="defect") for s in manifest.samples)
    return replace(manifest, samples=samples, classes=tuple(sorted({s.label for s in samples})))


def _check(manifest: Manifest, path: Path, entry: Format, options: ReadOptions) -> Manifest:
    folder = DataFolder(manifest.root, linked_folders=entry.linked_folders)
    for sample in manifest.samples:
        check_path(sample.path, str(path))
    for name in {sample.label for sample in manifest.samples}:
        check_text(name, f"{path}: class")
    for file in dict.fromkeys(manifest.file_of(sample) for sample in manifest.samples):
        folder.has_file(file)  # one that is missing is named by the scan, with all others
    if len(manifest.classes) == 1 and not options.single_class:
        raise DataError(
            f"{path}: only one class, '{manifest.classes[0]}'; expected photos of at least two, such as ok and defect"
        )
    return manifest


def import_extra(module: str, package: str) -> Any:
    """Import what only some data sets need, so that a device can do without.

    Args:
        module: to import.
        package: what installs it.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(package, "train") from error
