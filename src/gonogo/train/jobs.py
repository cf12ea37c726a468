"""Many trainings on folds, on as many cores as there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat

from gonogo.train.candidates import Entrant
from gonogo.train.folds import Course
from gonogo.train.loop import Step
from gonogo.types import Float32Array
from gonogo.workers import cores, processes

# Processes start within seconds, each with a PyTorch of its own; below this they cost more than they save.
WORTH_S = 30.0


@dataclass(frozen=True)
class Training:
    """One training of many.

    Attributes:
        entrant: what is trained.
        number: of the round.
        fold: the one held out.
    """

    entrant: Entrant
    number: int
    fold: int


@dataclass(frozen=True)
class Outcome:
    """What came out of a training.

    Attributes:
        answers: (M, K) probabilities of the photos of its fold, in their order.
        seconds: it took; 0 where its answers were there already.
    """

    answers: Float32Array
    seconds: float


@dataclass(frozen=True)
class Job:
    """A training that has ended, for whoever shows it.

    Attributes:
        name: of the candidate and the fold.
        done: how many have ended.
        total: of how many.
        seconds: it took; 0 where its answers were there already.
    """

    name: str
    done: int
    total: int
    seconds: float


def train_all(
    course: Course, trainings: Sequence[Training], report: Callable[[Step], None] | None = None
) -> Iterator[Outcome]:
    """Yield what comes out of each training, in their order.

    The first ones are done here; where the others would take much longer than it takes to start processes, these share
    them out. Every training is a matter of its seed alone, so the answers are the same either way.

    Args:
        course: photos, folds and folder.
        trainings: what to train.
        report: called after each batch and epoch of those that are done here.

    Raises:
        BarNotMetError: a loss left the numbers.
    """
    busy = 0.0
    for done, training in enumerate(trainings):
        left = trainings[done:]
        count = _count(course, left)
        if busy and count > 1 and busy / done * len(left) > WORTH_S:
            yield from _share_out(course, left, count)
            return
        outcome = train_one(course, training, report)
        busy += outcome.seconds
        yield outcome


def _count(course: Course, left: Sequence[Training]) -> int:
    """Return how many processes serve; another device is shared by none."""
    threads = max(training.entrant.recipe.threads for training in left)
    return min(cores() // threads, len(left)) if course.device == "cpu" else 1


def _share_out(course: Course, trainings: Sequence[Training], count: int) -> Iterator[Outcome]:
    with stopped_at_once(count) as executor:
        yield from executor.map(train_one, repeat(course), trainings)


@contextmanager
def stopped_at_once(count: int) -> Iterator[Executor]:
    """Give processes that end with the first error, or when the user interrupts, not when all work is done."""
    with processes(count) as executor:
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=True, kill_workers=True)  # type: ignore[call-arg]  # loky's own
            raise


def train_one(course: Course, training: Training, report: Callable[[Step], None] | None = None) -> Outcome:
    """Train on all folds but one; answers that an earlier run left are taken.

    Raises:
        BarNotMetError: the loss left the numbers.
    """
    entrant, number, fold = training.entrant, training.number, training.fold
    known, started = course.is_done(entrant, number, fold), time.perf_counter()
    answers = course.run(entrant, number, fold, report)
    return Outcome(answers, 0.0 if known else time.perf_counter() - started)
