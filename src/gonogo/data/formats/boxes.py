"""From boxes to one label a photo, and back: what YOLO, Pascal VOC and COCO have in common."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath

from gonogo.data.formats import MixedRule, ReadOptions
from gonogo.data.formats.imagefolder import SPLIT_NAMES, SUFFIXES, is_hidden
from gonogo.data.formats.inside import check_text
from gonogo.data.manifest import Manifest, Sample
from gonogo.data.records import record_of
from gonogo.data.task import reads_as_good
from gonogo.errors import DataError

GOOD, DEFECT = "good", "defect"
_SUFFIX_OF = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "TIFF": ".tif", "WEBP": ".webp", "PPM": ".ppm"}


@dataclass(frozen=True)
class Box:
    """One marked place.

    Attributes:
        label: its class.
        area: in any unit, the same for all boxes of a photo.
    """

    label: str
    area: float


@dataclass(frozen=True)
class Boxes:
    """A photo and what is marked in it.

    Attributes:
        path: below the data's folder.
        split: train, val, test or empty.
        boxes: in the order of the file; none where nothing was found.
    """

    path: str
    split: str
    boxes: tuple[Box, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes of its boxes, each once, in order."""
        return tuple(dict.fromkeys(box.label for box in self.boxes))


def split_of(name: str) -> str:
    """Return the split that a folder or list is named after ("train2017" is train), empty where it is none."""
    return SPLIT_NAMES.get(name.lower().rstrip("0123456789-_"), "")


def some(names: Sequence[str]) -> str:
    """Return the first names of many, for a message."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def count(number: int, singular: str, plural: str) -> str:
    """Return the number with the words that fit it."""
    return f"{number} {singular if number == 1 else plural}"


def label_photos(
    root: Path,
    photos: Sequence[Boxes],
    options: ReadOptions,
    *,
    source: str,
    good: str = "",
    names: Iterable[str] = (),
    notes: Iterable[str] = (),
) -> Manifest:
    """Give every photo one label.

    Args:
        root: the data's folder.
        photos: what is marked in each.
        options: "binary" or else classes, and the rule for mixed photos.
        source: of the samples.
        good: what the data call photos without boxes; empty to take the class among `names` that reads as good.
        names: all class names that the data know.
        notes: what was found so far.

    Raises:
        DataError: no photos, a photo that stands there twice, or mixed photos without a rule.
    """
    if not photos:
        raise DataError(f"{root}: no photos with {source} labels; expected photos and their label files below it")
    (most, times), *_ = Counter(photo.path for photo in photos).most_common(1)
    if times > 1:
        raise DataError(f"{root}: {most} stands there {times} times, in several splits or files; keep one of them")
    notes = list(notes)
    if options.task == "binary":
        labels = [DEFECT if any(not reads_as_good(box.label) for box in photo.boxes) else GOOD for photo in photos]
        kept = list(zip(photos, labels, strict=True))
    else:
        good = good or good_name({*names, *(box.label for photo in photos for box in photo.boxes)}) or GOOD
        mixed = [photo for photo in photos if len(photo.labels) > 1]
        notes += _report(root, mixed, options.mixed)
        kept = [(p, _choose(p, options.mixed, good)) for p in photos if len(p.labels) < 2 or options.mixed != "skip"]
    samples = tuple(Sample(photo.path, label, photo.split, source=source) for photo, label in kept)
    if not samples:
        raise DataError(f"{root}: every photo has boxes of several classes; give another rule than --mixed skip")
    return Manifest(root, samples, tuple(sorted({s.label for s in samples})), tuple(notes))


def good_name(names: Iterable[str]) -> str:
    """Return the only class that reads as good; empty where none or several do."""
    found = [name for name in names if reads_as_good(name)]
    return found[0] if len(found) == 1 else ""


def _report(root: Path, mixed: Sequence[Boxes], rule: MixedRule) -> list[str]:
    if not mixed:
        return []
    found = f"{count(len(mixed), 'photo has', 'photos have')} boxes of several classes"
    shown = some([f"{photo.path}: {' and '.join(photo.labels[:3])}" for photo in mixed])
    if rule == "refuse":
        raise DataError(
            f"{root}: {found} ({shown}), expected one class a photo; say what they are with --mixed first, largest, "
            "most or skip, or ask only for defects with --task binary"
        )
    done = {"skip": "left out", "most": "labelled by the class of most boxes"}
    return [f"{found} ({shown}); {done.get(rule, f'labelled by the {rule} box')}"]


def _choose(photo: Boxes, rule: MixedRule, good: str) -> str:
    if not photo.boxes:
        return good
    if rule == "largest":
        return max(photo.boxes, key=lambda box: box.area).label
    if rule == "most":
        # Where two classes have as many boxes, the one that covers more.
        weight: dict[str, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
        for box in photo.boxes:
            number, area = weight[box.label]
            weight[box.label] = (number + 1, area + box.area)
        return max(weight, key=lambda label: weight[label])
    return photo.boxes[0].label


def new_names(manifest: Manifest) -> list[str]:
    """Return a file name for each photo that no other has, with or without its suffix, on any file system.

    Raises:
        DataError: a class or photo has a name that cannot be written, or is no image file.
    """
    for label in manifest.classes:
        if check_text(label, "class") != label.strip():
            raise DataError(f"the class '{label}' begins or ends with a space; rename it")
    taken: set[str] = set()
    names = []
    for sample in manifest.samples:
        stem, suffix = _stem_and_suffix(manifest, sample)
        name, number = stem, 1
        while (key := unicodedata.normalize("NFC", name).casefold()) in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(key)
        names.append(name + suffix)
    return names


def _stem_and_suffix(manifest: Manifest, sample: Sample) -> tuple[str, str]:
    record = record_of(sample.path, sample.source)
    if record is not None:
        return f"{PurePosixPath(record[0]).stem}_{record[1]:05d}", ".ppm"
    path = PurePosixPath(check_text(sample.path, "photo"))
    # A name that begins with a dot would be hidden, and lists do not keep spaces at the ends.
    stem = re.sub(r"^[\s.]+|[\s.]+$", "", path.stem) or "photo"
    stem = f"photo{stem}" if is_hidden(stem) else stem
    return stem, path.suffix if path.suffix.lower() in SUFFIXES else _suffix_of(manifest, sample)


def _suffix_of(manifest: Manifest, sample: Sample) -> str:
    from PIL import Image

    broken = (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning)
    try:
        with Image.open(BytesIO(manifest.read_bytes(sample))) as image:
            return _SUFFIX_OF[image.format or ""]
    except (KeyError, *broken) as error:
        raise DataError(f"{sample.path}: no image file that can be written; name it .png, .jpg or the like") from error


def write_photo(manifest: Manifest, sample: Sample, target: Path) -> None:
    """Copy a photo's bytes into a new data set."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(manifest.read_bytes(sample))


def words_of(name: str) -> list[str]:
    """Return the parts of a file's name ("instances_train2017" is instances, train2017)."""
    return [word for word in re.split(r"[^A-Za-z0-9]+", name) if word]
