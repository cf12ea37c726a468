"""Networks side by side, each on two divisions of the same photos: as published, and with parts never seen."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from gonogo.data.formats import MixedRule
from gonogo.evaluate.metrics import Evaluation
from gonogo.studies.contenders import Contender, Cost
from gonogo.studies.latency import Latency
from gonogo.types import Rate

FIGURES = ("accuracy", "auc", "balanced_accuracy", "escape_rate", "overkill_rate")

# The studies lowered the rate where validation stood still; with parts held out in turn there is none to look at.
FIXED = {"schedule": "cosine"}


@dataclass(frozen=True)
class Entry:
    """A network on a board.

    Attributes:
        contender: the network.
        sees: changes to the options of the data: the reduction or size of its photos.
        whole: the same where every network sees what the study gave it; as `sees` unless given.
        heavy: too much work to train without a GPU; then its row shows what it costs.
        quick: it is in a first look, too.
    """

    contender: Contender
    sees: Mapping[str, Any]
    whole: Mapping[str, Any] | None = None
    heavy: bool = False
    quick: bool = False

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.contender.name


@dataclass(frozen=True)
class Board:
    """What a study compares.

    Attributes:
        study: its name.
        entries: its own networks first.
        first: the network that the study is about, against which others are set.
        folds: into which whole parts are shared out.
        test: share of each class in the published test set, where the data name none.
        augmented: the study's augmentation, keys of the recipe, where it asked whether that pays; nothing where not.
        quick_epochs: of networks that learn from nothing, in a first look.
        mixed: what a photo with boxes of several classes is, unless the user says.
    """

    study: str
    entries: tuple[Entry, ...]
    first: str
    folds: int
    test: float
    augmented: Mapping[str, Any] = field(default_factory=dict)
    quick_epochs: int = 2
    mixed: MixedRule = "refuse"

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """The networks."""
        return tuple(entry.contender for entry in self.entries)


@dataclass(frozen=True)
class Row:
    """What was found of a network.

    Attributes:
        name: of the network.
        published: the study's own figures; empty where it has none.
        cost: counted and timed on these photos.
        latency: by batch; None where it was not asked for.
        leaky: on the published division; None where it was not trained.
        honest: on parts never seen; None where it was not trained.
        auc: area under the ROC curve within folds, with its interval over parts.
        why: why there are no figures.
    """

    name: str
    published: Mapping[str, Any]
    cost: Cost
    latency: Latency | None = None
    leaky: Evaluation | None = None
    honest: Evaluation | None = None
    auc: Rate | None = None
    why: str = ""

    def to_json(self, study: str) -> list[dict[str, Any]]:
        """Return plain values, a row for each division."""
        both = (("published", self.leaky, self.leaky.auc if self.leaky else None), ("leak-free", self.honest, self.auc))
        return [
            {
                "row": study,
                "model": self.name,
                "published": dict(self.published),
                "ours": asdict(self.cost) | _figures(found, auc) | self._latency() | {"why": self.why},
                "split": split,
            }
            for split, found, auc in both
        ]

    def _latency(self) -> dict[str, Any]:
        return {} if self.latency is None else {"latency": self.latency.to_json()}


def _figures(found: Evaluation | None, auc: Rate | None) -> dict[str, Any]:
    if found is None:
        return {"figures": {}}
    figures = {name: getattr(found, name) for name in FIGURES} | {"auc": auc}
    plain: dict[str, Any] = {name: asdict(rate) for name, rate in figures.items() if rate is not None}
    return {"figures": plain | {"f1": {name: own.f1 for name, own in found.classes.items()}}}


def as_csv(rows: tuple[Row, ...]) -> str:
    """Return a table with a line for each network and division."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    counted = [name for name in Cost.__dataclass_fields__ if name != "input_size"]
    ends = ("", "_low", "_high")
    writer.writerow(
        ["model", "split", *counted, "height", "width", "published_accuracy"]
        + [f"{name}{end}" for name in FIGURES for end in ends]
        + ["why"]
    )
    for row in rows:
        for own in row.to_json(""):
            rates = [own["ours"]["figures"].get(name) for name in FIGURES]
            cells = [end for r in rates for end in ((r["value"], r["low"], r["high"]) if r else ("", "", ""))]
            cost = [getattr(row.cost, name) for name in counted]
            told = row.published.get("accuracy", "")
            writer.writerow([row.name, own["split"], *cost, *row.cost.input_size, told, *cells, row.why])
    return buffer.getvalue()
