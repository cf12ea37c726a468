"""How much of the time is gone, over interruptions too."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from gonogo.files import write_text


@dataclass
class Clock:
    """Time that was given, and what of it is gone.

    Attributes:
        path: file that keeps the time over interruptions.
        seconds: that were given.
    """

    path: Path
    seconds: float
    _before: float = field(default=0.0, init=False)
    _started: float = field(default_factory=time.monotonic, init=False)

    def __post_init__(self) -> None:
        if self.path.is_file():
            self._before = float(json.loads(self.path.read_text(encoding="utf-8"))["seconds"])

    @property
    def elapsed(self) -> float:
        """Seconds of work so far."""
        return self._before + time.monotonic() - self._started

    @property
    def left(self) -> float:
        """Seconds that are left, 0 at least."""
        return max(0.0, self.seconds - self.elapsed)

    def keep(self) -> None:
        """Write down what is gone."""
        write_text(self.path, json.dumps({"seconds": round(self.elapsed, 1)}) + "\n")
