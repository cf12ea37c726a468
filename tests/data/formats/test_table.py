"""Tables: CSV and Parquet say the same, and the same mistakes are named in both."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gonogo.data import formats
from gonogo.data.formats import FORMATS, ReadOptions, read_dataset
from gonogo.errors import DataError, MissingExtraError
from tests.helpers import write_photos


def parquet(file: Path, /, **columns: object) -> Path:
    pq.write_table(pa.table(columns), file)
    return file


def test_a_parquet_table_is_read_like_a_csv_table(tmp_path: Path):
    write_photos(tmp_path, {"ok": 2, "bad": 1})
    manifest = read_dataset(tmp_path)
    for name in ("m.csv", "m.parquet"):
        FORMATS.get("table").write(manifest, tmp_path / name)
    assert read_dataset(tmp_path / "m.parquet") == read_dataset(tmp_path / "m.csv") == manifest
    (tmp_path / "m.parquet").rename(tmp_path / "manifest.parquet")
    assert read_dataset(tmp_path).samples == manifest.samples


def test_categories_numbers_and_other_columns_are_understood(tmp_path: Path):
    table = parquet(
        tmp_path / "m.parquet",
        path=["a.png", "b.png"],
        label=pa.array(["ok", "bad"]).dictionary_encode(),
        group=[1, None],
        width=[5, 6],
        boxes=[[1, 2], []],
    )
    samples = read_dataset(table).samples
    assert [(s.label, s.group, s.width) for s in samples] == [("ok", "1", 5), ("bad", "", 6)]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"path": ["a"]}, "no column 'label'"),
        ({"path": [], "label": []}, "the table has no rows"),
        ({"path": ["a", "a"], "label": ["x", "y"]}, "'a' stands in 2 rows"),
        ({"path": ["../a"], "label": ["x"]}, "leaves the table's folder"),
        ({"path": ["a"], "label": [None]}, "path or label is empty"),
        ({"path": [["a"]], "label": ["x"]}, "not a Parquet table"),
        ({"path": [b"\xff"], "label": ["x"]}, "not a Parquet table"),
        ({"path": ["a", "b"], "label": ["x", "y"], "split": ["tran", ""]}, "split 'tran'"),
        ({"path": ["a", "b"], "label": ["x", "y"], "width": [1.5, 2]}, r"width '1\.5'"),
        ({"path": ["a\nb", "b"], "label": ["x", "y"]}, "line break"),
        ({"path": ["a", "b"], "label": ["x\r1", "y"]}, "line break"),
    ],
)
def test_what_a_table_may_not_hold_is_named(tmp_path: Path, columns: dict[str, list[object]], words: str):
    with pytest.raises(DataError, match=words) as caught:
        read_dataset(parquet(tmp_path / "m.parquet", **columns))
    assert "\n" not in str(caught.value)


def test_what_is_no_parquet_file_is_named(tmp_path: Path):
    for data in (b"", b"PAR1", b"path,label\na,b\n"):
        (tmp_path / "m.parquet").write_bytes(data)
        with pytest.raises(DataError, match="not a Parquet table"):
            read_dataset(tmp_path / "m.parquet")


def test_without_pyarrow_the_command_that_installs_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    table = parquet(tmp_path / "m.parquet", path=["a"], label=["x"])

    def missing(name: str) -> object:
        raise ImportError(name=name)

    monkeypatch.setattr(formats.importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'gonogo\[train\]'"):
        formats.import_extra("pyarrow", "pyarrow")
    assert table.exists()


def test_a_table_apart_from_its_photos_is_not_written(tmp_path: Path):
    write_photos(tmp_path / "photos", {"ok": 1, "bad": 1})
    with pytest.raises(DataError, match="would lie apart from its photos"):
        FORMATS.get("table").write(read_dataset(tmp_path / "photos"), tmp_path / "m.csv")


def test_links_to_folders_are_followed_and_links_to_files_elsewhere_are_not(tmp_path: Path):
    write_photos(tmp_path / "store", {"ok": 1, "bad": 1})
    root = tmp_path / "data"
    root.mkdir()
    (root / "photos").symlink_to(tmp_path / "store", target_is_directory=True)
    (root / "manifest.csv").write_text("path,label\nphotos/ok/000.png,ok\nphotos/bad/000.png,bad\n")
    assert len(read_dataset(root)) == 2
    (root / "c.png").symlink_to("/etc/hostname")
    (root / "manifest.csv").write_text("path,label\nphotos/ok/000.png,ok\nc.png,bad\n")
    with pytest.raises(DataError, match=r"c\.png: a link that leads out"):
        read_dataset(root)


def test_a_pipe_is_no_photo(tmp_path: Path):
    write_photos(tmp_path, {"ok": 1, "bad": 1})
    os.mkfifo(tmp_path / "ok" / "x.png")
    with pytest.raises(DataError, match="not a regular file"):
        read_dataset(tmp_path)


def test_kinds_become_defects_on_request(tmp_path: Path):
    write_photos(tmp_path, {"ok": 2, "crack": 1, "dent": 1})
    assert read_dataset(tmp_path, options=ReadOptions(task="binary")).counts() == {"defect": 2, "ok": 2}
    write_photos(tmp_path, {"good": 1})
    with pytest.raises(DataError, match="2 of the classes crack, dent, good, ok read as good"):
        read_dataset(tmp_path, options=ReadOptions(task="binary"))
