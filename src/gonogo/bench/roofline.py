"""The least time that a network's work can take on this machine: the roofline model.

Williams, Waterman, Patterson (2009): "Roofline: an insightful visual performance model for multicore architectures".
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np

SIDE, COPIED = 768, 1 << 26  # of the square matrices; bytes, more than caches hold
TRIALS = 8
# How the linear algebra libraries that NumPy is built with are told, before they are loaded, how many threads to use.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
BYTES_PER_WEIGHT = 4


@dataclass(frozen=True)
class Roofline:
    """What this machine can do at most, as measured.

    Attributes:
        flops: float32 operations a second, of a large matrix product; a multiply-add is two.
        bandwidth: bytes a second read from memory and written to it.
    """

    flops: float
    bandwidth: float

    def least_ms(self, *, macs: int, params: int, pixels: int, batch: int = 1) -> float:
        """Return the least time that a call can take, in milliseconds.

        Args:
            macs: multiply-adds a photo.
            params: weights, each read once a call, as float32.
            pixels: bytes of a photo, each read once.
            batch: photos a call.
        """
        computing = 2 * macs * batch / self.flops
        moving = (params * BYTES_PER_WEIGHT + pixels * batch) / self.bandwidth
        return 1e3 * max(computing, moving)


def measure_roofline(threads: int = 1) -> Roofline:
    """Measure this machine with NumPy, in a process of its own, for how many threads is settled when NumPy is loaded.

    Args:
        threads: for the matrix product.
    """
    environment = os.environ | dict.fromkeys(THREADS, str(threads))
    words = [sys.executable, "-m", __name__]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    return Roofline(**json.loads(done.stdout))


def main() -> None:
    """Write what is measured: the best of some trials, for what slows them is not this program."""
    left = np.ones((SIDE, SIDE), np.float32)
    product, source = np.empty_like(left), np.ones(COPIED, np.uint8)
    target = np.empty_like(source)
    multiplying, copying = [], []
    for _ in range(TRIALS):
        started = time.perf_counter()
        np.matmul(left, left, out=product)
        between = time.perf_counter()
        np.copyto(target, source)
        multiplying.append(between - started)
        copying.append(time.perf_counter() - between)
    sys.stdout.write(json.dumps({"flops": 2 * SIDE**3 / min(multiplying), "bandwidth": 2 * COPIED / min(copying)}))


if __name__ == "__main__":
    main()
