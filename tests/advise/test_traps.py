"""The advice is right on sets with a trap: what a judge says of every augmentation, without any training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gonogo.advise.advise import AdviseRequest, judged, shown_by
from gonogo.advise.reductions import factors_for, largest_kept, reductions
from gonogo.advise.subjects import Subjects, choose
from gonogo.advise.verdict import Advice, advise_on
from gonogo.data.synthetic import write_castings
from gonogo.train.prepare import DataOptions, prepare_folds
from tests.helpers_traps import BY_NAME, Draw, darker, leaning, pinhole, write_trap

Look = Callable[[Draw], tuple[Subjects, dict[str, Advice]]]


def look(data: Path, options: DataOptions, photos: int = 600) -> tuple[Subjects, dict[str, Advice]]:
    prepared, folds = prepare_folds(data, options, 4, [0], default_colour="grey")
    shown = shown_by(AdviseRequest(data, options), prepared)
    subjects = choose(prepared, folds, photos, seed=0)
    labels, covered = judged(subjects, shown, seed=0)
    return subjects, {name: advise_on(labels.of(name), rows, None) for name, rows in covered.items()}


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Look:
    found: dict[Draw, tuple[Subjects, dict[str, Advice]]] = {}

    def get(draw: Draw) -> tuple[Subjects, dict[str, Advice]]:
        if draw not in found:
            folder = write_trap(tmp_path_factory.mktemp("trap") / "photos", draw, parts=40)
            found[draw] = look(folder, BY_NAME)
        return found[draw]

    return get


@pytest.mark.parametrize(
    ("draw", "refused"),
    [
        (leaning, {"hflip", "vflip", "rotate"}),
        pytest.param(darker, {"brightness"}, marks=pytest.mark.slow),
        pytest.param(pinhole, {"blur", "noise"}, marks=pytest.mark.slow),
    ],
)
def test_what_takes_the_label_away_is_refused_and_nothing_else(looked: Look, draw: Draw, refused: set[str]):
    _, advice = looked(draw)
    assert {name for name, own in advice.items() if own.answer == "refuse"} == refused
    for name in refused:
        own = advice[name]
        assert own.value == 0  # the identity, also of a switch
        assert own.because.startswith("it takes the label away")
        lost = [row for row in own.kept if row.is_lost]
        assert lost[-1] == own.kept[-1]  # the strongest is lost wherever any is
        assert lost[-1].mistaken.changed > lost[-1].mistaken.plain
        assert lost[-1].mistaken.parts == 40


def test_a_turn_by_half_a_right_angle_loses_less_than_one_by_a_whole_one(looked: Look):
    _, advice = looked(leaning)
    aucs = [row.auc.value for row in advice["rotate"].kept]
    assert aucs[0] is not None and aucs[1] is not None
    assert aucs[0] > 0.9
    assert aucs[1] < 0.7
    assert [row.change.value for row in advice["rotate"].kept] == [45.0, 90.0, 180.0]


@pytest.mark.slow
def test_three_pixels_do_not_survive_a_strong_reduction(looked: Look):
    subjects, _ = looked(pinhole)
    factors = factors_for(subjects)
    assert factors == (1, 2, 3, 4)
    found = reductions(subjects, factors, seed=0)
    assert found is not None
    assert [row.is_lost for row in found.rows][1:] == [True, True]  # 3x and 4x
    assert (largest_kept(found, factors) or 9) <= 2
    # What is as wide as the photo survives them all.
    other, _ = looked(darker)
    assert largest_kept(reductions(other, factors, seed=0), factors) == 4


@pytest.mark.slow
def test_castings_that_lie_at_any_angle_may_be_turned_freely(tmp_path: Path):
    write_castings(tmp_path / "photos", parts=24, views=1, copies=2, difficulty=0.0, size=200, seed=1)
    _, advice = look(tmp_path / "photos", DataOptions(), photos=60)
    assert advice["rotate"].verdict == "use up to 180\N{DEGREE SIGN}"
    assert advice["hflip"].answer == "use"
    shown = advice["rotate"].covered[0].shown
    assert shown is not None
    assert shown.parts >= 15
    assert 60 < shown.typical < 120  # half of the turns of two even draws are beyond 90


@pytest.mark.slow
def test_real_castings_may_be_turned_freely(real_data: Path):
    _, advice = look(real_data / "casting", DataOptions())
    assert advice["rotate"].verdict == "use up to 180\N{DEGREE SIGN}"
    assert {name for name, own in advice.items() if own.answer == "use"} >= {"hflip", "vflip", "rotate"}
    assert {name for name, own in advice.items() if own.answer == "refuse"} == set()
    shown = advice["rotate"].covered[0].shown
    assert shown is not None
    assert shown.parts == 78
