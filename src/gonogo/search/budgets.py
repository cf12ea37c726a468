"""What a gauge may cost, and what it was found to cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from gonogo.errors import UsageError
from gonogo.evaluate.guarantee import percent
from gonogo.evaluate.policies import DEFAULT_CONFIDENCE, check_confidence, check_rate

KB = 1000
USELESS = "any"


@dataclass(frozen=True)
class Budgets:
    """What a gauge may cost; None where nothing was said.

    Attributes:
        max_escape: rate of defective parts called go, guaranteed.
        confidence: of that guarantee.
        max_overkill: rate of good photos called no-go, as measured on parts kept for the proof.
        max_latency_ms: median milliseconds from camera pixels to verdict, one photo, one thread.
        max_size_kb: the model file, in units of 1,000 bytes.

    Raises:
        UsageError: a budget that nothing can keep, or that says nothing without another.
    """

    max_escape: float | None = None
    confidence: float = DEFAULT_CONFIDENCE
    max_overkill: float | None = None
    max_latency_ms: float | None = None
    max_size_kb: float | None = None

    def __post_init__(self) -> None:
        check_confidence(self.confidence)
        if self.max_escape is not None:
            check_rate(self.max_escape, "--max-escape")
        if self.max_overkill is not None:
            check_rate(self.max_overkill, "--max-overkill")
        if self.max_escape is not None and self.max_overkill is not None and self.max_escape + self.max_overkill >= 1:
            raise UsageError(
                f"--max-escape {percent(self.max_escape)} and --max-overkill {percent(self.max_overkill)} are together "
                "what a coin keeps; give rates that a gauge has to work for, such as 1% and 3%"
            )
        for option, value, unit in (
            ("--max-latency-ms", self.max_latency_ms, "milliseconds such as 0.2"),
            ("--max-size-kb", self.max_size_kb, "kilobytes such as 40"),
        ):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise UsageError(f"{option} is {value:g}, expected {unit}")

    def excess(self, latency_ms: float, size_bytes: float) -> float:
        """Return how far a file exceeds the worse of the two budgets, as a share of it; 0 or less where it fits."""
        over = [0.0]
        if self.max_latency_ms is not None:
            over.append(latency_ms / self.max_latency_ms - 1)
        if self.max_size_kb is not None:
            over.append(size_bytes / (KB * self.max_size_kb) - 1)
        return max(over)


@dataclass(frozen=True)
class Unmet:
    """A budget that is not kept.

    Attributes:
        budget: its option, such as "--max-latency-ms"; "any" where the network is of no use at all.
        asked: of it; None where it is no number.
        found: what the gauge has.
        relax: what to do, in one line: which budget to relax, and by how much, or what is missing.
    """

    budget: str
    asked: float | None
    found: float | None
    relax: str

    @property
    def in_words(self) -> str:
        """The budget and what to do, in one line."""
        return self.relax if self.budget == USELESS else f"{self.budget} is not kept: {self.relax}"

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return vars(self)
