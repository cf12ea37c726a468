"""How findings are worded."""

from __future__ import annotations

from collections.abc import Iterable


def count_of(n: int, noun: str) -> str:
    """Return "1 photo", "2 photos"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def listed(names: Iterable[str], most: int = 5) -> str:
    """Return names as a list that stays short: "a, b, c and 7 more"."""
    all_names = list(names)
    shown = ", ".join(all_names[:most])
    return shown if len(all_names) <= most else f"{shown} and {len(all_names) - most:,} more"
