"""How a search keeps its time."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gonogo.search import search as module
from gonogo.search.budgets import Budgets
from gonogo.search.clock import Clock
from gonogo.search.measure import Cost
from gonogo.search.search import TAIL_COSTS, Effort, Search
from gonogo.search.space import Proposal
from gonogo.search.tried import Sketch, Tried
from gonogo.train.candidates import Candidate

SHAPE = {"widths": (8, 8, 8), "kernels": (7, 3, 3), "strides": (4, 2, 1), "pools": (1, 1, 1), "norms": (True,) * 3}
PROPOSAL = Proposal(Candidate("taper-8-8-8", "taper", SHAPE, {}), 1)


def searching(
    folder: Path,
    seconds: float,
    parts: int,
    said: list[str],
    most: int | None = None,
    known: tuple[tuple[int, int], ...] = (),
) -> Search:
    """A search with one network that took ten seconds for a short look; whole trainings on some folds may be known."""
    course = SimpleNamespace(is_done=lambda _, number, fold: (number, fold) in known)
    material: Any = SimpleNamespace(
        count=4, fewest_parts=parts, seen_by=lambda _: SimpleNamespace(task=None), course=lambda _: course
    )
    clock = Clock(folder / "clock.json", seconds)
    found = Search(material, None, Budgets(), Effort(10, 10), clock, 30.0, "", most=most, say=said.append)  # type: ignore[arg-type]
    found._tried[0] = Tried(0, PROPOSAL, Cost(1.0, 1, 1, 1), Sketch("auc", 0.9, 0.1, 10.0))
    return found


def test_a_slow_machine_keeps_more_time_for_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    search = searching(tmp_path, 600, 100, [])
    assert search.reserve == 30
    ticks = iter([0.0, 21.0, 50.0, 64.0, 70.0, 74.0])
    monkeypatch.setattr(module, "cost_of", lambda *_: Cost(1.0, 1, 1, 1))
    monkeypatch.setattr(module, "with_levels", lambda *_: SimpleNamespace(geometry=None))
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    entrant: Any = SimpleNamespace(spec=lambda _: None, weights=SimpleNamespace(tensors={}))
    reserves = []
    for _ in range(3):
        search._cost(entrant, PROPOSAL)
        reserves.append(search.reserve)
    # The first one also waits for libraries to load; the quickest says most. Never less than at first.
    assert reserves == [TAIL_COSTS * 21, TAIL_COSTS * 14, 30]


@pytest.mark.parametrize(
    ("parts", "more"), [(100, ""), (3, " on all folds, and one fold of so few parts tells nothing")]
)
def test_whole_trainings_for_which_there_is_no_time_are_left_out(tmp_path: Path, parts: int, more: str):
    said: list[str] = []
    # Thirty seconds for the training, forty for the last, thirty for what follows.
    search = searching(tmp_path, 95, parts, said)
    search._train_best(None)  # type: ignore[arg-type]
    assert said == [f"  no time for whole trainings{more}: the best short look decides"]
    assert search.whole == []


def test_what_was_trained_before_an_interruption_is_compared_though_the_time_is_over(tmp_path: Path):
    search = searching(tmp_path, 1, 100, [], known=((0, 0), (0, 1)))
    folds: list[int] = []
    search._submit = lambda _, __, fold: SimpleNamespace(result=lambda: folds.append(fold))  # type: ignore[assignment,method-assign]
    search._over_folds = lambda _: SimpleNamespace(in_words="")  # type: ignore[assignment,method-assign,return-value]
    search._train_best(None)  # type: ignore[arg-type]
    assert folds == [0, 1]
    assert [own.number for own in search.whole] == [0]


def test_where_the_networks_are_counted_they_are_trained_whole_however_long_it_takes(tmp_path: Path):
    search = searching(tmp_path, 1, 100, [], most=1)
    asked: list[int] = []

    class AskedError(Exception):
        pass

    def submit(*_: Any) -> None:
        asked.append(1)
        raise AskedError

    executor: Any = SimpleNamespace(submit=submit)
    search.entrant = lambda *_, **__: None  # type: ignore[assignment,method-assign]
    with pytest.raises(AskedError):
        search._train_best(executor)
    assert asked == [1]
