"""What is asked of a fit, and the folder it works in."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gonogo import __version__
from gonogo.config import read_toml, to_dict, toml_text
from gonogo.errors import UsageError
from gonogo.files import check_new_folder, check_writable, remove_leftovers, write_text
from gonogo.search.budgets import Budgets
from gonogo.train.prepare import DataOptions
from gonogo.train.transfer import WeightsSource

MARKER, RESULT, PAGE, CLOCK = "fit.toml", "fit.json", "report.html", "clock.json"
TABLE, RUN, GAUGE, PROOF = "photos.csv", "run", "gauge", "proof"
MINUTES = 10.0
LEAST_MINUTES = 0.5


@dataclass(frozen=True)
class FitRequest:
    """What to fit.

    Attributes:
        data: a folder of photos or a manifest file.
        out: the folder to work in.
        budgets: what the gauge may cost.
        minutes: for everything.
        trials: networks to try at most; as many as the time allows unless given.
        weights: pretrained ones, for stumps: a file, or "hub" to fetch the published ones.
        options: what is said about the data.
        storage: of Optuna, any URL it knows; a file in the folder unless given.
        seed: of every random choice.
        resume: go on where an earlier fit in the folder stopped.
        force: replace the folder.
        beside: folders of fits that have ended, for the page to show beside this one.
    """

    data: Path
    out: Path
    budgets: Budgets = field(default_factory=Budgets)
    minutes: float = MINUTES
    trials: int | None = None
    weights: WeightsSource = None
    options: DataOptions = field(default_factory=DataOptions)
    storage: str | None = None
    seed: int = 0
    resume: bool = False
    force: bool = False
    beside: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if not self.minutes >= LEAST_MINUTES:
            raise UsageError(f"--minutes is {self.minutes:g}, expected {LEAST_MINUTES:g} or more")
        if self.trials is not None and self.trials < 1:
            raise UsageError(f"--trials is {self.trials}, expected 1 or more")

    @property
    def where(self) -> str:
        """Where Optuna keeps its trials."""
        return self.storage or f"sqlite:///{(self.out / 'search.db').resolve().as_posix()}"

    def to_tables(self) -> dict[str, Any]:
        """Return the tables of ``fit.toml``: all that decides what comes out."""
        tables = {
            "gonogo": __version__,
            "data": str(self.data),
            "seed": self.seed,
            "weights": "" if self.weights is None else str(self.weights),
            "storage": self.storage or "",
            "budgets": {name: value for name, value in asdict(self.budgets).items() if value is not None},
            "options": to_dict(self.options),
        }
        return {name: value for name, value in tables.items() if value != ""}

    def open_folder(self) -> None:
        """Make the folder, or see that it is of the same fit.

        Raises:
            UsageError: it is in the way, holds no fit to resume, or one of other photos or budgets.
        """
        if not self.resume:
            check_new_folder(self.out, force=self.force, marker=MARKER)
            if self.out.exists():
                shutil.rmtree(self.out)
            self.out.mkdir(parents=True)
            # First the file that makes the folder ours: a fit that is killed here can be resumed or replaced.
            write_text(self.out / MARKER, toml_text(self.to_tables()))
            return
        path = self.out / MARKER
        if not path.is_file():
            raise UsageError(f"{self.out} holds no fit to resume; leave --resume out")
        check_writable(self.out)
        remove_leftovers(self.out)
        before, now = read_toml(path), json.loads(json.dumps(self.to_tables()))
        for name in sorted(set(before) | set(now)):
            if before.get(name) != now.get(name):
                raise UsageError(
                    f"{self.out} began with {name} {before.get(name)}, now it is {now.get(name)}; resume with the same "
                    "options, or begin anew with --force"
                )
