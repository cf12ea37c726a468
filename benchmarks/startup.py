"""Start-up: `gonogo --help` against `python -c "import numpy"`.

Claim: at most 3x. Run: python benchmarks/startup.py
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from common import heading

TURNS = 15
MOST = 3.0


def seconds(command: list[str]) -> float:
    """Time one call."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Time both in turns and print the medians and their ratio."""
    commands = {
        "gonogo --help": [str(Path(sys.executable).with_name("gonogo")), "--help"],
        "import numpy": [sys.executable, "-c", "import numpy"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(TURNS + 1):
        for name, command in commands.items():
            taken = seconds(command)
            if turn:  # the first call fills the disk cache
                times[name].append(taken)
    help_s, numpy_s = (float(np.median(values)) for values in times.values())
    heading(f"start-up, median of {TURNS} calls in turns")
    print(f"  gonogo --help {help_s * 1e3:.0f} ms   import numpy {numpy_s * 1e3:.0f} ms   ratio {help_s / numpy_s:.2f}")
    raise SystemExit(0 if help_s <= MOST * numpy_s else 1)


if __name__ == "__main__":
    main()
