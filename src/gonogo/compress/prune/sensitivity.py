"""How much each layer minds losing channels, one layer at a time."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import numpy as np
import torch

from gonogo.compress.prune.graph import mask
from gonogo.compress.prune.patient import open_patient
from gonogo.compress.prune.prune import PruneRequest, surgeon_of
from gonogo.splitting import Progress

SHARES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Sensitivity:
    """One layer.

    Attributes:
        layer: its name.
        channels: how many it has.
        is_stream: whether several blocks add to them.
        agreement: for each of `SHARES`, the share of training photos that are still answered as before.
    """

    layer: str
    channels: int
    is_stream: bool
    agreement: tuple[float, ...]


def sensitivities(request: PruneRequest, *, progress: Progress | None = None) -> list[Sensitivity]:
    """Silence the channels that matter least by the request's criterion, in one layer after the other.

    Args:
        request: its run and criterion; its target, limits and recipe play no part.
        progress: called with how many layers are done.
    """
    patient = open_patient(request.run, request.data, 0, progress)
    surgeon = surgeon_of(replace(request, streams=True, multiple=1, refit=False), patient, None)
    photos, answers = patient.evidence.photos, None
    with torch.no_grad():
        answers = patient.network(photos).argmax(1)
    scores = surgeon.scores(surgeon.groups(patient.network), patient.evidence)
    found = []
    for done, (group, own) in enumerate(scores.items(), start=1):
        kept = []
        for share in SHARES:
            silent = copy.deepcopy(patient.network)
            mask(silent, {group: np.argsort(own, kind="stable")[: int(share * group.width)]})
            with torch.no_grad():
                kept.append(float((silent(photos).argmax(1) == answers).float().mean()))
        found.append(Sensitivity(group.name, group.width, len(group.made_by) > 1, tuple(kept)))
        if progress is not None:
            progress("silencing channels layer by layer", done, len(scores))
    order = list(dict(patient.network.named_modules()))
    return sorted(found, key=lambda row: order.index(row.layer))
