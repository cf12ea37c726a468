"""The verdict as it follows from the three answers, and the recipe as it follows from the verdicts."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gonogo.advise.changes import all_changes
from gonogo.advise.covers import Covered
from gonogo.advise.helps import Helped
from gonogo.advise.keeps_label import Kept, Mistaken
from gonogo.advise.movements import ONE_CLASS, Shown
from gonogo.advise.verdict import Advice, advise_on, recipe_values, to_train, used
from gonogo.advise.words import listed, recipe_text
from gonogo.evaluate.comparison import Difference
from gonogo.train.recipe import resolve_recipe
from gonogo.types import Rate

RATE = Rate(0.9, 0.8, 0.95, 20, "parts")
SURE, UNSURE = Difference(-0.3, -0.4, -0.2), Difference(-0.3, -0.7, 0.1)
MISTAKEN = Mistaken(9, 1, 20, True)


def kept(name: str, differences: Sequence[Difference], *, told: bool = True) -> tuple[Kept, ...]:
    rows = zip(all_changes()[name], differences, strict=True)
    return tuple(Kept(change, RATE, own, MISTAKEN, told) for change, own in rows)


def covered(name: str, *, limit: float = 0.0, low: float = 0.3) -> tuple[Covered, ...]:
    shown = Shown(limit / 2, limit, 100, 20)
    return tuple(Covered(change, shown, 0.8, low, 0.9) for change in all_changes()[name])


def helped(name: str, value: float, half: float, trainings: int = 8) -> Helped:
    return Helped(all_changes()[name][0], RATE, Difference(value, value - half, value + half), trainings)


NO_LOSS = Difference(0.0, -0.01, 0.01)
HARMLESS = (NO_LOSS,) * 3


def test_what_photos_show_is_used_as_far_as_they_show_it():
    own = advise_on(kept("rotate", HARMLESS), covered("rotate", limit=12.3), None)
    assert (own.answer, own.value, own.verdict) == ("use", 15.0, "use up to 15\N{DEGREE SIGN}")
    assert own.because == (
        "photos of one part really differ by it, half of them by more than 6.2\N{DEGREE SIGN} "
        "(100 pairs of photos, 20 parts)"
    )
    assert advise_on(kept("rotate", HARMLESS), covered("rotate", limit=180.0), None).value == 180.0
    assert advise_on(kept("hflip", (NO_LOSS,)), covered("hflip", limit=1.0), None).value is True


def test_what_takes_the_label_away_is_refused_or_limits_what_is_shown():
    lost = (NO_LOSS, SURE, SURE)
    own = advise_on(kept("rotate", lost), covered("rotate"), None)
    assert (own.answer, own.value) == ("refuse", 0.0)
    assert own.because == (
        "it takes the label away at 90\N{DEGREE SIGN}: 9 of 20 good parts come to look defective (1 as they are)"
    )
    assert advise_on(kept("rotate", (SURE,) * 3), covered("rotate", limit=180.0), None).answer == "refuse"
    some = advise_on(kept("rotate", lost), covered("rotate", limit=180.0), None)
    assert (some.answer, some.value) == ("use", 45.0)
    assert "from 90\N{DEGREE SIGN} on, it takes the label away" in some.because


def test_a_loss_that_is_unsure_small_or_of_a_judge_who_cannot_tell_refuses_nothing():
    small = Difference(-0.015, -0.018, -0.012)
    for rows in (
        kept("blur", (UNSURE,) * 3),
        kept("blur", (small,) * 3),
        kept("blur", (SURE,) * 3, told=False),
    ):
        assert advise_on(rows, covered("blur"), None).answer == "no evidence"


@pytest.mark.parametrize(
    ("value", "half", "trainings", "answer"),
    [
        (0.05, 0.02, 8, "use"),
        (0.05, 0.06, 8, "no evidence"),
        (-0.05, 0.02, 8, "refuse"),
        (0.05, 0.0, 2, "no evidence"),  # two pairs may agree by accident
        (0.005, 0.001, 8, "no evidence"),  # certain, and worth nothing
    ],
)
def test_training_speaks_where_it_is_clear(value: float, half: float, trainings: int, answer: str):
    own = advise_on(kept("noise", HARMLESS), covered("noise"), helped("noise", value, half, trainings))
    assert own.answer == answer
    assert own.value == (10.0 if answer == "use" else 0.0)  # half of the maximum, as nothing shows how much


def test_being_like_new_parts_speaks_only_beside_a_training_that_gained():
    rows, near = kept("scale", HARMLESS), covered("scale", low=0.7)
    assert advise_on(rows, near, None).answer == "no evidence"
    assert advise_on(rows, near, helped("scale", -0.01, 0.1)).answer == "no evidence"
    assert advise_on(rows, near, helped("scale", 0.01, 0.1)).answer == "use"


def test_parts_that_differ_in_light_speak_only_beside_a_training_that_gained():
    rows = kept("brightness", HARMLESS)
    light = tuple(replace(own, shown=Shown(9.0, 19.0, 100, 20, ONE_CLASS)) for own in covered("brightness"))
    assert advise_on(rows, light, None).answer == "no evidence"
    lost = advise_on(rows, light, helped("brightness", -0.02, 0.1))
    assert lost.answer == "no evidence"
    assert lost.because.startswith("parts of one class really differ by it")
    assert lost.because.endswith("but training with it did not gain")
    gained = advise_on(rows, light, helped("brightness", 0.02, 0.1))
    assert (gained.answer, gained.value) == ("use", 20.0)


def test_clear_harm_outweighs_what_photos_show():
    own = advise_on(kept("rotate", HARMLESS), covered("rotate", limit=180.0), helped("rotate", -0.2, 0.1))
    assert own.answer == "refuse"


def test_what_is_trained_keeps_the_label():
    assert to_train(kept("rotate", (SURE,) * 3), covered("rotate")) is None
    first = to_train(kept("rotate", (NO_LOSS, SURE, SURE)), covered("rotate"))
    assert first is not None
    assert first.value == 45.0
    shown = to_train(kept("shift", HARMLESS), covered("shift", limit=1.2))
    assert shown is not None
    assert (shown.value, shown.label) == (1.5, "shift 1.5 %")


def test_the_recipe_file_says_every_value_and_why():
    advice: list[Advice] = [
        advise_on(kept("hflip", (NO_LOSS,)), covered("hflip", limit=1.0), None),
        advise_on(kept("rotate", HARMLESS), covered("rotate", limit=20.0), None),
        advise_on(kept("blur", (NO_LOSS, SURE, SURE)), covered("blur"), None),
    ]
    text = recipe_text(advice)
    assert tomllib.loads(text) == {"hflip": True, "rotate_degrees": 20.0, "blur_sigma": 0.0} == recipe_values(advice)
    assert used(advice) == {"hflip": True, "rotate_degrees": 20.0}
    assert "# blur: refuse: it takes the label away at 1 pixels" in text
    assert resolve_recipe(tomllib.loads(text)).rotate_degrees == 20.0


def test_words_are_listed():
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
