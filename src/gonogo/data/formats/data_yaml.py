"""``data.yaml``, which names the classes of a YOLO data set and where its photos lie."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gonogo.data.formats import import_extra
from gonogo.data.formats.boxes import split_of
from gonogo.data.formats.inside import DataFolder, check_text
from gonogo.errors import DataError
from gonogo.types import SPLITS

SHEETS = ("data.yaml", "data.yml", "dataset.yaml")
# Far more than any list of classes; the parser's time grows faster than its text.
MOST_CHARACTERS = 200_000


@dataclass(frozen=True)
class Sheet:
    """What ``data.yaml`` says.

    Attributes:
        path: of the file, for messages.
        names: class number to name.
        good: name of the class that photos without boxes are; our own key, empty where it is not there.
        base: the folder its paths are below.
        listed: split to folders and lists of photos.
    """

    path: Path
    names: dict[int, str] = field(default_factory=dict)
    good: str = ""
    base: str = ""
    listed: dict[str, list[str]] = field(default_factory=dict)


def read_sheet(folder: DataFolder, path: Path) -> Sheet:
    """Read the file.

    Raises:
        DataError: it is not YAML, or holds something else than names and places below the folder.
        MissingExtraError: PyYAML is not installed.
    """
    yaml = import_extra("yaml", "pyyaml")
    text = folder.read_text(path)
    if len(text) > MOST_CHARACTERS:
        raise DataError(f"{path}: {len(text):,} characters, expected a short list of names and folders")
    try:
        # Only text, lists and tables: a class named "no" or "1e3" stays what was written, and nothing is executed.
        values = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise DataError(f"{path}{line}: not YAML; expected lines such as 'names: [crack, dent]'") from error
    if not isinstance(values, dict):
        raise DataError(f"{path}: found no table; expected keys such as names, train and val")
    good = values.get("good", "")
    if not isinstance(good, str):
        raise DataError(f"{path}: 'good' is not a name; expected one, such as 'good: ok'")
    return Sheet(
        path,
        _names(path, values.get("names", {})),
        check_text(good, f"{path}: good").strip() if good else "",
        _base(folder, path, values.get("path", "")),
        {split: _places(path, values, split) for split in SPLITS},
    )


def _names(path: Path, names: Any) -> dict[int, str]:
    if isinstance(names, list):
        names = {str(number): name for number, name in enumerate(names)}
    if not isinstance(names, dict):
        raise DataError(f"{path}: 'names' is neither a list nor a table; expected 'names: [crack, dent]'")
    found: dict[int, str] = {}
    for key, name in names.items():
        if not isinstance(key, str) or not re.fullmatch("[0-9]{1,6}", key) or not isinstance(name, str):
            raise DataError(f"{path}: 'names' has an entry that is not a class number and a name, such as '0: crack'")
        found[int(key)] = check_text(name, f"{path}: names").strip()
    if len(set(found.values())) < len(found):
        twice = Counter(found.values()).most_common(1)[0][0]
        raise DataError(f"{path}: two classes are named '{twice}'; expected a name for each")
    return found


def _base(folder: DataFolder, path: Path, base: Any) -> str:
    """Return the folder below the root that the paths are meant from; it may be named through the root itself."""
    if not isinstance(base, str):
        raise DataError(f"{path}: 'path' is not a folder's name; expected one below this file, or no such line")
    if not base:
        return ""
    check_text(base, f"{path}: path")
    try:
        inner = Path(os.path.realpath(folder.root / base)).relative_to(os.path.realpath(folder.root))
    except ValueError as error:
        raise DataError(
            f"{path}: 'path: {base[:200]}' leaves {folder.root}; remove the line, or write 'path: .'"
        ) from error
    return inner.as_posix()


def _places(path: Path, values: dict[Any, Any], split: str) -> list[str]:
    keys = [key for key in values if isinstance(key, str) and split_of(key) == split]
    places = [place for key in keys for place in (values[key] if isinstance(values[key], list) else [values[key]])]
    if not all(isinstance(place, str) for place in places):
        raise DataError(f"{path}: '{split}' is not a folder or a list of them; expected '{split}: images/{split}'")
    return [place for place in places if place]


def quoted(text: str) -> str:
    """Return text as a YAML string in double quotes."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in plain) + '"'
