"""How much the trainings of a fit may see: what the time allows here, or the same everywhere."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gonogo.fitting import effort
from gonogo.search.clock import Clock
from gonogo.search.search import Effort


def planned(folder: Path, minutes: float, trials: int | None, there: int = 1_000) -> Effort:
    material: Any = SimpleNamespace(manifest=range(there))
    return effort.plan_effort(folder, material, None, Clock(folder / "clock.json", 60 * minutes), trials)  # type: ignore[arg-type]


def no_pace(*_: object) -> float:
    raise AssertionError("the pace was measured")


@pytest.mark.parametrize(
    ("minutes", "photos", "at_once"), [(0.6, 2_880, 288), (10, 48_000, 1_000), (0.5, 2_400, 240), (60, 120_000, 1_000)]
)
def test_where_the_networks_are_counted_the_clock_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: float, photos: int, at_once: int
):
    monkeypatch.setattr(effort, "_pace", no_pace)
    assert planned(tmp_path, minutes, trials=2) == Effort(photos, at_once)


def test_otherwise_it_is_what_this_machine_does_in_the_time_that_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(effort, "_pace", lambda *_: 500.0)
    (tmp_path / "clock.json").write_text('{"seconds": 300}')
    assert planned(tmp_path, 10, None).photos == pytest.approx(500 * effort.SHARE * 300, rel=0.01)
    # Kept, so that a fit that goes on goes on alike.
    monkeypatch.setattr(effort, "_pace", no_pace)
    assert planned(tmp_path, 20, None).photos == pytest.approx(500 * effort.SHARE * 300, rel=0.01)


@pytest.mark.parametrize(
    ("left", "most", "hurry", "longer"),
    [(500, None, False, 3), (150, None, False, 1.5), (0, None, False, 1), (500, None, True, 1), (500, 2, False, 1)],
)
def test_the_last_training_is_longer_where_there_is_time(
    tmp_path: Path, left: float, most: int | None, hurry: bool, longer: float
):
    search: Any = SimpleNamespace(
        effort=Effort(2_000, 100), last_seconds=lambda _: 80.0, most=most, clock=SimpleNamespace(left=left), reserve=30
    )
    found = effort.last_effort(tmp_path, search, None, hurry=hurry)  # type: ignore[arg-type]
    assert found == Effort(int(2_000 * longer), 100)
