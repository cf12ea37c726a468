"""Files that are either whole or absent: write to a temporary name beside the target, then rename."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gonogo.errors import UsageError

SECONDS_A_DAY = 86_400


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; rename it to `path` when the block ends, delete it when the block fails.

    Raises:
        UsageError: the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
        mode = temporary.stat().st_mode
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; choose a folder you may write to") from error
    try:
        yield temporary
        temporary.chmod(mode)  # some libraries write a file of their own under the temporary name, with other rights
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file, or leave what was there."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files that processes which are gone left in a folder (their number is in the name)."""
    for leftover in folder.glob(".*.tmp"):
        owner = leftover.name.rsplit(".", 2)[-2]
        if owner.isdigit() and _is_gone(owner, leftover):
            leftover.unlink(missing_ok=True)


def _is_gone(owner: str, leftover: Path) -> bool:
    """Say whether the process that wrote a file has ended; without /proc, whether the file is older than a day."""
    processes = Path("/proc")
    if processes.is_dir():
        return not (processes / owner).exists()
    return time.time() - leftover.stat().st_mtime > SECONDS_A_DAY


def check_writable(path: Path) -> None:
    """See that a folder could be made, leaving no trace.

    Raises:
        UsageError: it could not.
    """
    nearest = path
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; choose a folder you may write to") from error


def check_new_file(path: Path) -> None:
    """See that a file could be made or replaced, leaving no trace.

    Raises:
        UsageError: it could not, or a folder is in the way.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder, expected a file to write; give a name inside it")
    check_writable(path.parent)


def check_new_folder(path: Path, *, force: bool = False, marker: str = "manifest.csv") -> None:
    """See that a folder could be made or replaced, leaving no trace; arguments and errors as for `new_folder`."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file, expected a folder to write; give another name")
    if path.is_dir() and any(path.iterdir()):
        if not force:
            raise UsageError(f"{path} exists and is not empty; give another name, or --force to replace it")
        if not (path / marker).is_file():
            raise UsageError(f"{path} has no {marker}, so --force does not delete it; give another name")
    check_writable(path)


@contextmanager
def new_folder(path: Path, *, force: bool = False, marker: str = "manifest.csv") -> Iterator[Path]:
    """Give a temporary folder to fill; rename it to `path` when the block ends, delete it when the block fails.

    Args:
        path: the folder to make.
        force: replace a folder that is already there.
        marker: a file that shows that the folder is one of ours; any other is never replaced.

    Raises:
        UsageError: `path` is in the way, or its parent cannot be written.
    """
    check_new_folder(path, force=force, marker=marker)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; choose a folder you may write to") from error
    try:
        yield temporary
        temporary.chmod(0o755)
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
