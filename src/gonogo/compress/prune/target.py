"""What pruning is asked for: a share of the cost, or a time on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from gonogo.errors import UsageError

Kind = Literal["macs", "params", "latency", "latency_ms"]


@dataclass(frozen=True)
class Target:
    """What is left at most.

    Attributes:
        kind: "macs", "params" or "latency" as a share of the original's, or "latency_ms".
        value: the share, or milliseconds for one photo on one thread.
    """

    kind: Kind
    value: float

    @property
    def is_time(self) -> bool:
        """Whether it must be measured."""
        return self.kind.startswith("latency")

    def at(self, step: int, steps: int) -> Target:
        """Return the target of one step of several, each taking the same share of what is left."""
        if self.kind == "latency_ms" or steps == 1:
            return self
        return Target(self.kind, self.value ** (step / steps))

    def __str__(self) -> str:
        """Return it as it is written on the command line."""
        return f"{self.kind}={self.value:g}"


def read_target(text: str) -> Target:
    """Read what stands behind --target.

    Raises:
        UsageError: another word, or a value that says nothing.
    """
    kind, _, value = text.partition("=")
    kind = kind.strip().replace("-", "_")
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    highest = 1.0 if kind != "latency_ms" else float("inf")
    if kind not in get_args(Kind) or not 0 < number < highest:
        raise UsageError(
            f"found --target '{text}', expected macs=0.5, params=0.3 or latency=0.5 (a share of the original's, above "
            "0 and below 1), or latency_ms=2"
        )
    return Target(kind, number)  # type: ignore[arg-type]
