"""How much a training may see, so that the search ends in time: measured on these photos, on this machine."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import optuna

from gonogo.files import write_text
from gonogo.search.clock import Clock
from gonogo.search.material import Material
from gonogo.search.search import Effort, Search
from gonogo.search.space import Space
from gonogo.search.tried import Tried
from gonogo.train.candidates import Entrant
from gonogo.train.jobs import Training, train_one

NAME, LAST_NAME = "effort.json", "last.json"
# Of what is left after the photos were looked at, what one training of the slowest of the first tapers may take.
SHARE = 0.2
PHOTOS = (2_000, 120_000)  # that a whole training shows, at least and at most
EPOCHS = 10  # at least; where there are more photos than that allows, an epoch draws from them
LONGER = 3.0  # that the last training may be than those of the search, where there is time left
TRIED = 800  # photos of the trial run that tells the pace
# Photos a second where the number of networks is given: a measured pace would make the answer a matter of the machine.
NOMINAL = 400.0


def plan_effort(folder: Path, material: Material, space: Space, clock: Clock, trials: int | None) -> Effort:
    """Return how much each training may see.

    The answer is kept in the folder, so that a fit that goes on goes on alike.

    Args:
        folder: of the fit.
        material: the folds.
        space: of which the slowest of the first tapers tells the pace.
        clock: the time for everything.
        trials: networks to try, however long it takes; then the pace here plays no part. None for what the time allows.
    """
    path = folder / NAME
    if not path.is_file():
        in_a_second, seconds = (_pace(material, space), clock.left) if trials is None else (NOMINAL, clock.seconds)
        photos = int(min(PHOTOS[1], max(PHOTOS[0], in_a_second * SHARE * seconds)))
        there = len(material.manifest)
        effort = Effort(photos, min(there, photos // EPOCHS))
        write_text(path, json.dumps(asdict(effort), indent=2) + "\n")
    return Effort(**json.loads(path.read_text(encoding="utf-8")))


def last_effort(folder: Path, search: Search, chosen: Tried, *, hurry: bool = False) -> Effort:
    """Return how much the last training may see: as much as those of the search, or more where there is time left.

    Args:
        folder: of the fit.
        search: as it ended.
        chosen: what is trained.
        hurry: whether the user ended the search, and so has no time.
    """
    path = folder / LAST_NAME
    if not path.is_file():
        longer, effort = 1.0, search.effort
        needed = search.last_seconds(chosen)
        if search.most is None and needed and not hurry:
            longer = min(LONGER, max(1.0, (search.clock.left - search.reserve) / needed))
        write_text(path, json.dumps(asdict(replace(effort, photos=int(effort.photos * longer))), indent=2) + "\n")
    return Effort(**json.loads(path.read_text(encoding="utf-8")))


def _pace(material: Material, space: Space) -> float:
    """Return photos a second that the slowest of the first tapers learns from on one core."""
    proposal = space.propose(optuna.trial.FixedTrial(space.slow_taper))
    recipe = {"epochs": 1, "photos_per_epoch": TRIED, "keep": "last", "patience": 0}
    candidate = replace(proposal.candidate, name="pace", recipe={**proposal.candidate.recipe, **recipe})
    entrant = Entrant.of(candidate)
    course = material.course(proposal)
    started = time.monotonic()
    train_one(course, Training(entrant, 0, 0))
    return TRIED / (time.monotonic() - started)
