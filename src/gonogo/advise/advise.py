"""How much to augment, from measurements: the whole flow, and what comes out of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gonogo.advise.changes import all_changes, at_maximum
from gonogo.advise.covers import Covered, covers
from gonogo.advise.helps import MAXIMUM, PLAIN, RECIPE, compare_ways, helps, ways_of
from gonogo.advise.judge import look_at, look_plainly
from gonogo.advise.keeps_label import Labels, keeps_label
from gonogo.advise.movements import Shown, lights, movements
from gonogo.advise.reductions import factors_for, largest_kept, reductions
from gonogo.advise.subjects import Subjects, choose
from gonogo.advise.trainings import PHOTOS_SEEN_AS_A_WHOLE, Budget, Way, train_all
from gonogo.advise.two_by_two import HONEST, LEAKY, Cell, leaky_folds, two_by_two
from gonogo.advise.verdict import Advice, advise_on, recipe_values, to_train, used
from gonogo.advise.words import headline, recipe_text
from gonogo.audit.visit import copies_of
from gonogo.data.scan import scan
from gonogo.errors import UsageError
from gonogo.evaluate.comparison import Comparison
from gonogo.files import write_text
from gonogo.splitting import Progress
from gonogo.train.listing import list_photos
from gonogo.train.prepare import DataOptions, Prepared, prepare_folds

PHOTOS, FOLDS, ROUNDS, MINUTES = 600, 4, 2, 10.0
# Of the time, what the trainings of single augmentations may take; the rest is for the recipe as a whole.
SINGLE_SHARE = 0.6
JSON_NAME, RECIPE_NAME = "advice.json", "recipe.toml"


@dataclass(frozen=True)
class AdviseRequest:
    """What to advise on.

    Attributes:
        data: a folder of photos or a manifest file.
        options: what is said about the data.
        photos: how many are looked at, spread over classes and parts.
        folds: into which whole parts are shared out.
        rounds: how often at most, each time with other folds and another seed, as far as the time allows.
        minutes: that trainings may take; two folds are trained in any case.
        epochs: of each training; as many as show 16,000 photos (45,000 for the recipe as a whole)
            unless given.
        seed: of every random choice.
    """

    data: Path
    options: DataOptions = field(default_factory=DataOptions)
    photos: int = PHOTOS
    folds: int = FOLDS
    rounds: int = ROUNDS
    minutes: float = MINUTES
    epochs: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        epochs = 1 if self.epochs is None else self.epochs
        limits = (("--minutes", self.minutes, 0.01), ("--look-at", self.photos, 20), ("--folds", self.folds, 2))
        more = (("--rounds", self.rounds, 1), ("--epochs", epochs, 1), ("--seed", self.seed, 0))
        for option, value, least in (*limits, *more):
            if value < least:
                raise UsageError(f"found {option} {value:g}, expected {least:g} or more")


@dataclass(frozen=True)
class Advised:
    """What came out.

    Attributes:
        request: what was asked.
        subjects: the photos that were looked at.
        of: how many photos there are.
        labels: what a judge can tell of changed photos.
        advice: one for each augmentation, in the registry's order.
        reduced: what a judge can tell of reduced photos, against the finest; None where they are of a fixed size.
        reduce: the largest reduction that keeps the label; None where it was not judged.
        ranking: none, the advice where it is another, and all at maximum.
        cells: the study's table, on both splits; augmented is by the advice, or all at maximum where it is none.
        rounds: how often the folds were trained.
        seconds: it took.
        notes: what the reader should know.
    """

    request: AdviseRequest
    subjects: Subjects
    of: int
    labels: Labels
    advice: tuple[Advice, ...]
    reduced: Labels | None
    reduce: int | None
    ranking: Comparison
    cells: tuple[Cell, ...]
    rounds: int
    seconds: float
    notes: tuple[str, ...]

    @property
    def recipe(self) -> str:
        """The recipe file: every augmentation's value, and why."""
        return recipe_text(self.advice)

    @property
    def verdict(self) -> str:
        """The answer in a sentence or two."""
        return headline(self.advice, self.ranking)

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "data": str(self.request.data),
            "photos": self.of,
            "photos_looked_at": len(self.subjects.labels),
            "verdict": self.verdict,
            "recipe": recipe_values(self.advice),
            "reduce": self.reduce,
            "judge_auc": asdict(self.labels.plain),
            "advice": [own.to_json() for own in self.advice],
            "reductions": [] if self.reduced is None else [asdict(row) for row in self.reduced.rows],
            "ranking": self.ranking.to_json(),
            "two_by_two": [cell.to_json() for cell in self.cells],
            "rounds": self.rounds,
            "seconds": self.seconds,
            "notes": list(self.notes),
        }

    def write(self, folder: Path) -> None:
        """Write the recipe and all figures."""
        write_text(folder / RECIPE_NAME, self.recipe)
        write_text(folder / JSON_NAME, json.dumps(self.to_json(), indent=2) + "\n")


def advise(
    request: AdviseRequest,
    *,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Advised:
    """Measure for every augmentation whether it keeps the label, covers what parts show, and helps.

    Args:
        request: what to advise on.
        progress: called with what is done, how much of it, and of how much.
        note: called with each line the user should know.

    Raises:
        GonogoError: the data or the options cannot be used.
    """
    started = time.monotonic()
    torch.set_num_threads(1)
    seeds = [request.seed + number for number in range(request.rounds)]
    prepared, folds = prepare_folds(
        request.data, request.options, request.folds, seeds, default_colour="grey", progress=progress
    )
    shown = shown_by(request, prepared)
    subjects = choose(prepared, folds, request.photos, request.seed)
    notes = list(prepared.notes)
    factors = factors_for(subjects)
    reduced = reductions(subjects, factors, request.seed)
    reduce = largest_kept(reduced, factors)
    if reduce is not None and reduce < subjects.prepared.geometry.reduce:
        own = subjects.prepared.geometry.reduce
        notes.append(f"reduced {own}x, photos lose their label; all that follows is at --reduce {reduce}")
        subjects = subjects.reduced(reduce)
    for line in notes:
        if note is not None:
            note(line)
    labels, covered = judged(subjects, shown, request.seed, progress)
    return _trained(
        request, subjects, len(prepared.manifest), labels, covered, (reduced, reduce), started, notes, progress
    )


def shown_by(request: AdviseRequest, prepared: Prepared) -> dict[str, Shown]:
    """Measure what photos of one part differ by."""
    found = lights(prepared)
    if request.options.find_copies:
        listed = list_photos(request.data, request.options)
        scanned = scan(listed.manifest, skip_unreadable=request.options.skip_unreadable)
        sizes = np.array([(fact.width, fact.height) for fact in scanned.facts], dtype=np.int64)
        found |= movements(copies_of(scanned), sizes)
    return found


def judged(
    subjects: Subjects, shown: dict[str, Shown], seed: int, progress: Progress | None = None
) -> tuple[Labels, dict[str, tuple[Covered, ...]]]:
    """Ask the judge about every augmentation at every strength."""
    tried = all_changes()
    changes = tuple(own for several in tried.values() for own in several)
    plain = look_plainly(subjects)
    looks = look_at(subjects, changes, seed, progress)
    labels = keeps_label(subjects, plain, looks, changes, seed)
    rows = covers(subjects, plain, looks, changes, shown, seed)
    return labels, {name: tuple(row for row in rows if row.change.name == name) for name in tried}


def _trained(
    request: AdviseRequest,
    subjects: Subjects,
    of: int,
    labels: Labels,
    covered: dict[str, tuple[Covered, ...]],
    reduced: tuple[Labels | None, int | None],
    started: float,
    notes: Sequence[str],
    progress: Progress | None,
) -> Advised:
    """Train what is worth it, weigh all answers, and train the recipe that follows."""
    seed, now = request.seed, time.monotonic()
    until = now + 60 * request.minutes
    chosen = [change for name, rows in covered.items() if (change := to_train(labels.of(name), rows)) is not None]
    ways = (PLAIN, *ways_of(chosen))
    single = Budget(request.epochs, now + 60 * request.minutes * SINGLE_SHARE)
    turns = train_all(subjects, subjects.folds, ways, [PLAIN], single, seed, progress)
    helped = helps(subjects, turns, chosen, seed)
    advice = tuple(advise_on(labels.of(name), rows, helped.get(name)) for name, rows in covered.items())
    whole = Way(RECIPE, used(advice))
    # Where the advice is to change nothing, the table shows what all at once would have done.
    both = (PLAIN, whole if whole.values else Way(MAXIMUM, at_maximum()))
    last = Budget(request.epochs, until, PHOTOS_SEEN_AS_A_WHOLE)
    # As far as the single ones came, and no further: the same folds, so that all can be compared.
    three = (PLAIN, *([whole] if whole.values else []), Way(MAXIMUM, at_maximum()))
    honest = train_all(subjects, subjects.folds, three, both, last, seed, progress, asked=turns.folds)
    leaky = train_all(subjects, leaky_folds(subjects, request.folds, seed), both, both, last, seed, progress)
    ranking = compare_ways(subjects, honest, seed)
    cells = two_by_two(subjects, {LEAKY: leaky, HONEST: honest}, PLAIN.name, both[1].name, seed)
    rounds, seconds = len(honest.folds), time.monotonic() - started
    return Advised(
        request, subjects, of, labels, advice, *reduced, ranking, tuple(cells), rounds, seconds, tuple(notes)
    )
