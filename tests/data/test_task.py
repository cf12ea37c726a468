"""Which class is the good one: read off the names, or asked for, never guessed."""

from __future__ import annotations

import pytest

from gonogo.data.task import reads_as_good, resolve_task
from gonogo.errors import UsageError


@pytest.mark.parametrize(
    "name", ["ok", "OK", "ok_front", "Good", "normal", "no_defect", "NoDefect", "not-damaged", "pass"]
)
def test_names_that_read_as_good(name: str):
    assert reads_as_good(name)


@pytest.mark.parametrize(
    "name", ["nok", "not_ok", "NotOk", "defect", "def_front", "bad", "no good", "abnormal", "book", "okra", "crack"]
)
def test_names_that_do_not(name: str):
    assert not reads_as_good(name)


@pytest.mark.parametrize(
    ("classes", "good"),
    [
        (("def_front", "ok_front"), "ok_front"),
        (("crack", "no crack"), "no crack"),
        (("crack", "good", "scratch"), "good"),
        (("nok", "ok"), "ok"),
        (("iron", "rust", "slag"), None),
        (("defect", "no defect"), "no defect"),
    ],
)
def test_the_good_class_is_found_or_the_kinds_are_sorted(classes: tuple[str, ...], good: str | None):
    task = resolve_task(classes)
    assert task.good == good
    assert task.is_sorting == (good is None)
    assert task.good_index == (None if good is None else classes.index(good))


def test_what_is_said_counts_more_than_the_names():
    assert resolve_task(("bad", "ok"), "bad").good == "bad"
    assert resolve_task(("bad", "ok"), "none").good is None
    assert resolve_task(("none", "ok"), "none").good == "none"


@pytest.mark.parametrize(
    ("classes", "good", "words"),
    [
        (("a", "b"), None, "which class is the good one, 'a' or 'b'?"),
        (("good", "ok", "bad"), None, "2 classes read as good (good, ok)"),
        (("bad", "okay"), "okey", "did you mean 'okay'?"),
    ],
)
def test_an_open_question_is_asked(classes: tuple[str, ...], good: str | None, words: str):
    with pytest.raises(UsageError) as caught:
        resolve_task(classes, good)
    assert words in str(caught.value)
