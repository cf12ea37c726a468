"""The errors gonogo raises on purpose, and the exit code each ends a command with.

Every message is one line that says what was found, what was expected and what to do next. Anything else that
escapes is a defect of gonogo itself and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GonogoError(Exception):
    """Wrong use or bad input: the command ends with exit code 2."""

    exit_code = 2


class UsageError(GonogoError):
    """An option or a name that does not exist or does not fit the others."""


class DataError(GonogoError):
    """Photos, labels or tables that cannot be used as they are."""


class ConfigError(GonogoError):
    """A configuration file or value that cannot be used."""


class RunError(GonogoError):
    """A run folder that is missing, incomplete or altered."""


class GaugeError(GonogoError):
    """A gauge that is missing, incomplete or altered."""


class ExportError(GonogoError):
    """An exported file that does not answer as the network did."""


class MissingExtraError(GonogoError):
    """A command that needs an optional dependency which is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"this needs the package '{package}', which is not installed; run: pip install 'gonogo[{extra}]'"
        )


class BarNotMetError(GonogoError):
    """The work was done, and a bar that was set is not met: exit code 1."""

    exit_code = 1


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Say which names exist, and which one was probably meant.

    Args:
        name: what was given.
        known: what exists.

    Returns:
        A clause to end an error message with, such as ``did you mean 'taper'? there are: taper, taper-study``.
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}there are: {', '.join(names)}"
