"""Which criterion serves best on a run: all of them at one target, held against chance."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
from lightning_fabric import Fabric

from gonogo.compress.prune.importance import CONTROL, CRITERIA
from gonogo.compress.prune.patient import Patient, estimate, open_patient
from gonogo.compress.prune.prune import PruneRequest, surgeon_of
from gonogo.compress.prune.surgeon import Surgeon
from gonogo.errors import UsageError
from gonogo.evaluate.paired import paired_drop
from gonogo.splitting import Progress
from gonogo.train.train import answers
from gonogo.types import Float32Array

# Chance is drawn so many times; what it reaches is their mean.
DRAWS = 3


def rank_criteria(request: PruneRequest, *, progress: Progress | None = None) -> list[dict[str, Any]]:
    """Prune a run by every criterion to one target, in memory, and ask each result about the validation photos.

    Nothing learns in between: what a criterion took is then still to be seen. BatchNorm is estimated anew.

    Args:
        request: `criterion`, `out` and the recipe play no part.
        progress: called with what is done.

    Returns:
        A row for each criterion, the best first: `accuracy`; `gain` over chance in points, with the ends `low` and
        `high` of its interval over photos or parts and over the draws of chance, whichever is further; `says`.
    """
    patient = open_patient(request.run, request.data, 0, progress)
    surgeon = surgeon_of(replace(request, refit=False), patient, None)
    labels, _ = patient.run.read_predictions()
    chance = []
    for draw in range(DRAWS):
        _tell(progress, draw)
        drawn = replace(patient, evidence=replace(patient.evidence, seed=draw))
        chance.append(_answers(drawn, replace(surgeon, criterion=CONTROL), request))
    rows = []
    for number, name in enumerate(name for name in CRITERIA if name != CONTROL):
        _tell(progress, DRAWS + number)
        try:
            probs = _answers(patient, replace(surgeon, criterion=name), request)
        except UsageError as error:
            rows.append(
                {"criterion": name, "accuracy": 0.0, "gain": None, "low": None, "high": None, "says": str(error)}
            )
            continue
        rows.append({"criterion": name, **_against(patient, probs, chance)})
    hits = float(np.mean([(probs.argmax(1) == labels).mean() for probs in chance]))
    rows.append({"criterion": CONTROL, "accuracy": hits, "gain": None, "low": None, "high": None, "says": "chance"})
    _tell(progress, DRAWS + len(CRITERIA) - 1)
    return sorted(rows, key=lambda row: -row["accuracy"])


def _tell(progress: Progress | None, done: int) -> None:
    if progress is not None:
        progress("pruning by each criterion", done, DRAWS + len(CRITERIA) - 1)


def _answers(patient: Patient, surgeon: Surgeon, request: PruneRequest) -> Float32Array:
    network = copy.deepcopy(patient.network)
    evidence = replace(patient.evidence, network=network)
    surgeon.operate(network, evidence, request.target)
    fabric = Fabric(accelerator="cpu", devices=1)
    estimate(network, patient.prepared, fabric)
    return answers(network.requires_grad_(True), patient.prepared, "val", fabric)


def _against(patient: Patient, probs: Float32Array, chance: list[Float32Array]) -> dict[str, Any]:
    """Hold a criterion's answers against each draw of chance."""
    labels, _ = patient.run.read_predictions()
    val = patient.prepared.manifest.select("val")
    groups = val.groups if patient.prepared.manifest.has_groups else None
    drops = [paired_drop(patient.run.config.task, labels, drawn, probs, groups) for drawn in chance]
    low, high = min(-drop.high for drop in drops), max(-drop.low for drop in drops)
    says = "better than chance" if low > 0 else "worse than chance" if high < 0 else "not told from chance"
    return {
        "accuracy": float((probs.argmax(1) == labels).mean()),
        "gain": float(np.mean([-drop.value for drop in drops])),
        "low": low,
        "high": high,
        "says": says,
    }
