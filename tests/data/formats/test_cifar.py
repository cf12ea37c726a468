"""The CIFAR binaries: every pixel in its place, and files that are not what they should be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gonogo.data.cache import load_sample, reduced_pixels
from gonogo.data.formats import FORMATS, read_dataset
from gonogo.data.geometry import Geometry
from gonogo.data.manifest import read_table
from gonogo.data.scan import scan
from gonogo.errors import DataError
from tests.helpers import write_photos

RGB = Geometry(32, 32, 3, colour="rgb", mean=(0.0,) * 3, std=(1.0,) * 3)


def records(labels: list[int], label_bytes: int = 1, seed: int = 0) -> np.ndarray:
    """Return (N, label_bytes + 3072) uint8 records; the last label byte is the class."""
    rows = np.random.default_rng(seed).integers(0, 256, (len(labels), label_bytes + 3072), dtype=np.uint8)
    rows[:, label_bytes - 1] = labels
    return rows


def write(root: Path, **batches: np.ndarray) -> Path:
    root.mkdir(exist_ok=True)
    for name, rows in batches.items():
        (root / f"{name}.bin").write_bytes(rows.tobytes())
    (root / "batches.meta.txt").write_text("cat\ndog\n\n")
    return root


def planes(rows: np.ndarray, label_bytes: int = 1) -> np.ndarray:
    return rows[:, label_bytes:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def test_batches_are_read_in_the_order_of_their_numbers(tmp_path: Path, empty_cache: Path):
    first, tenth, test = records([0, 1]), records([1, 1], seed=1), records([1, 0], seed=2)
    write(tmp_path, data_batch_10=tenth, data_batch_2=first, test_batch=test)
    manifest = read_dataset(tmp_path)
    assert [(s.path, s.label, s.split) for s in manifest.samples] == [
        ("data_batch_2.bin#0", "cat", "train"),
        ("data_batch_2.bin#1", "dog", "train"),
        ("data_batch_10.bin#0", "dog", "train"),
        ("data_batch_10.bin#1", "dog", "train"),
        ("test_batch.bin#0", "dog", "test"),
        ("test_batch.bin#1", "cat", "test"),
    ]
    scanned = scan(manifest)
    assert scanned.sizes == {(32, 32): 6}
    assert len({s.sha256 for s in scanned.manifest.samples}) == 6
    expected = planes(np.concatenate([first, tenth, test]))
    assert np.array_equal(reduced_pixels(scanned.manifest, RGB), expected)
    assert np.array_equal(load_sample(manifest, manifest.samples[4], RGB), expected[4])


def test_a_record_is_found_again_through_a_table(tmp_path: Path):
    write(tmp_path, data_batch_1=records([0, 1]))
    manifest = read_dataset(tmp_path)
    manifest.write(tmp_path / "manifest.csv")
    again = read_table(tmp_path / "manifest.csv")
    assert [again.read_bytes(s) for s in again.samples] == [manifest.read_bytes(s) for s in manifest.samples]
    assert read_dataset(tmp_path).samples == again.samples


def test_the_fine_classes_of_the_hundred_are_read(tmp_path: Path):
    rows = records([3, 99], 2)
    for split in ("train", "test"):
        (tmp_path / f"{split}.bin").write_bytes(rows.tobytes())
    (tmp_path / "fine_label_names.txt").write_text("".join(f"kind {n}\n" for n in range(100)))
    manifest = read_dataset(tmp_path)
    assert manifest.counts() == {"kind 3": 2, "kind 99": 2}
    assert np.array_equal(load_sample(manifest, manifest.samples[1], RGB), planes(rows, 2)[1])


def test_more_than_ten_classes_are_written_as_the_hundred(tmp_path: Path):
    for split in ("train", "test"):
        write_photos(tmp_path / "in" / split, {f"kind {n}": 1 for n in range(11)}, (32, 32), 3)
    manifest = read_dataset(tmp_path / "in")
    FORMATS.get("cifar").write(manifest, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["fine_label_names.txt", "test.bin", "train.bin"]
    assert read_dataset(tmp_path / "out").counts() == manifest.counts()


def test_without_names_the_classes_are_numbers(tmp_path: Path):
    write(tmp_path, data_batch_1=records([0, 9]))
    (tmp_path / "batches.meta.txt").unlink()
    assert read_dataset(tmp_path).classes == ("class_0", "class_9")


@pytest.mark.parametrize(
    ("data", "names", "words"),
    [
        (b"", "a\nb\n", "0 bytes, expected a multiple of 3,073"),
        (b"\0" * 3072, "a\nb\n", "3,072 bytes"),
        (b"\0" * 3073 + b"\2" * 3073, "a\nb\n", "record 1 has class 2, expected 0 to 1"),
        (b"\0" * 3073, "a\na\n", "2 names"),
        (b"\0" * 3073, "\n", "0 names"),
        (b"\0" * 3073, "a\n" * 11, "11 names"),
        (b"\0" * 3073, "a\tb\n", "control character"),
    ],
)
def test_files_that_are_not_what_they_should_be_are_named(tmp_path: Path, data: bytes, names: str, words: str):
    (tmp_path / "data_batch_1.bin").write_bytes(data)
    (tmp_path / "batches.meta.txt").write_text(names)
    with pytest.raises(DataError, match=words):
        read_dataset(tmp_path)


def test_a_file_cut_short_after_it_was_read_is_an_error(tmp_path: Path, empty_cache: Path):
    manifest = read_dataset(write(tmp_path, data_batch_1=records([0, 1])))
    (tmp_path / "data_batch_1.bin").write_bytes(b"\0" * 4000)
    assert manifest.read_bytes(manifest.samples[0])
    with pytest.raises(DataError, match="no record 1, the file has 4000 bytes"):
        manifest.read_bytes(manifest.samples[1])
    with pytest.raises(DataError, match="1 unreadable photo of 2"):
        scan(manifest)
    (tmp_path / "data_batch_1.bin").unlink()
    with pytest.raises(DataError, match="cannot be read"):
        manifest.read_bytes(manifest.samples[0])


def test_what_the_layout_cannot_hold_is_not_written(tmp_path: Path):
    cifar = FORMATS.get("cifar")
    for splits, size, words in (
        (("train", "test"), (32, 31), "31x32 pixels"),
        (("train", "val"), (32, 32), "have val"),
        (("",), (32, 32), "no split"),
    ):
        root = tmp_path / words
        for split in splits:
            write_photos(root / split, {"ok": 1, "bad": 1}, size)
        with pytest.raises(DataError, match=words):
            cifar.write(read_dataset(root, "imagefolder"), tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_the_real_set_is_read_whole_and_at_once(real_data: Path, empty_cache: Path):
    manifest = read_dataset(real_data / "cifar10-binary")
    assert manifest.select("train").counts() == dict.fromkeys(manifest.classes, 2000)
    assert manifest.select("test").counts() == dict.fromkeys(manifest.classes, 500)
    assert manifest.classes[:2] == ("airplane", "automobile")
    few = manifest.keep(number % 500 == 0 for number in range(len(manifest)))
    assert scan(few).channels == 3
    raw = np.fromfile(real_data / "cifar10-binary" / "data_batch_1.bin", np.uint8).reshape(-1, 3073)
    assert np.array_equal(load_sample(few, few.samples[1], RGB), planes(raw[500:501])[0])
