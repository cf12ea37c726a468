"""The CIFAR binaries: 32x32 colour photos as records of one file, a class number before each."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from gonogo.data.formats import DEFAULT_OPTIONS, Format, ReadOptions
from gonogo.data.formats.inside import DataFolder, check_text
from gonogo.data.images import decode_photo
from gonogo.data.manifest import Manifest, Sample
from gonogo.data.records import LAYOUTS, SIDE, RecordLayout
from gonogo.errors import DataError
from gonogo.files import new_folder, write_text

# As the official archive has them.
BATCH_RECORDS = 10_000
_BATCH = re.compile(r"data_batch_([0-9]{1,4})\.bin")


def _files(path: Path) -> tuple[str, dict[str, str]]:
    """Return the layout's name and file name to split; no files where it is neither layout."""
    names = sorted(file.name for file in path.iterdir()) if path.is_dir() else []
    batches = sorted((name for name in names if _BATCH.fullmatch(name)), key=lambda name: int(name[11:-4]))
    test = ["test_batch.bin"] if "test_batch.bin" in names else []
    if batches or test:
        return "cifar10", dict.fromkeys(batches, "train") | dict.fromkeys(test, "test")
    if LAYOUTS["cifar100"].names_file in names:
        return "cifar100", {f"{split}.bin": split for split in ("train", "test") if f"{split}.bin" in names}
    return "", {}


def sniff(path: Path) -> float:
    """Return .8 where the files have the names of the official archives."""
    return 0.8 if _files(path)[1] else 0.0


def read(path: Path, _options: ReadOptions = DEFAULT_OPTIONS) -> Manifest:
    """Read the class of every record; CIFAR-100's are the fine ones.

    Raises:
        DataError: no such files, a file that is no whole number of records, or a class without a name.
    """
    source, files = _files(path)
    if not files:
        raise DataError(
            f"{path}: no CIFAR binaries; expected data_batch_1.bin and so on, or train.bin, test.bin and "
            f"{LAYOUTS['cifar100'].names_file}"
        )
    folder, layout = DataFolder(path), LAYOUTS[source]
    names = _names(folder, layout)
    samples = []
    for file, split in files.items():
        for number, label in enumerate(_labels(folder, path / file, layout, len(names))):
            samples.append(Sample(f"{file}#{number}", names[label], split, source=source))
    return Manifest(path, tuple(samples), tuple(sorted({sample.label for sample in samples})))


def _names(folder: DataFolder, layout: RecordLayout) -> list[str]:
    path = folder.root / layout.names_file
    if not folder.has_file(path):
        return [f"class_{number}" for number in range(layout.most_classes)]
    names = [check_text(line, str(path)).strip() for line in folder.read_text(path).splitlines() if line.strip()]
    if not names or len(names) > layout.most_classes or len(set(names)) < len(names):
        raise DataError(f"{path}: {len(names)} names, expected up to {layout.most_classes}, each once")
    return names


def _labels(folder: DataFolder, path: Path, layout: RecordLayout, classes: int) -> list[int]:
    data = folder.read_bytes(path)
    if not data or len(data) % layout.size_bytes:
        raise DataError(
            f"{path}: {len(data):,} bytes, expected a multiple of {layout.size_bytes:,} (a record); download it again"
        )
    labels = np.frombuffer(data, np.uint8).reshape(-1, layout.size_bytes)[:, layout.label_bytes - 1]
    wrong = np.flatnonzero(labels >= classes)
    if len(wrong):
        raise DataError(
            f"{path}: record {wrong[0]} has class {labels[wrong[0]]}, expected 0 to {classes - 1}; the file is "
            f"damaged, or {layout.names_file} lacks names"
        )
    return [int(label) for label in labels]


def write(manifest: Manifest, path: Path) -> None:
    """Write a new folder of records; grey photos become colour ones of three equal planes.

    Raises:
        DataError: photos of another size, a split other than train and test, or too many classes.
    """
    splits = {sample.split for sample in manifest.samples}
    if splits - {"train", "test"}:
        other = "val" if "val" in splits else "no split"
        raise DataError(f"some photos have {other}, and the CIFAR layout knows train and test; name one for each")
    if len(manifest.classes) > LAYOUTS["cifar100"].most_classes:
        raise DataError(f"{len(manifest.classes)} classes, and the CIFAR layout holds up to 100; choose another format")
    for label in manifest.classes:
        if check_text(label, "class") != label.strip():
            raise DataError(f"the class '{label}' begins or ends with a space; rename it")
    is_small = len(manifest.classes) <= LAYOUTS["cifar10"].most_classes
    layout = LAYOUTS["cifar10" if is_small else "cifar100"]
    with new_folder(path) as folder:
        write_text(folder / layout.names_file, "".join(f"{label}\n" for label in manifest.classes))
        for split in sorted(splits):
            records = _records(manifest.select(split), layout)
            step = BATCH_RECORDS if is_small and split == "train" else max(len(records), 1)
            for batch, first in enumerate(range(0, len(records), step), start=1):
                small = f"data_batch_{batch}.bin" if split == "train" else "test_batch.bin"
                name = small if is_small else f"{split}.bin"
                (folder / name).write_bytes(b"".join(records[first : first + step]))


def _records(manifest: Manifest, layout: RecordLayout) -> list[bytes]:
    records = []
    for sample, label in zip(manifest.samples, manifest.labels, strict=True):
        pixels = decode_photo(manifest.read_bytes(sample), channels=3, name=sample.path)
        if pixels.shape != (SIDE, SIDE, 3):
            raise DataError(
                f"{sample.path}: {pixels.shape[1]}x{pixels.shape[0]} pixels, and the CIFAR layout holds {SIDE}x{SIDE} "
                "only; choose another format"
            )
        head = bytes(layout.label_bytes - 1) + bytes([label])
        records.append(head + pixels.transpose(2, 0, 1).tobytes())
    return records


FORMAT = Format(sniff, read, write, splits=("train", "test"), size=(SIDE, SIDE))
