"""What a training frees stays with the process, so that taking it again costs no page faults."""

from __future__ import annotations

import platform

import pytest

from tests.helpers import python

FAULTS = """
import resource, sys
import torch
from gonogo.train.memory import keep_memory

print(keep_memory() if sys.argv[1] == "kept" else None)
for _ in range(50):
    torch.ones(1_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    torch.ones(1_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep memory in their own way")
def test_memory_that_is_kept_costs_no_faults():
    (_, given_back), (told, kept) = (python(FAULTS, how).stdout.split() for how in ("given-back", "kept"))
    assert told == "True"
    # Four megabytes are a thousand pages, at many a turn unless they come in huge ones.
    assert int(kept) < 100
    assert int(kept) <= int(given_back)


def test_where_the_c_library_cannot_be_told_nothing_happens(monkeypatch: pytest.MonkeyPatch):
    from gonogo.train import memory

    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert memory.keep_memory.__wrapped__() is False
    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    assert memory.keep_memory.__wrapped__() is False
