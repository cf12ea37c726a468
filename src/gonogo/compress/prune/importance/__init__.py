"""Criteria of pruning: how much each channel of a group matters. One file each and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gonogo.compress.prune.evidence import Evidence
from gonogo.compress.prune.graph import Group
from gonogo.registry import Registry
from gonogo.types import Float64Array


@dataclass(frozen=True)
class Criterion:
    """An entry of the registry.

    Attributes:
        score: (group, evidence) to (C,) float64, larger for channels to keep; None where it has nothing to say of a
            group, which then stays whole.
        summary: what it measures, in a few words.
        source: the paper.
        comparable: scores of one group may be held against those of another as they are; others are divided by their
            mean over the group.
    """

    score: Callable[[Group, Evidence], Float64Array | None]
    summary: str
    source: str
    comparable: bool = False


CRITERIA: Registry[Criterion] = Registry(
    "criterion",
    {
        "l1": "gonogo.compress.prune.importance.l1:L1",
        "l2": "gonogo.compress.prune.importance.l2:L2",
        "bn-scale": "gonogo.compress.prune.importance.bn_scale:BN_SCALE",
        "taylor": "gonogo.compress.prune.importance.taylor:TAYLOR",
        "leave-one-out": "gonogo.compress.prune.importance.leave_one_out:LEAVE_ONE_OUT",
        "rank": "gonogo.compress.prune.importance.rank:RANK",
        "entropy": "gonogo.compress.prune.importance.entropy:ENTROPY",
        "zeros": "gonogo.compress.prune.importance.zeros:ZEROS",
        "separability": "gonogo.compress.prune.importance.separability:SEPARABILITY",
        "fpgm": "gonogo.compress.prune.importance.fpgm:FPGM",
        "lamp": "gonogo.compress.prune.importance.lamp:LAMP",
        "hessian": "gonogo.compress.prune.importance.hessian:HESSIAN",
        "reconstruction": "gonogo.compress.prune.importance.reconstruction:RECONSTRUCTION",
        "random": "gonogo.compress.prune.importance.random:RANDOM",
    },
)
# What every criterion has to beat.
CONTROL = "random"
