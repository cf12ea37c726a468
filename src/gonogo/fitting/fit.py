"""The whole flow, step by step: look, divide, search, train, export, prove, tell. Each step can be taken up again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import optuna

from gonogo.assess import SHEET_NAME, assess
from gonogo.data.formats.table import write_apart
from gonogo.data.manifest import Manifest
from gonogo.errors import DataError, UsageError
from gonogo.files import write_text
from gonogo.fitting.advice import advise_recipe
from gonogo.fitting.beside import read_beside
from gonogo.fitting.effort import last_effort, plan_effort
from gonogo.fitting.looked import Looked, look
from gonogo.fitting.outcome import Outcome, judge
from gonogo.fitting.page import page_of
from gonogo.fitting.proof import for_training
from gonogo.fitting.request import CLOCK, GAUGE, PAGE, PROOF, RESULT, RUN, TABLE, FitRequest
from gonogo.gauge.gauge import Gauge
from gonogo.report.fit import write_fit_page
from gonogo.search.clock import Clock
from gonogo.search.material import Material, parts_of_classes
from gonogo.search.pareto import take
from gonogo.search.queue import check_storage
from gonogo.search.search import Search
from gonogo.search.space import STUMP, Space, reductions_for
from gonogo.search.tried import Tried
from gonogo.splitting import Progress
from gonogo.train.listing import list_photos
from gonogo.train.loop import Step
from gonogo.train.prepare import DataOptions
from gonogo.train.run import Run
from gonogo.train.train import TrainRequest, train
from gonogo.train.transfer import read_pretrained

FOLDS = 4
# Share of the time, and seconds, that are kept for export, proof, timing and the page.
TAIL_SHARE, TAIL_S = 0.03, 20.0


@dataclass(frozen=True)
class Fitted:
    """What came out.

    Attributes:
        request: what was asked.
        looked: the photos.
        search: what was tried.
        chosen: the network that was taken.
        outcome: the gauge, and what of the budgets it keeps.
        interrupted: the user ended the search early.
        seconds: it took, interruptions left out.
    """

    request: FitRequest
    looked: Looked
    search: Search
    chosen: Tried
    outcome: Outcome
    interrupted: bool
    seconds: float

    @property
    def met(self) -> bool:
        """Whether every budget is kept."""
        return self.outcome.met

    @property
    def gauge(self) -> Gauge:
        """The gauge, ready to inspect photos."""
        return self.outcome.gauge

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "out": str(self.request.out),
            "gauge": str(self.request.out / GAUGE),
            "run": str(self.request.out / RUN),
            "report": str(self.request.out / PAGE),
            **self.outcome.to_json(),
            "chosen": self.chosen.to_json(),
            "tried": [own.to_json() for own in self.search.tried],
            "cannot": self.looked.proof.cannot(self.request.budgets.confidence),
            "proof": {"rate": self.looked.proof.rate, "parts": self.looked.proof.parts},
            "notes": list(self.looked.notes),
            "photos": self.outcome.run.config.fingerprint,
            "interrupted": self.interrupted,
            "seconds": self.seconds,
        }


def fit(
    request: FitRequest,
    *,
    say: Callable[[str], None] = print,
    progress: Progress | None = None,
    report: Callable[[Step], None] | None = None,
) -> Fitted:
    """Turn photos into a gauge.

    Args:
        request: what is asked.
        say: called with each line worth reading.
        progress: called while photos are read, with what is done, how much of it, and of how much.
        report: called after each batch and epoch of the last training.

    Raises:
        GonogoError: the photos, the options or the folder cannot be used.
        BarNotMetError: a loss left the numbers, or the gauge does not answer as the network did.
    """
    listed = list_photos(request.data, request.options, may_be_good=True)
    if listed.good_alone:
        raise UsageError(
            f"{request.data} shows good parts alone, expected defects too; a distance from good parts is trained by "
            "'gonogo train --arch stump', and fit needs some defects to prove anything"
        )
    if listed.task.is_sorting and (request.budgets.max_escape or request.budgets.max_overkill):
        raise UsageError(
            f"sorting into {', '.join(listed.task.classes)} has no good class and so no escapes; name it with --good "
            "NAME, or leave --max-escape and --max-overkill out"
        )
    check_storage(request.storage)
    others = read_beside(request.beside)
    if request.weights is not None:
        read_pretrained(STUMP, request.weights, {})  # a file that is not there is said before any work
    request.open_folder()
    clock = Clock(request.out / CLOCK, 60 * request.minutes)
    say("1 of 5  looking at the photos")
    looked = look(request, say, progress)
    if request.trials is None:
        _say_if_late(clock, say)
    say("2 of 5  advising, and searching")
    search = prepare_search(request, looked, clock, say, progress)
    interrupted = _search(search, say)
    chosen = take(search.whole, request.budgets.max_overkill) if search.whole else search.promising[0]
    say(f"3 of 5  training the one that was chosen: {chosen.proposal.in_words()}")
    effort = last_effort(request.out, search, chosen, hurry=interrupted)
    run = train_chosen(request, looked, search.recipe(chosen.proposal, effort.recipe()), chosen, report)
    clock.keep()
    say("4 of 5  exporting, comparing the files with the network, proving what they promise")
    has_time = request.trials is not None or clock.left >= search.reserve / 2
    outcome = judge(request, run, looked, say, beside_rivals=has_time)
    say("5 of 5  writing the page")
    asked = assess(request.out / RUN, split="val", out=request.out / PROOF, force=True)
    fitted = Fitted(request, looked, search, chosen, outcome, interrupted, clock.elapsed)
    assert asked.folder is not None
    write_fit_page(request.out / PAGE, page_of(fitted, asked.folder / SHEET_NAME, others))
    write_text(request.out / RESULT, json.dumps(fitted.to_json(), indent=2) + "\n")
    clock.keep()
    return fitted


def _say_if_late(clock: Clock, say: Callable[[str], None]) -> None:
    if clock.left < tail_seconds(clock):
        say(
            f"  that alone took {clock.elapsed / 60:.1f} of the {clock.seconds / 60:g} minutes; what follows is the "
            "least that makes a gauge"
        )


def tail_seconds(clock: Clock) -> float:
    """Return how long export, proof, timing and the page take at least."""
    return TAIL_S + TAIL_SHARE * clock.seconds


def prepare_search(
    request: FitRequest, looked: Looked, clock: Clock, say: Callable[[str], None], progress: Progress | None
) -> Search:
    """Lay out the photos, the space and the effort of a search."""
    manifest, _ = for_training(looked.proof)
    geometry = looked.photos.geometry
    chosen = geometry.reduce if looked.options.fixes_size else None
    space = Space(reductions_for(min(geometry.region[2:]), chosen), request.weights)
    folds = _folds(manifest)
    material = Material(looked.photos, manifest, looked.options, folds, request.seed, request.out / "answers", progress)
    first = material.seen_by(space.propose(optuna.trial.FixedTrial(space.small_taper)))
    space = replace(space, recipe=advise_recipe(request.out, material, first, say, progress))
    effort = plan_effort(request.out, material, space, clock, request.trials)
    say(
        f"  {len(manifest):,} photos to search on, in {folds} folds of whole parts; a whole training shows "
        f"{effort.photos:,} photos"
    )
    if request.weights is None:
        say("  no --weights: stumps, which do best where parts are few, are not tried")
    return Search(
        material,
        space,
        request.budgets,
        effort,
        clock,
        tail_seconds(clock),
        request.where,
        request.storage is not None,
        request.seed,
        request.trials,
        looked.proof.rate or 0.0,
        len(looked.proof.manifest) / len(manifest),
        say,
    )


def _folds(manifest: Manifest) -> int:
    """Return how many folds the parts of the rarest class allow.

    Raises:
        DataError: fewer than two.
    """
    name, fewest = min(parts_of_classes(manifest).items(), key=lambda item: item[1])
    if fewest < 2:
        raise DataError(
            f"class '{name}' has {fewest} part left to train on, expected 2 or more; photograph more different parts "
            "of it"
        )
    return min(FOLDS, fewest)


def _search(search: Search, say: Callable[[str], None]) -> bool:
    """Search; say whether the user ended it early, with something to go on with.

    Raises:
        KeyboardInterrupt: nothing was trained yet.
    """
    try:
        search.run()
    except KeyboardInterrupt:
        if not any(own.sketch for own in search.tried):
            raise
        say("  interrupted: going on with the best so far; interrupt again to stop at once")
        return True
    return False


def train_chosen(
    request: FitRequest,
    looked: Looked,
    recipe: Mapping[str, Any],
    chosen: Tried,
    report: Callable[[Step], None] | None,
) -> Run:
    """Train the chosen network on all photos that are for training, and choose its threshold on those for the proof."""
    table, folder = request.out / TABLE, request.out / RUN
    apart = write_apart(looked.proof.manifest, table)
    proposal, rate = chosen.proposal, looked.proof.rate
    told = looked.options
    options = DataOptions(
        good=looked.photos.task.good or "none",
        crop=told.crop,
        reduce=told.reduce if told.fixes_size else proposal.reduce,
        colour=told.colour,
        bit_depth=told.bit_depth,
        size=told.size,
        skip_unreadable=told.skip_unreadable,
        photos=None if apart is None else str(apart),
        find_copies=False,
        test=0.0,
    )
    decision = {} if rate is None else {"max_escape": rate, "confidence": request.budgets.confidence}
    asked = TrainRequest(
        table,
        folder,
        proposal.candidate.arch,
        proposal.candidate.arch_options,
        recipe,
        options,
        decision,
        resume=(folder / "run.toml").is_file(),
        weights=request.weights if proposal.is_learnt_elsewhere else None,
    )
    return train(asked, report=report)
