"""What is tried does not depend on where a search was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from gonogo.search.queue import BATCH, START_UP, Queue
from gonogo.search.space import Space

SPACE = Space((1, 2, 3))
# Two beyond what is drawn at random, so that the sampler has learnt from the others.
MANY = len(SPACE.anchors()) + START_UP + 2


class _Killed(BaseException):
    pass


def _storage(folder: Path) -> str:
    return f"sqlite:///{folder / 'search.db'}"


def _search(queue: Queue) -> None:
    """Go on to the end; a network is the better, the narrower it is and the faster it learns."""
    while batch := queue.ask():
        proposals = [SPACE.propose(trial) for trial in batch]
        for trial, proposal in zip(batch, proposals, strict=True):
            width, rate = proposal.candidate.arch_options["widths"][0], proposal.candidate.recipe["lr"]
            trial.set_user_attr("told", True)
            queue.study.tell(trial, (width - rate, width, rate))


def _tried(queue: Queue) -> list[dict[str, Any]]:
    return [trial.params for trial in queue.done]


def _dying(monkeypatch: pytest.MonkeyPatch, every: int) -> None:
    """Let each third or so of the calls that write something never come back, before or after it is written."""
    calls = 0

    def dies(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls % every == 0:
                raise _Killed
            done = original(*args, **kwargs)
            calls += 1
            if calls % every == 0:
                raise _Killed
            return done

        return call

    storage = optuna.storages.RDBStorage
    for name in ("_create_new_trial", "_set_trial_param", "set_trial_user_attr", "set_trial_state_values"):
        monkeypatch.setattr(storage, name, dies(getattr(storage, name)))


@pytest.mark.parametrize("every", [17, pytest.param(29, marks=pytest.mark.slow)])
def test_killed_again_and_again_it_tries_what_it_would_have_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
):
    peace, killed = tmp_path / "peace", tmp_path / "killed"
    peace.mkdir()
    killed.mkdir()
    undisturbed = Queue(SPACE, _storage(peace), seed=3, most=MANY)
    _search(undisturbed)
    _dying(monkeypatch, every)
    deaths = 0
    while True:
        try:
            _search(Queue(SPACE, _storage(killed), seed=3, most=MANY))
            break
        except _Killed:
            deaths += 1
    monkeypatch.undo()
    resumed = Queue(SPACE, _storage(killed), seed=3, most=MANY)
    assert deaths >= 5
    assert len(resumed.study.trials) == MANY
    assert _tried(resumed) == _tried(undisturbed)


def test_another_seed_tries_others_after_the_same_first_ones(tmp_path: Path):
    queues = []
    for seed in (0, 1):
        (tmp_path / str(seed)).mkdir()
        queues.append(Queue(SPACE, _storage(tmp_path / str(seed)), seed=seed, most=6))
        _search(queues[-1])
    first, second = map(_tried, queues)
    anchors = len(SPACE.anchors())
    assert first[:anchors] == second[:anchors] == SPACE.anchors()
    assert first[anchors:] != second[anchors:]


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_are_tried_than_asked_for(tmp_path: Path, most: int):
    queue = Queue(SPACE, _storage(tmp_path), most=most)
    _search(queue)
    assert len(queue.done) == most
    assert queue.ask() == []


def test_what_is_half_way_elsewhere_is_left_alone(tmp_path: Path):
    ours, theirs = (Queue(SPACE, _storage(tmp_path), is_shared=True) for _ in range(2))
    numbers = [[trial.number for trial in queue.ask()] for queue in (theirs, ours)]
    assert numbers == [[0, 1], [2, 3]]
    assert len(ours.study.get_trials(states=(TrialState.RUNNING,))) == 2 * BATCH
