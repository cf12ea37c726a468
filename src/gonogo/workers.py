"""An executor for many short jobs on one data set: processes where they pay for their start, threads otherwise.

Steps of a fraction of a millisecond hold each other up at Python's lock, so that two threads are hardly faster than
one.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from gonogo.errors import MissingExtraError

FEW = 800  # photos that threads are done with before processes have started
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
# glibc gives arrays of some 100 KB back at once and is handed them anew, page by page; that costs more than the work.
MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 26), "MALLOC_TRIM_THRESHOLD_": str(1 << 28)}


@contextmanager
def workers(photos: int, count: int | None = None) -> Iterator[Executor]:
    """Yield an executor whose workers use one thread each.

    What is given to processes has to be picklable, and so has what they return.

    Args:
        photos: how many there are to work on.
        count: workers; one for each core unless given.

    Raises:
        MissingExtraError: loky, OpenCV or threadpoolctl is not installed.
    """
    count = count or cores()
    if count == 1 or photos < FEW:
        with _one_thread_each(), ThreadPoolExecutor(count) as threads:
            yield threads
        return
    with processes(count) as executor:
        yield executor


@contextmanager
def processes(count: int) -> Iterator[Executor]:
    """Yield an executor of so many processes, each told to use one thread; see `workers`."""
    loky = _library("loky", "loky")
    env = dict.fromkeys(THREADS, "1") | MEMORY
    with loky.ProcessPoolExecutor(count, env=env, initializer=_keep_mapped_pages) as executor:
        yield executor


def _keep_mapped_pages() -> None:
    """Let a worker live that reads much of a mapped file.

    Where psutil happens to be installed, loky takes such pages for a leak, ends the worker and starts another. It has
    no public switch for that.
    """
    import_module("loky.process_executor")._USE_PSUTIL = False  # type: ignore[attr-defined]


def cores() -> int:
    """Return how many cores this process may use."""
    return int(_library("loky", "loky").cpu_count())


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let the workers be the only threads: libraries that start more of theirs are slower, and add in another order."""
    limits = _library("threadpoolctl", "threadpoolctl").threadpool_limits
    cv2 = _library("cv2", "opencv-python-headless")
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with limits(1, user_api="blas"):
            yield
    finally:
        cv2.setNumThreads(before)


def _library(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(package, "train") from error
