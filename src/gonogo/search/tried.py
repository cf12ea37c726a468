"""A network that was tried: what it is, what it costs, how it answered."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from gonogo.search.budgets import KB, Budgets
from gonogo.search.measure import Cost, Shown, quality
from gonogo.search.space import Proposal

# The loss of a network that was not trained: everything wrong.
NOT_TRAINED = 2.0


@dataclass(frozen=True)
class Sketch:
    """How a network answered for a fold, or several, after short trainings.

    Attributes:
        name: of the score: "auc" over parts; for sorting "accuracy", the share of them answered right.
        score: its value.
        overkill: as of `measure.Shown`.
        seconds: a training took.
    """

    name: str
    score: float
    overkill: float
    seconds: float

    @property
    def loss(self) -> float:
        """As of `measure.Shown`."""
        return 1 - self.score + self.overkill


@dataclass(frozen=True)
class Tried:
    """A network that was tried.

    Attributes:
        number: of the trial.
        proposal: what it is.
        cost: as measured here.
        sketch: the first look; None where its cost is so far from the budgets that it was not trained.
        shown: its answers to folds held out of whole trainings; None where it did not get so far.
    """

    number: int
    proposal: Proposal
    cost: Cost
    sketch: Sketch | None = None
    shown: Shown | None = None

    @property
    def answers(self) -> Shown:
        """Its answers after whole trainings.

        Raises:
            ValueError: there are none.
        """
        if self.shown is None:
            raise ValueError(f"trial {self.number} was not trained at full length")
        return self.shown

    @property
    def loss(self) -> float:
        """What its short look gave; everything wrong where there was none."""
        return NOT_TRAINED if self.sketch is None else self.sketch.loss

    def in_words(self) -> str:
        """Return what was found."""
        cost = f"{self.cost.latency_ms:.3f} ms, {self.cost.size_bytes / KB:.0f} kB"
        found = "far beyond the budgets"
        if self.sketch is not None:
            found = quality(self.sketch.name, self.sketch.score, self.sketch.overkill)
        return f"{self.number + 1:3}  {self.proposal.in_words()}: {cost}: {found}"

    def excess(self, budgets: Budgets) -> float:
        """Return how far its cost exceeds the budgets."""
        return budgets.excess(self.cost.latency_ms, self.cost.size_bytes)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "number": self.number,
            "name": self.proposal.candidate.name,
            "is": self.proposal.in_words(),
            "arch": self.proposal.candidate.arch,
            "reduce": self.proposal.reduce,
            **asdict(self.cost),
            "sketch": None if self.sketch is None else asdict(self.sketch) | {"loss": self.sketch.loss},
            "score": None if self.shown is None else self.shown.scores.mean,
            "overkill": None if self.shown is None else self.shown.overkill,
            "seconds": None if self.shown is None else self.shown.seconds,
        }
