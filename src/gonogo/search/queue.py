"""Which networks are tried next: the same ones, wherever an interruption fell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from gonogo.errors import UsageError
from gonogo.search.space import Space

STUDY = "gonogo fit"
DIRECTIONS: tuple[Literal["minimize"], ...] = ("minimize",) * 3
# Trials asked for together; not the number of cores, so that a search is the same on any machine.
BATCH = 2
START_UP = 4  # proposals drawn at random after the anchors


@dataclass
class Queue:
    """The trials of a search, in batches that begin at every second one.

    What is to be tried is drawn whole and with a seed of its own, from the trials that have ended, and put into the
    storage at once, before it begins. So there is no moment at which an interruption changes what is tried.

    Attributes:
        space: what may be proposed.
        storage: of Optuna: any URL it knows.
        seed: of the proposals.
        is_shared: other machines propose there too, and what is half-way may be theirs.
        most: trials, at most; None for as many as are asked for.
    """

    space: Space
    storage: str
    seed: int = 0
    is_shared: bool = False
    most: int | None = None
    study: optuna.Study = field(init=False)

    def __post_init__(self) -> None:
        self.study = optuna.create_study(
            study_name=STUDY, storage=self.storage, directions=list(DIRECTIONS), load_if_exists=True
        )
        # Fewer are there only where an interruption fell between them.
        for params in self.space.anchors()[len(self.study.trials) :]:
            self.study.enqueue_trial(params)

    @property
    def done(self) -> list[FrozenTrial]:
        """The trials that have ended, in order."""
        return self._in(TrialState.COMPLETE)

    def ask(self) -> list[optuna.Trial]:
        """Return the next batch, what an interruption left of one first; empty where there may be no more."""
        left = [] if self.is_shared else self._in(TrialState.RUNNING)
        begun = len(self.study.trials) - len(self._in(TrialState.WAITING))
        count = -begun % BATCH if left else BATCH - begun % BATCH
        if self.most is not None:
            count = min(count, self.most - (len(self.done) if self.is_shared else begun))
        return [self._again(trial.number) for trial in left] + [self._next() for _ in range(count)]

    def _in(self, state: TrialState) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=(state,))

    def _again(self, number: int) -> optuna.Trial:
        storage = optuna.storages.get_storage(self.storage)
        study_id = storage.get_study_id_from_name(self.study.study_name)
        return optuna.Trial(self.study, storage.get_trial_id_from_study_id_trial_number(study_id, number))

    def _next(self) -> optuna.Trial:
        if not self._in(TrialState.WAITING):
            self.study.enqueue_trial(self._drawn())
        return self.study.ask()

    def _drawn(self) -> dict[str, Any]:
        """Return the parameters of the trial that comes next."""
        seed = self.seed * 10_000 + len(self.study.trials)
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=len(self.space.anchors()) + START_UP)
        known = optuna.create_study(directions=list(DIRECTIONS), sampler=sampler)
        known.add_trials(self.done)
        trial = known.ask()
        self.space.propose(trial)
        return dict(trial.params)


def check_storage(storage: str | None) -> None:
    """See that Optuna can open a storage.

    Args:
        storage: a URL, or None for a file of the fit's own.

    Raises:
        UsageError: it cannot.
    """
    if storage is None:
        return
    try:
        optuna.storages.get_storage(storage)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"--storage {storage} cannot be opened ({reason}), expected a URL such as sqlite:///trials.db"
        ) from error
