"""Files and folders are whole or absent."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gonogo.errors import UsageError
from gonogo.files import atomic_file, new_folder, sha256, write_text
from tests.helpers import tree


def test_sha256(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert sha256(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_a_failed_write_keeps_the_old_file(tmp_path: Path):
    path = tmp_path / "below" / "file.txt"
    write_text(path, "old\n")
    with pytest.raises(RuntimeError), atomic_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert tree(tmp_path) == {"below/file.txt": b"old\n"}
    write_text(path, "new\n")
    assert tree(tmp_path) == {"below/file.txt": b"new\n"}


def test_a_failed_folder_leaves_nothing(tmp_path: Path):
    with pytest.raises(RuntimeError), new_folder(tmp_path / "out") as folder:
        (folder / "half").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_replaced_as_a_whole_when_forced(tmp_path: Path):
    out = tmp_path / "out"
    with new_folder(out, marker="mark") as folder:
        (folder / "mark").write_text("1")
        (folder / "only-old").write_text("1")
    with pytest.raises(UsageError, match="not empty"), new_folder(out, marker="mark"):
        pass
    with pytest.raises(RuntimeError), new_folder(out, marker="mark", force=True):
        raise RuntimeError
    assert tree(tmp_path) == {"out/mark": b"1", "out/only-old": b"1"}
    with new_folder(out, marker="mark", force=True) as folder:
        (folder / "mark").write_text("2")
    assert tree(tmp_path) == {"out/mark": b"2"}
    assert out.stat().st_mode & 0o777 == 0o755


def test_a_folder_without_the_marker_is_never_replaced(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match="does not delete it"), new_folder(tmp_path, force=True, marker="mark"):
        pass
    assert tree(tmp_path) == {"thesis.txt": b"x"}


def test_an_empty_folder_is_taken_and_a_file_is_not(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with new_folder(tmp_path / "empty") as folder:
        (folder / "a").write_text("1")
    assert tree(tmp_path) == {"empty/a": b"1"}
    with pytest.raises(UsageError, match="is a file"), new_folder(tmp_path / "empty" / "a"):
        pass
    with pytest.raises(UsageError, match="cannot write"):
        write_text(tmp_path / "empty" / "a" / "b", "x")
