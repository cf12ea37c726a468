"""Memory that a training takes and gives back at every step stays with the process."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

# Of glibc's malloc.h. Larger blocks than the first are given back at once and handed out anew, page by page; 32 MB is
# the most that it takes. Of what lies free at the end, so much is kept.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BLOCK, KEPT_FREE = 1 << 25, 1 << 28


@cache
def keep_memory() -> bool:
    """Let this process keep what it frees, up to a quarter of a gigabyte; say whether its C library could be told.

    A step of a small network frees and takes some megabytes, and each page that is handed out anew costs a fault.
    Processes of `gonogo.workers` are told by their environment.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is None:
        return False
    return all([mallopt(M_MMAP_THRESHOLD, KEPT_BLOCK) == 1, mallopt(M_TRIM_THRESHOLD, KEPT_FREE) == 1])
