"""Whatever a data set's files hold, reading them gives a data set or one line that says what is wrong."""

from __future__ import annotations

import json
import os
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Any
from unicodedata import category

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gonogo.data.formats import DEFAULT_OPTIONS, FORMATS, ReadOptions, read_dataset
from gonogo.data.manifest import Manifest
from gonogo.data.scan import scan
from gonogo.errors import DataError
from tests.helpers import encoded, noise, picture

QUICK = settings(max_examples=60, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
PHOTO = encoded(picture(noise(6, 6)), "PNG")
HOSTILE = [
    "../secret.png",
    "/etc/passwd",
    "a\n.png",
    "..",
    ".",
    "",
    "\0",
    "x" * 5000,
    "a/../../secret.png",
    "C:\\x.png",
]
NAMES = st.one_of(st.sampled_from([*HOSTILE, "a.png", "b.png"]), st.text(max_size=8))
OPTIONS = st.builds(
    ReadOptions,
    st.sampled_from([None, "binary", "class"]),
    st.sampled_from(["refuse", "first", "largest", "most", "skip"]),
)


def check(root: Path, name: str | None = None, options: ReadOptions = DEFAULT_OPTIONS) -> Manifest | None:
    """Read; the data set must lie below the root, or the error must be one line."""
    try:
        manifest = read_dataset(root, name, options)
    except DataError as error:
        assert str(error)
        assert len(str(error).splitlines()) == 1
        assert all(category(char) != "Cc" for char in str(error))
        return None
    base = os.path.realpath(root if root.is_dir() else root.parent)
    for sample in manifest.samples:
        assert os.path.realpath(manifest.file_of(sample)).startswith(base + os.sep)
        assert sample.label.strip()
    return manifest


def put(root: Path, files: dict[str, bytes | str]) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    return root


def check_files(
    files: dict[str, bytes | str], name: str | None, options: ReadOptions = DEFAULT_OPTIONS
) -> Manifest | None:
    """Write the files into a folder beside a secret and read it."""
    with tempfile.TemporaryDirectory() as folder:
        put(Path(folder), {"secret.png": PHOTO})
        return check(put(Path(folder) / "in", files), name, options)


def damaged(text: str) -> st.SearchStrategy[bytes]:
    """Return a whole file with a piece cut out or replaced."""

    def change(start: int, length: int, piece: bytes) -> bytes:
        data = text.encode()
        return data[:start] + piece + data[start + length :]

    pieces = st.one_of(
        st.binary(max_size=6), st.sampled_from([b"..", b"/", b"nan", b"-", b"1e400", b"\n", b"\0", b"&x;"])
    )
    return st.builds(change, st.integers(0, len(text)), st.integers(0, 12), pieces)


# ---- labels and data.yaml

YOLO = {"images/a.png": PHOTO, "images/b.png": PHOTO, "labels/b.txt": "1 0.5 0.5 0.1 0.1\n"}
SHEET = "path: .\ntrain: images\nval: ''\nnames:\n  0: crack\n  1: dent\ngood: ok\n"
NUMBERS = st.one_of(
    st.floats().map(repr), st.integers().map(str), st.sampled_from(["0", "1", "0.5", "x", "", "1_0", "٣"])
)


@QUICK
@given(st.one_of(st.binary(max_size=60), st.lists(st.lists(NUMBERS, max_size=9).map(" ".join), max_size=3)), OPTIONS)
def test_labels(text: bytes | list[str], options: ReadOptions):
    check_files(YOLO | {"labels/a.txt": text if isinstance(text, bytes) else "\n".join(text)}, "yolo", options)


@QUICK
@given(st.one_of(damaged(SHEET), st.binary(max_size=40), st.text(max_size=40)))
@example("a: &a [*a]")
@example("names: {<<: [&b {0: x}, *b]}")
@example("? [a]\n: b")
@example("names: 2001-99-99")
@example("a: " + "{b: " * 3000)
@example("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nnames: *c")
@example("--- a\n--- b")
@example("%YAML 9.9\n---\nnames: [a]")
def test_data_yaml(text: bytes | str):
    check_files(YOLO | {"labels/a.txt": "", "data.yaml": text}, None)


@QUICK
@given(NAMES, st.sampled_from(["train: ", "path: ", "val: [", "names: [", "good: "]))
def test_places_in_data_yaml(name: str, key: str):
    text = key + json.dumps(name) + ("]" if key.endswith("[") else "")
    check_files(YOLO | {"labels/a.txt": "", "data.yaml": text}, "yolo")


@QUICK
@given(st.lists(NAMES, max_size=3))
def test_lists_of_photos(names: list[str]):
    check_files(YOLO | {"labels/a.txt": "", "data.yaml": "train: l.txt", "l.txt": "\n".join(names)}, "yolo")


# ---- XML

XML = (
    '<?xml version="1.0"?><annotation><filename>a.png</filename><size><width>6</width></size><object><name>crack</name>'
    "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></object></annotation>"
)
VOC = {"JPEGImages/a.png": PHOTO, "JPEGImages/b.png": PHOTO, "Annotations/b.xml": "<annotation/>"}


@QUICK
@given(st.one_of(damaged(XML), st.binary(max_size=40)), OPTIONS)
@example(b'<?xml version="1.0" encoding="utf-7"?><annotation/>', ReadOptions())
@example(b'<?xml version="1.0" encoding="gb2312"?><annotation/>', ReadOptions())
@example(b'<!DOCTYPE a SYSTEM "/etc/passwd"><annotation/>', ReadOptions())
@example(b'<!DOCTYPE a [<!ENTITY % x SYSTEM "/etc/passwd"> %x;]><annotation/>', ReadOptions())
@example(b"\xff\xfe<\0a\0", ReadOptions())
def test_annotations(text: bytes, options: ReadOptions):
    check_files(VOC | {"Annotations/a.xml": text}, "voc", options)


@QUICK
@given(NAMES, NAMES, st.binary(max_size=20))
def test_names_in_annotations(filename: str, label: str, lines: bytes):
    escaped = [text.replace("&", "&amp;").replace("<", "&lt;") for text in (filename, label)]
    text = XML.replace("a.png", escaped[0]).replace("crack", escaped[1])
    check_files(VOC | {"Annotations/a.xml": text, "ImageSets/Main/train.txt": b"a\nb\n" + lines}, "voc")


# ---- JSON

ANY = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), NAMES),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=4,
)
KEYS = ("id", "file_name", "image_id", "category_id", "bbox", "area", "name")
ROWS = st.lists(
    st.one_of(
        ANY,
        st.dictionaries(st.sampled_from(KEYS), ANY, max_size=7),
        st.fixed_dictionaries({"id": st.integers(0, 1), "file_name": NAMES, "name": NAMES}),
        st.fixed_dictionaries({"image_id": st.integers(0, 1), "category_id": st.integers(0, 1), "bbox": ANY}),
    ),
    max_size=3,
)


@QUICK
@given(st.fixed_dictionaries({"images": ROWS, "annotations": ROWS, "categories": ROWS}), OPTIONS)
def test_coco_tables(tables: dict[str, Any], options: ReadOptions):
    check_files({"a.png": PHOTO, "b.png": PHOTO, "annotations/x.json": json.dumps(tables)}, "coco", options)


GOOD_TABLES = {
    "images": [{"id": 0, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}],
    "annotations": [{"image_id": 0, "category_id": 1, "bbox": [0, 0, 3, 3], "area": 9}],
    "categories": [{"id": 1, "name": "crack"}],
}


@QUICK
@given(st.one_of(damaged(json.dumps(GOOD_TABLES)), st.binary(max_size=40)))
def test_coco_text(text: bytes):
    check_files({"a.png": PHOTO, "b.png": PHOTO, "annotations/x.json": text}, "coco")


# ---- tables and binaries


@QUICK
@given(st.one_of(damaged("path,label,split,width\na.png,ok,train,5\nb.png,bad,,\n"), st.binary(max_size=40)))
@example(b"path,label\n\0,ok\na.png,bad\n")
@example(b'path,label\n"a\rb",ok\na.png,bad\n')
@example(b"path,label,source\ndata_batch_1.bin#5,ok,cifar10\n../x.bin#1,bad,cifar10\n")
def test_csv(text: bytes):
    check_files({"a.png": PHOTO, "b.png": PHOTO, "manifest.csv": text}, None)


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path_factory.mktemp("parquet") / "x.parquet"
    pq.write_table(pa.table({"path": ["a.png", "b.png"], "label": ["ok", "bad"], "width": [5, 6]}), path)
    return path.read_bytes()


@settings(QUICK, max_examples=100)
@given(st.integers(0, 2000), st.integers(0, 40), st.binary(max_size=20))
def test_parquet(parquet: bytes, start: int, length: int, piece: bytes):
    start %= len(parquet)
    check_files({"a.png": PHOTO, "manifest.parquet": parquet[:start] + piece + parquet[start + length :]}, None)


@QUICK
@given(st.integers(0, 6200), st.binary(max_size=8), st.binary(max_size=30), st.sampled_from(["data_batch_1", "train"]))
def test_binaries(size: int, head: bytes, names: bytes, file: str):
    sheet = "batches.meta.txt" if file != "train" else "fine_label_names.txt"
    check_files({f"{file}.bin": (head + bytes(size))[:size], sheet: names}, None)


# ---- names, links and photos


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "cifar"])
def test_a_name_with_a_line_break_is_refused(name: str, tmp_path: Path):
    files = {"ok/a\nb.png": PHOTO, "bad/b.png": PHOTO, "images/a\nb.png": PHOTO, "JPEGImages/a\nb.png": PHOTO}
    box = {"labels/a\nb.txt": "", "Annotations/a\nb.xml": XML, "manifest.csv": 'path,label\n"a\nb.png",x\nb.png,y\n'}
    tables = json.dumps(GOOD_TABLES).replace("a.png", "a\\nb.png")
    assert check(put(tmp_path, files | box | {"annotations/x.json": tables}), name) is None


@pytest.mark.parametrize("name", FORMATS)
def test_folders_that_are_links_to_themselves_end(name: str, tmp_path: Path):
    for link in ("images", "labels", "Annotations", "JPEGImages", "annotations", "train", "data.yaml", "manifest.csv"):
        (tmp_path / link).symlink_to(link)
    (tmp_path / "data_batch_1.bin").symlink_to("batches.meta.txt")
    (tmp_path / "batches.meta.txt").symlink_to("data_batch_1.bin")
    assert check(tmp_path, name) is None
    assert check(tmp_path) is None
    for link in ("ok", "bad"):
        (tmp_path / link).mkdir()
        (tmp_path / link / "again").symlink_to(tmp_path, target_is_directory=True)
    check(tmp_path, name)
    check(tmp_path)


@pytest.mark.parametrize("place", ["images", "labels", "JPEGImages", "Annotations", "annotations", "train"])
def test_a_pipe_in_place_of_a_file_does_not_hang(place: str, tmp_path: Path):
    put(tmp_path, YOLO | VOC | {"ok/a.png": PHOTO, "train/images/a.png": PHOTO})
    for name in ("a.txt", "a.xml", "a.json", "p.png"):
        (tmp_path / place).mkdir(exist_ok=True)
        os.mkfifo(tmp_path / place / name)
    for name in FORMATS:
        check(tmp_path, name)


def _claim(width: int, height: int) -> bytes:
    """Return a PNG whose header claims a size and whose pixels are missing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("target", ["voc", "coco", "cifar"])
def test_a_photo_that_claims_far_too_many_pixels_is_refused(target: str, tmp_path: Path):
    put(tmp_path / "in", {"train/ok/a.png": _claim(50_000, 50_000), "train/bad/b.png": PHOTO})
    manifest = read_dataset(tmp_path / "in")
    with pytest.raises(DataError, match="claims more than"):
        scan(manifest)
    with pytest.raises(DataError, match="claims more than"):
        FORMATS.get(target).write(manifest.keep(s.label == "ok" for s in manifest.samples), tmp_path / "out")
    assert not (tmp_path / "out").exists()
