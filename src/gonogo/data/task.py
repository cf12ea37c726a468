"""What is asked of the photos: go or no-go against one good class, or sorting into kinds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gonogo.errors import UsageError, did_you_mean

GOOD_WORDS = frozenset(
    [
        "ok",
        "good",
        "normal",
        "pass",
        "passed",
        "go",
        "fine",
        "healthy",
        "intact",
        "perfect",
        "conforming",
        "accept",
        "accepted",
        "acceptable",
        "undamaged",
        "flawless",
        "nondefective",
    ]
)
BAD_WORDS = frozenset(
    [
        "defect",
        "defects",
        "defective",
        "def",
        "bad",
        "ng",
        "nok",
        "ko",
        "nogo",
        "fail",
        "failed",
        "failure",
        "fault",
        "faulty",
        "reject",
        "rejected",
        "anomaly",
        "anomalous",
        "abnormal",
        "broken",
        "damaged",
        "damage",
        "scrap",
        "flaw",
        "flawed",
    ]
)
NEGATIONS = frozenset(["no", "not", "non", "without", "free", "un"])


@dataclass(frozen=True)
class Task:
    """The question a gauge answers.

    Attributes:
        classes: all class names, in the order of the network's outputs.
        good: the class that passes; None for sorting, where no class does.
    """

    classes: tuple[str, ...]
    good: str | None

    @property
    def is_sorting(self) -> bool:
        """True where no class is the good one: accuracy takes the place of escape and overkill."""
        return self.good is None

    @property
    def good_index(self) -> int | None:
        """Number of the good class."""
        return None if self.good is None else self.classes.index(self.good)


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[^a-z]+", spaced.lower()) if word]


def reads_as_good(name: str) -> bool:
    """Say whether a class name means a good part: "ok_front", "no defect", "Good"; but not "not ok" or "nok"."""
    words = _words(name)
    negated = any(word in NEGATIONS for word in words)
    good = any(word in GOOD_WORDS for word in words)
    bad = any(word in BAD_WORDS for word in words)
    return (good and not negated and not bad) or (bad and negated and not good)


def _is_absence_of(name: str, other: str) -> bool:
    """Say whether a name is another one denied: "no crack" beside "crack"."""
    words = _words(name)
    return any(w in NEGATIONS for w in words) and [w for w in words if w not in NEGATIONS] == _words(other)


def resolve_task(classes: Sequence[str], good: str | None = None) -> Task:
    """Find the good class by its name, or take the one given.

    Args:
        classes: all class names.
        good: name of the good class; "none" for sorting; None to read it off the names.

    Raises:
        UsageError: the name given does not exist, or the names leave it open and nothing was given.
    """
    names = tuple(classes)
    if good is not None and good in names:
        return Task(names, good)
    if good == "none":
        return Task(names, None)
    if good is not None:
        raise UsageError(f"--good '{good}' is not a class; {did_you_mean(good, names)}")
    found = [name for name in names if reads_as_good(name) or any(_is_absence_of(name, other) for other in names)]
    if len(found) == 1:
        return Task(names, found[0])
    if len(found) > 1:
        raise UsageError(f"{len(found)} classes read as good ({', '.join(found)}); say which one with --good NAME")
    if len(names) == 2:
        raise UsageError(
            f"which class is the good one, '{names[0]}' or '{names[1]}'? "
            "Say so with --good NAME, or --good none to sort into both"
        )
    return Task(names, None)
