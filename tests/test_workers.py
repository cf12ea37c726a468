"""The executor of many short jobs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from gonogo.workers import processes

SIZE = 400 << 20  # bytes; more than loky lets a worker grow where psutil is installed
PAGE = 1 << 10
_KEPT: list[np.ndarray] = []


def _read(path: Path) -> int:
    _KEPT.append(np.memmap(path, np.uint8, "r"))
    time.sleep(1.1)  # loky looks at most once a second
    return int(_KEPT[-1][::PAGE].sum())


def test_a_worker_that_reads_much_of_a_mapped_file_lives_on(tmp_path: Path):
    path = tmp_path / "zeros"
    with path.open("wb") as file:
        file.truncate(SIZE)
    with processes(1) as executor:
        first, read, last = (executor.submit(*job) for job in ((os.getpid,), (_read, path), (os.getpid,)))
        assert read.result(120) == 0
        assert last.result(120) == first.result(120)
