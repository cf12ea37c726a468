"""Chance: what every other criterion has to beat."""

from __future__ import annotations

import zlib

import numpy as np

from gonogo.compress.prune.evidence import Evidence
from gonogo.compress.prune.graph import Group
from gonogo.compress.prune.importance import Criterion
from gonogo.types import Float64Array


def score(group: Group, evidence: Evidence) -> Float64Array:
    """Return (C,) numbers between 0 and 1, the same for the same seed and group."""
    return np.random.default_rng([evidence.seed, zlib.crc32(group.name.encode())]).random(group.width)


RANDOM = Criterion(score, "chance", "a control", comparable=True)
