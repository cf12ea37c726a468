"""Named extensions, imported on first use: one file and one line each."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from gonogo.errors import UsageError, did_you_mean

T = TypeVar("T")


class Registry(Generic[T]):
    """A mapping from a name to an object that is imported when it is asked for.

    Args:
        kind: what the entries are, for messages ("architecture").
        entries: name to "module:attribute".
    """

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._entries = dict(entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def get(self, name: str) -> T:
        """Import and return the entry.

        Raises:
            UsageError: no such name; the message names the nearest one.
        """
        if name not in self._entries:
            raise UsageError(f"unknown {self.kind} '{name}'; {did_you_mean(name, self._entries)}")
        module, _, attribute = self._entries[name].partition(":")
        entry: Any = getattr(importlib.import_module(module), attribute)
        return entry  # type: ignore[no-any-return]
