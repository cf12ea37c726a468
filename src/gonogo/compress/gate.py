"""The gate: a changed file is kept only where it is really faster and nearly as good, or it says by how much it is not.

Whatever changed the network - fewer bits, fewer channels - it is judged by its file: answers to validation photos, and
milliseconds from raw pixels, timed in turns with the file it came from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gonogo.bench.timer import percentiles
from gonogo.evaluate.drop import Drop
from gonogo.evaluate.intervals import scipy_special
from gonogo.types import Float64Array

# How much faster a file must be for sure: less is no reason to change what runs on a line.
LEAST_SPEEDUP = 1.05
# The turns of a timing are cut into so many pieces, whose medians tell how sure the whole is.
PIECES = 10
# The percentile of the calls at which nobody else was at work.
UNDISTURBED = 10
_TAIL = 0.025
REPEATS = 300


@dataclass(frozen=True)
class Speed:
    """Latency of a file and of the one it came from, one photo a call, one thread, from raw pixels.

    Attributes:
        p50_ms: of the file.
        p95_ms: of the file.
        before_ms: median of the one it came from.
        speedup: the median of the one it came from over that of the file, above 1 where the file is faster.
        low: lower end of its 95 % interval.
        high: upper end.
        undisturbed: the same ratio for the quickest tenth of the calls, which a busy machine has left alone.
    """

    p50_ms: float
    p95_ms: float
    before_ms: float
    speedup: float
    low: float
    high: float
    undisturbed: float

    @property
    def words(self) -> str:
        """How much faster or slower: "3.8x slower", "1.02x faster (1.00 to 1.04)"."""
        if self.high < 1:
            return f"{1 / self.speedup:.3g}x slower"
        return f"{self.speedup:.2f}x as fast ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Gated:
    """A file at the gate.

    Attributes:
        name: of what made it.
        runtime: what opens it.
        precision: "int8" and the like.
        speed: None where it could not be timed.
        drop: class to drop; empty where it was not asked.
        size_bytes: of the file.
        reasons: why it is refused; empty where it is accepted.
    """

    name: str
    runtime: str
    precision: str
    speed: Speed | None
    drop: Mapping[str, Drop]
    size_bytes: int | None
    reasons: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        """True where nothing speaks against it."""
        return not self.reasons

    @property
    def reason(self) -> str | None:
        """Why it is refused, in one line; None where it is accepted."""
        return None if self.accepted else "; ".join(self.reasons) + "; not written"

    def to_json(self) -> dict[str, Any]:
        """Return a row of ``--json``."""
        speed = self.speed
        return {
            "name": self.name,
            "runtime": self.runtime,
            "precision": self.precision,
            "p50_ms": None if speed is None else speed.p50_ms,
            "p95_ms": None if speed is None else speed.p95_ms,
            "p50_ms_before": None if speed is None else speed.before_ms,
            "speedup": None if speed is None else _ratio(speed),
            "size_bytes": self.size_bytes,
            "drop": {name: asdict(drop) for name, drop in self.drop.items()},
            "accepted": self.accepted,
            "reason": self.reason,
        }


def _ratio(speed: Speed) -> dict[str, float]:
    return {"value": speed.speedup, "low": speed.low, "high": speed.high, "undisturbed": speed.undisturbed}


def time_pairs(
    calls: Mapping[str, Callable[[int], object]], pairs: Mapping[str, str], repeats: int = REPEATS
) -> dict[str, Speed]:
    """Time files in turns, so that a busy moment of the machine hits all of them alike.

    Args:
        calls: by name; each is given the number of the turn and answers one photo.
        pairs: the name of a file, and of the one it came from.
        repeats: timed turns, at least `PIECES`.
    """
    times = percentiles(dict(calls), max(repeats, PIECES))
    return {name: speed_of(times[name], times[before]) for name, before in pairs.items()}


def speed_of(after: Float64Array, before: Float64Array) -> Speed:
    """Compare (R,) milliseconds that were taken in turns.

    The interval of the ratio is Student's of the logarithm over consecutive pieces, each with the medians of its turns:
    what slows the machine for a while slows both within a piece. But a machine with more work than cores breaks into
    long calls rather than into short ones, and then the medians flatter the quicker file.
    """
    medians = [[np.median(piece) for piece in np.array_split(times, PIECES)] for times in (after, before)]
    logs = np.log(medians[1]) - np.log(medians[0])
    factor = float(scipy_special().stdtrit(PIECES - 1, 1 - _TAIL))
    half = factor * float(logs.std(ddof=1)) / math.sqrt(PIECES)
    p50, p95, own = float(np.median(after)), float(np.percentile(after, 95)), float(np.median(before))
    middle, speedup = float(logs.mean()), own / p50
    low, high = math.exp(middle - half), math.exp(middle + half)
    quickest = [float(np.percentile(times, UNDISTURBED)) for times in (after, before)]
    return Speed(p50, p95, own, speedup, min(low, speedup), max(high, speedup), quickest[1] / quickest[0])


def too_slow(
    speed: Speed, precision: str, runtime: str, least: float = LEAST_SPEEDUP, before: str = "fp32"
) -> str | None:
    """Return why a file is not fast enough; None where it is.

    Args:
        speed: measured.
        precision: of the file, or what was done to it.
        runtime: what opens it.
        least: how much faster it must be, with the lower end of the interval.
        before: what the one is called that it came from.
    """
    if min(speed.low, speed.undisturbed) >= least:
        return None
    asked = "" if speed.high < 1 else f", {least:g}x is asked for beyond doubt"
    if speed.low >= least:
        asked = f", but {speed.undisturbed:.2f}x where nothing else ran{asked}; time it when this machine is not busy"
    return (
        f"{precision} under {runtime} takes {speed.p50_ms:.3g} ms where {before} takes {speed.before_ms:.3g}: "
        f"{speed.words}{asked}"
    )


def too_bad(drop: Mapping[str, Drop], max_drop: float, precision: str, runtime: str) -> list[str]:
    """Return what is lost beyond the limit, a line for each class.

    Args:
        drop: class to drop.
        max_drop: allowed, in points.
        precision: of the file.
        runtime: what opens it.
    """
    return [
        f"{precision} under {runtime} is right about '{name}' less often by {own.points}, at most {max_drop:g} allowed"
        for name, own in drop.items()
        # 1 of 200 photos is half a point; the last digit of a division must not refuse it.
        if 100 * own.value > max_drop + 1e-9
    ]


def in_words(rows: Sequence[Gated]) -> str:
    """Return why nothing was written, in one line."""
    return "; ".join(reason for row in rows for reason in row.reasons)
