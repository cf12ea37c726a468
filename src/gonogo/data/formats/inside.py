"""Names that a data set's files give are not trusted: whatever they say, nothing outside the data is opened."""

from __future__ import annotations

import os
import stat
import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

from gonogo.errors import DataError

# Controls, halves of surrogate pairs, and the two Unicode line ends: none of them belongs into a name or a message.
_REFUSED = frozenset(("Cc", "Cs", "Zl", "Zp"))
_NONCHARACTERS = frozenset("\ufffe\uffff")


def check_text(text: str, where: str) -> str:
    """Return a name of a photo or class that can be written into any table and message.

    Raises:
        DataError: it is empty, or has line breaks or other control characters.
    """
    if not text.strip():
        raise DataError(f"{where}: an empty name; expected text")
    if any(unicodedata.category(char) in _REFUSED or char in _NONCHARACTERS for char in text):
        raise DataError(f"{where}: the name {text[:60]!a} has a line break or control character; rename it")
    return text


def one_line(text: str) -> str:
    """Return a message with line breaks and other control characters written out, as terminals and logs need it."""
    return "".join(c if unicodedata.category(c) not in _REFUSED else ascii(c)[1:-1] for c in text)


def check_path(name: str, where: str) -> str:
    """Return a relative path in plain form ("./a//b" is "a/b").

    Raises:
        DataError: it is absolute, goes up with "..", or is no plain text.
    """
    path = PurePosixPath(check_text(name, where))
    windows = ("\\" in name or ":" in name) and PureWindowsPath(name).is_absolute()
    if path.is_absolute() or windows or ".." in path.parts or not path.parts:
        raise DataError(f"{where}: '{name[:200]}' leaves the data's folder; give paths below it")
    return path.as_posix()


class DataFolder:
    """The folder that no path may leave, with links followed to where they lead.

    Args:
        root: the folder.
        linked_folders: follow links to folders elsewhere; files that are links out are refused all the same.
    """

    def __init__(self, root: Path, *, linked_folders: bool = False) -> None:
        self.root = root
        self._real = os.path.realpath(root)
        self._linked_folders = linked_folders
        self._parents: dict[Path, str] = {}

    def has_file(self, path: Path) -> bool:
        """Say whether a regular file is there; False for nothing and for a link that leads nowhere.

        Raises:
            DataError: it lies outside the folder, or is something that cannot be read like a file.
        """
        try:
            mode = os.lstat(path).st_mode
        except (OSError, ValueError):
            return False
        parent = self._parent(path.parent)
        if stat.S_ISLNK(mode):
            target = os.path.realpath(path)
            if not (_is_below(target, self._real) or _is_below(target, parent)):
                raise DataError(f"{path}: a link that leads out of {self.root}; copy the file instead")
            try:
                mode = os.stat(path).st_mode  # noqa: PTH116  # names the same as lstat above
            except OSError:
                return False
        if not stat.S_ISREG(mode):
            raise DataError(f"{path}: not a regular file, expected one; remove it")
        return True

    def has_folder(self, path: Path) -> bool:
        """Say whether a folder is there; asked before a walk, because a link may lead to a whole disk.

        Raises:
            DataError: it lies outside.
        """
        return os.path.isdir(path) and bool(self._parent(path))  # noqa: PTH112  # never raises

    def read_text(self, path: Path) -> str:
        """Return the text of a file in the folder.

        Raises:
            DataError: it is not there, lies outside, or is not UTF-8.
        """
        try:
            return self.read_bytes(path).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not UTF-8 text ({error.reason}); save it as UTF-8") from error

    def read_bytes(self, path: Path) -> bytes:
        """Return the bytes of a file in the folder; errors as for `read_text`."""
        if not self.has_file(path):
            raise DataError(f"{path}: no such file; expected one that can be read")
        try:
            return path.read_bytes()
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from error

    def _parent(self, folder: Path) -> str:
        """Return where a folder really lies, asked once for each."""
        if folder not in self._parents:
            real = os.path.realpath(folder)
            if not self._linked_folders and real != self._real and not _is_below(real, self._real):
                raise DataError(f"{folder}: a link that leads out of {self.root}; copy the folder instead")
            self._parents[folder] = real
        return self._parents[folder]


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)
