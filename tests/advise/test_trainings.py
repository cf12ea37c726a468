"""The trainings behind an advice: paired, repeatable, and over in time."""

from __future__ import annotations

import time

import numpy as np
import pytest

from gonogo.advise.changes import STRENGTHS, all_changes, at_maximum, recipe_of
from gonogo.advise.helps import PLAIN, helps
from gonogo.advise.subjects import Subjects, as_levels, as_pixels, choose
from gonogo.advise.trainings import Budget, Way, train_all
from gonogo.advise.two_by_two import LEAKY, leaky_folds, two_by_two
from gonogo.train.augment import AUGMENTATIONS
from gonogo.train.prepare import prepare_folds
from gonogo.train.recipe import Recipe
from tests.helpers_traps import BY_NAME, darker, write_trap

NEVER = Budget(2, float("inf"))


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> Subjects:
    folder = write_trap(tmp_path_factory.mktemp("darker") / "photos", darker, parts=12)
    prepared, folds = prepare_folds(folder, BY_NAME, 3, [0, 1], default_colour="grey")
    return choose(prepared, folds, most=40, seed=0)


def test_every_augmentation_of_the_registry_is_tried_without_being_named_anywhere(monkeypatch: pytest.MonkeyPatch):
    assert list(all_changes()) == list(AUGMENTATIONS)
    monkeypatch.setitem(AUGMENTATIONS._entries, "fog", "gonogo.train.augment.noise:NOISE")
    found = all_changes()["fog"]
    entry = AUGMENTATIONS.get("noise")
    assert [own.value for own in found] == [strength * entry.maximum for strength in STRENGTHS]
    assert {own.unit for own in found} == {entry.unit}
    assert at_maximum()[entry.key] == entry.maximum
    assert [own.value for own in all_changes()["hflip"]] == [True]


def test_a_recipe_holds_what_it_is_given_and_no_habit():
    recipe = recipe_of({"rotate_degrees": 30.0})
    assert (recipe.rotate_degrees, recipe.hflip, recipe.brightness_levels) == (30.0, False, 0.0)
    assert recipe.lr == Recipe().lr


def test_photos_are_chosen_evenly(subjects: Subjects):
    assert np.bincount(subjects.labels).tolist() == [20, 20]
    assert subjects.groups is not None
    counts = np.unique(subjects.groups, return_counts=True)[1]
    assert len(counts) == 24  # every part, and two of three twice
    assert set(counts.tolist()) == {1, 2}
    assert subjects.folds.shape == (2, 40)


def test_pixels_come_back_from_levels(subjects: Subjects):
    assert np.array_equal(as_pixels(as_levels(subjects.prepared.pixels)), subjects.prepared.pixels)


def test_the_same_way_twice_gives_the_same_answers_and_no_difference(subjects: Subjects):
    change = all_changes()["brightness"][0]
    same = Way(change.label, {})
    first = train_all(subjects, subjects.folds[:1], [PLAIN, same], [PLAIN], NEVER, seed=0)
    again = train_all(subjects, subjects.folds[:1], [PLAIN], [PLAIN], NEVER, seed=0)
    answers = first.answers["none"]["none"]
    assert answers.shape == (1, 40, 2)
    assert np.array_equal(answers, first.answers[same.name]["none"])
    assert np.array_equal(answers, again.answers["none"]["none"])
    assert answers.sum(2) == pytest.approx(1, abs=1e-5)
    found = helps(subjects, first, [change], seed=0)["brightness"]
    assert found.difference.value == 0
    assert found.difference.sign == 0


def test_when_the_time_is_over_two_folds_are_there_and_the_rest_is_left_out(subjects: Subjects):
    turns = train_all(subjects, subjects.folds, [PLAIN], [PLAIN], Budget(1, time.monotonic()), seed=0)
    assert turns.folds.shape == (1, 40)
    assert sorted(np.unique(turns.folds)) == [-1, 0, 1]
    held = subjects.held_out(turns.folds)
    assert len(held.labels) == int((turns.folds[0] >= 0).sum())
    again = train_all(subjects, subjects.folds, [PLAIN], [PLAIN], NEVER, seed=0, asked=turns.folds)
    assert np.array_equal(again.folds, turns.folds)


def test_the_table_has_its_cells_on_a_split_that_leaks(subjects: Subjects):
    folds = leaky_folds(subjects, 3, seed=0)
    assert np.bincount(folds[0], minlength=3).tolist() in ([14, 13, 13], [13, 14, 13], [13, 13, 14])
    assert subjects.groups is not None
    sides = {
        group: {f for f, g in zip(folds[0], subjects.groups, strict=True) if g == group} for group in subjects.groups
    }
    assert any(len(own) > 1 for own in sides.values())
    both = (PLAIN, Way("lighter or darker", {"brightness_levels": 80.0}))
    turns = train_all(subjects, folds, both, both, NEVER, seed=0)
    cells = two_by_two(subjects, {LEAKY: turns}, "none", "lighter or darker", seed=0)
    assert [(cell.trained, cell.tested) for cell in cells] == [
        ("plain", "plain"),
        ("plain", "augmented"),
        ("augmented", "plain"),
        ("augmented", "augmented"),
    ]
    assert all(0 <= (cell.accuracy.value or 0) <= 1 and cell.accuracy.n == 24 for cell in cells)
    # Photos that were made lighter or darker are answered otherwise.
    assert not np.array_equal(turns.answers["none"]["none"], turns.answers["none"]["lighter or darker"])
