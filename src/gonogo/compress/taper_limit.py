"""What a curve over the depth of tapering says: how far a network may taper, in a word and in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gonogo.compress.tapers import Taper
from gonogo.evaluate.comparison import Difference
from gonogo.evaluate.comparison_words import TITLES, shown
from gonogo.evaluate.held_out import AUC
from gonogo.types import Rate

Found = Literal["falls", "open", "blind"]


@dataclass(frozen=True)
class Row:
    """A taper and how it did on parts that it never saw.

    Attributes:
        taper: of the family.
        params: parameters and statistics.
        macs: multiply-adds of one photo.
        figure: the measure, with its 95 % interval over parts.
        from_best: its measure minus the best one's; None for the best itself. All of these hold together.
    """

    taper: Taper
    params: int
    macs: int
    figure: Rate
    from_best: Difference | None

    @property
    def is_worse(self) -> bool:
        """Whether it is shown to be worse than the best."""
        return self.from_best is not None and self.from_best.sign < 0


@dataclass(frozen=True)
class Limit:
    """How far the network may taper.

    Attributes:
        found: "falls" where the figure clearly falls within the family, "open" where no deeper one is shown to be worse
            than the best, "blind" where none is shown to be better than chance.
        best: the best figure.
        deepest: the deepest one before the figure falls; the deepest of all where it does not.
        falls: the first one past the best that is clearly worse; None where none is.
    """

    found: Found
    best: Row
    deepest: Row
    falls: Row | None


def find_limit(rows: tuple[Row, ...], by: str, classes: int = 2) -> Limit:
    """Say how far the network may taper.

    Args:
        rows: the least tapered first; one of them is the best.
        by: the measure, a key of `TITLES`; more of it is better.
        classes: K, of which chance gets one in K right.
    """
    first = next(k for k, row in enumerate(rows) if row.from_best is None)
    best, deeper = rows[first], rows[first + 1 :]
    chance = 0.5 if by == AUC else 1 / classes
    falls = next((k for k, row in enumerate(deeper) if row.is_worse), None)
    if (best.figure.low or 0.0) <= chance:
        return Limit("blind", best, best, None)
    if falls is None:
        return Limit("open", best, rows[-1], None)
    return Limit("falls", best, rows[first + falls], deeper[falls])


def answer(limit: Limit, by: str) -> str:
    """Return how far the network may taper, in a sentence or two."""
    measure, best, deepest = TITLES[by], limit.best, limit.deepest
    if limit.found == "blind":
        return (
            f"These data cannot tell how far their network may taper: none of these tapers is shown to be better than "
            f"chance; {best.taper.name}, ahead of all, has {measure} {_rate(best.figure, by)}."
        )
    if limit.falls is None and deepest.from_best is None:
        return (
            f"No end of tapering is found: {_called(deepest)}, the most tapered one tried, is the best of all, with "
            f"{measure} {_rate(deepest.figure, by)}; try deeper ones with --depths."
        )
    lacking = _lacking(deepest, best, by)
    if limit.falls is None:
        return (
            f"These data cannot tell how far their network may taper: even {_called(deepest)}, the most tapered one "
            f"tried, has {measure} {_rate(deepest.figure, by)}{lacking}. More parts, more --repeats or deeper --depths "
            "would tell."
        )
    falls = limit.falls
    assert falls.from_best is not None
    return (
        f"This data's network may taper to {_called(deepest)}: {measure} {_rate(deepest.figure, by)}{lacking}. At "
        f"{falls.taper.name} ({falls.taper.shape}) it clearly falls, {_behind(falls.from_best, by)} below the best."
    )


def shallower(rows: tuple[Row, ...], limit: Limit, by: str) -> tuple[str, ...]:
    """Say which networks that taper less are shown to be worse."""
    worse = [row for row in rows if row.taper.depth < limit.best.taper.depth and row.is_worse]
    if not worse or limit.found == "blind":
        return ()
    listed = ", ".join(f"{row.taper.name} ({shown(by, row.figure.value or 0.0)})" for row in worse)
    return (f"Tapering less is clearly worse as well: {listed}.",)


def _called(row: Row) -> str:
    costs = f"{row.params:,} parameters, {row.macs / 1e6:,.2f} M multiply-adds"
    return f"{row.taper.name} ({row.taper.shape} channels, {costs})"


def _rate(rate: Rate, by: str) -> str:
    value, low, high = (shown(by, own or 0.0) for own in (rate.value, rate.low, rate.high))
    return f"{value} ({low} to {high})"


def _behind(difference: Difference, by: str) -> str:
    low, high = sorted((-difference.low, -difference.high))
    return f"{shown(by, -difference.value)} ({shown(by, low)} to {shown(by, high)})"


def _lacking(row: Row, best: Row, by: str) -> str:
    """Say what a network lacks of the best one; nothing for the best one itself."""
    if row.from_best is None:
        return ", the best of all"
    most = shown(by, max(0.0, -row.from_best.low))
    first = f"{best.taper.name} with {shown(by, best.figure.value or 0.0)}"
    return f", not shown to be worse than the best, {first}; it lacks {most} of it at most"
