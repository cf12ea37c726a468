"""The search: many networks a short look, the best of them whole trainings, all on folds of whole parts.

What was learnt is kept as it comes: trials in Optuna's storage, answers to folds in files. A search that was killed
goes on where it was, with the same proposals.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import optuna

from gonogo.search.budgets import Budgets
from gonogo.search.clock import Clock
from gonogo.search.material import Material
from gonogo.search.measure import Cost, Shown, cost_of, shown
from gonogo.search.pareto import front
from gonogo.search.queue import Queue
from gonogo.search.space import Proposal, Space
from gonogo.search.tried import NOT_TRAINED, Sketch, Tried
from gonogo.train.candidates import Entrant
from gonogo.train.jobs import Outcome, Training, stopped_at_once, train_one
from gonogo.train.transfer import with_levels
from gonogo.types import Float32Array, Int64Array
from gonogo.workers import cores

# Beyond a budget by more than this share, a network is not worth a training.
FAR = 0.25
SKETCHING = 0.4  # of the time that is left; the rest is for whole trainings
SHORT = 3  # a short look shows a network so many times fewer photos
FINALISTS = 4  # that are trained at full length
# What follows the last training exports, verifies and times the gauge and two known networks; as often as that takes as
# long as to write one proposed network and time it.
TAIL_COSTS = 6
FEW_PARTS = 5  # of a class in a fold, below which one fold tells nothing

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Effort:
    """How much every training may see.

    Attributes:
        photos: that a whole training of a taper shows it, counted each time.
        at_once: photos of an epoch; fewer than there are where there are very many.
    """

    photos: int
    at_once: int

    def recipe(self, *, short: bool = False) -> dict[str, int]:
        """Return the recipe's values."""
        epochs = max(1, round(self.photos / (SHORT if short else 1) / self.at_once))
        return {"epochs": epochs, "photos_per_epoch": self.at_once}


@dataclass
class Search:
    """A search under way.

    Attributes:
        material: the photos.
        space: what may be proposed.
        budgets: what a gauge may cost.
        effort: how much each training may see.
        clock: how much time is left.
        least_reserve: seconds to keep for what follows the last training, at least.
        storage: of Optuna: any URL it knows.
        is_shared: other machines propose there too, and what is half-way may be theirs.
        seed: of proposals and trainings.
        most: trials, at most; as many as the time allows where None.
        escape: the share of defective parts that a threshold may let pass.
        kept_too: how many photos there are, those that are kept for the proof too, for each that is searched on.
        say: called with each line the user should know.
    """

    material: Material
    space: Space
    budgets: Budgets
    effort: Effort
    clock: Clock
    least_reserve: float
    storage: str
    is_shared: bool = False
    seed: int = 0
    most: int | None = None
    escape: float = 0.05
    kept_too: float = 1.0
    say: Callable[[str], None] = print
    _tried: dict[int, Tried] = field(default_factory=dict, init=False)
    _quickest_cost: float = field(default=math.inf, init=False)

    @property
    def tried(self) -> list[Tried]:
        """What was tried so far, in order."""
        return [self._tried[number] for number in sorted(self._tried)]

    @property
    def whole(self) -> list[Tried]:
        """What was trained at full length."""
        return [own for own in self.tried if own.shown is not None]

    @property
    def reserve(self) -> float:
        """Seconds to keep for what follows the last training: more where the machine is slow or busy."""
        seen = 0.0 if math.isinf(self._quickest_cost) else TAIL_COSTS * self._quickest_cost
        return max(self.least_reserve, seen)

    def run(self) -> None:
        """Search until the time is over; `tried` and `whole` say what was found.

        Raises:
            GonogoError: the photos suit no network.
        """
        started = self.clock.elapsed
        with stopped_at_once(cores()) as executor:
            self._sketch_all(executor, started)
            self._train_best(executor)

    def _sketch_all(self, executor: Executor, started: float) -> None:
        queue = Queue(self.space, self.storage, self.seed, self.is_shared, self.most)
        for known in queue.done:
            self._remember(known)
        while self.most is not None or self._may_look(started) or not self._tried:
            batch = [(trial, self.space.propose(trial)) for trial in queue.ask()]
            if not batch:
                break
            found = self._sketch(executor, [proposal for _, proposal in batch])
            for (trial, _), (cost, sketch) in zip(batch, found, strict=True):
                trial.set_user_attr("cost", asdict(cost))
                trial.set_user_attr("sketch", None if sketch is None else asdict(sketch))
                trial.set_constraint("budgets", self.budgets.excess(cost.latency_ms, cost.size_bytes))
                self._remember(queue.study.tell(trial, self._values(cost, sketch)))
                self.say(f"  {self._tried[trial.number].in_words()}")
            self.clock.keep()

    def _may_look(self, started: float) -> bool:
        return self.clock.elapsed < started + SKETCHING * max(0.0, self.clock.seconds - self.reserve - started)

    def _values(self, cost: Cost, sketch: Sketch | None) -> tuple[float, float, float]:
        """Return what is to be small; of times, which never come out alike twice, only where there is a budget."""
        loss = NOT_TRAINED if sketch is None else sketch.loss
        pace = cost.macs if self.budgets.max_latency_ms is None else cost.latency_ms
        return loss, pace, cost.size_bytes

    def _remember(self, trial: optuna.trial.FrozenTrial) -> None:
        proposal = self.space.propose(optuna.trial.FixedTrial(trial.params))
        cost, sketch = trial.user_attrs["cost"], trial.user_attrs["sketch"]
        found = Tried(trial.number, proposal, Cost(**cost), None if sketch is None else Sketch(**sketch))
        self._tried[trial.number] = found

    def _sketch(self, executor: Executor, proposals: Sequence[Proposal]) -> Iterator[tuple[Cost, Sketch | None]]:
        """Yield the cost of each, all timed before any is trained, and its answers to the first folds."""
        entrants = [self.entrant(proposal, short=True) for proposal in proposals]
        costs = [self._cost(own, proposal) for own, proposal in zip(entrants, proposals, strict=True)]
        jobs: list[list[Future[Outcome]]] = []
        for proposal, entrant, cost in zip(proposals, entrants, costs, strict=True):
            far = self.budgets.excess(cost.latency_ms, cost.size_bytes) > FAR
            course = self.material.course(proposal)
            folds = 0 if far else self._first_folds(proposal)
            jobs.append([executor.submit(train_one, course, Training(entrant, 0, fold)) for fold in range(folds)])
        for cost, own in zip(costs, jobs, strict=True):
            if not own:
                yield cost, None
                continue
            found = self._over_folds([job.result() for job in own])
            yield cost, Sketch(found.scores.name, found.scores.mean, found.overkill, found.seconds / len(own))

    def _first_folds(self, proposal: Proposal) -> int:
        """Return how many folds a short look is at: all where that costs nothing, or a fold has hardly any parts."""
        return self.material.count if self._has_few or proposal.is_learnt_elsewhere else 1

    @property
    def _has_few(self) -> bool:
        return self.material.fewest_parts < FEW_PARTS * self.material.count

    def _cost(self, entrant: Entrant, proposal: Proposal) -> Cost:
        prepared = self.material.seen_by(proposal)
        spec, tensors = entrant.spec(prepared), entrant.weights.tensors
        started = time.monotonic()
        cost = cost_of(spec, with_levels(prepared, spec, tensors).geometry, prepared.task, tensors)
        self._quickest_cost = min(self._quickest_cost, time.monotonic() - started)
        return cost

    def _train_best(self, executor: Executor) -> None:
        """Train the most promising at full length, fold by fold, as long as there is time for the last training too.

        All of them are trained on a fold before any is on the next one, so that they are always compared on the same
        parts, and what is left of the time goes to the network that is taken.
        """
        finalists = self._finalists()
        if not finalists:
            few = " on all folds, and one fold of so few parts tells nothing" if self._has_few else ""
            self.say(f"  no time for whole trainings{few}: the best short look decides")
            return
        answers: dict[int, list[Outcome]] = {own.number: [] for own in finalists}
        for fold in range(self.material.count):
            known = all(self._is_known(own, fold) for own in finalists)
            if fold and self.most is None and not known and not self._fits(finalists):
                break
            started = time.monotonic()
            jobs = [self._submit(executor, own.proposal, fold) for own in finalists]
            for own, job in zip(finalists, jobs, strict=True):
                answers[own.number].append(job.result())
                self._tried[own.number] = replace(own, shown=self._over_folds(answers[own.number]))
            self.say(f"  whole trainings, fold {fold + 1} of {self.material.count}, {time.monotonic() - started:.0f} s")
            self.clock.keep()
        for own in self.whole:
            self.say(f"    {own.proposal.in_words()}: {own.answers.in_words}")

    def _finalists(self) -> list[Tried]:
        """Return the networks to compare at full length; none where there is no time for it."""
        finalists = self.promising[:FINALISTS]
        if self.most is not None:
            return finalists
        # Those that were trained before an interruption cost nothing more.
        begun = [own for own in finalists if self._is_known(own, 0)]
        at_once = self.material.count if self._has_few else 1
        while len(finalists) > 2 and not self._fits(finalists, at_once):
            # The best by its short look stays, however slow: the others are there to be compared with it.
            finalists.remove(max(finalists[1:], key=self.whole_seconds))
        return max(begun, finalists if self._fits(finalists, at_once) else [], key=len)

    def _is_known(self, own: Tried, fold: int) -> bool:
        """Say whether a whole training on all folds but this one was done before."""
        return self.material.course(own.proposal).is_done(self.entrant(own.proposal, short=False), 0, fold)

    def _fits(self, finalists: Sequence[Tried], folds: int = 1) -> bool:
        """Say whether so many more folds of all of them, and the last training of the slowest, end in time."""
        each = [self.whole_seconds(own) for own in finalists]
        last = max(self.last_seconds(own) for own in finalists)
        return max(folds * sum(each) / cores(), max(each)) + last <= self.clock.left - self.reserve

    def whole_seconds(self, own: Tried) -> float:
        """Return how long a whole training on all folds but one takes, from how long a short look took."""
        if own.sketch is None:
            return 0.0
        return own.sketch.seconds * (1 if own.proposal.is_learnt_elsewhere else SHORT)

    def last_seconds(self, own: Tried) -> float:
        """Return how long the last training takes, on the photos of all folds.

        What was learnt elsewhere looks at all photos anew for it, at those that are kept for the proof too.
        """
        if own.proposal.is_learnt_elsewhere and own.sketch is not None:
            return own.sketch.seconds * self.material.count * self.kept_too
        return self.whole_seconds(own) * self.material.count / (self.material.count - 1)

    @property
    def promising(self) -> list[Tried]:
        """Return the networks on the front of what fits the budgets, the best first; those nearest where none fits."""
        least = max(0.0, min(own.excess(self.budgets) for own in self.tried))
        fitting = [own for own in self.tried if own.excess(self.budgets) <= least]
        best = front(fitting, lambda own: (own.loss, own.cost.macs, own.cost.size_bytes))
        return sorted(best, key=lambda own: (own.loss, own.cost.macs))

    def _submit(self, executor: Executor, proposal: Proposal, fold: int) -> Future[Outcome]:
        training = Training(self.entrant(proposal, short=False), 0, fold)
        return executor.submit(train_one, self.material.course(proposal), training)

    def _over_folds(self, outcomes: Sequence[Outcome]) -> Shown:
        """Return how a network answered for the folds that were held out so far."""
        fold = self.material.folds[0]
        inside = fold < len(outcomes)
        answers = np.zeros((len(fold), outcomes[0].answers.shape[1]), dtype=np.float32)
        for number, outcome in enumerate(outcomes):
            answers[fold == number] = outcome.answers
        return self._shown(inside, answers[inside], sum(outcome.seconds for outcome in outcomes))

    def entrant(self, proposal: Proposal, *, short: bool) -> Entrant:
        """Return what is trained."""
        return Entrant.of(replace(proposal.candidate, recipe=self.recipe(proposal, self.effort.recipe(short=short))))

    def recipe(self, proposal: Proposal, effort: Mapping[str, Any]) -> dict[str, Any]:
        """Return a proposal's changes to the recipe, with how much it may see where it learns from nothing.

        The epoch is fixed beforehand: what is held out judges, and chooses nothing.
        """
        fixed = {"seed": self.seed, "keep": "last", "patience": 0}
        return {**proposal.candidate.recipe, **fixed, **({} if proposal.is_learnt_elsewhere else effort)}

    def _shown(self, inside: np.ndarray, answers: Float32Array, seconds: float) -> Shown:
        material = self.material
        places: Int64Array = np.flatnonzero(inside)
        all_groups = material.groups
        groups = tuple(all_groups[place] for place in places)
        labels = material.manifest.labels[places]
        return shown(material.photos.task, labels, groups, material.folds[0][places], answers, self.escape, seconds)
