"""What a training comes to: the threshold chosen on validation, the figures there, and what the network costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gonogo.config import to_dict
from gonogo.evaluate.decision import Decision
from gonogo.evaluate.good_alone import GoodLimit
from gonogo.evaluate.metrics import evaluate, why_refused
from gonogo.evaluate.policies import choose_decision
from gonogo.models.architecture import count_frozen, count_parameters
from gonogo.models.cost import count_macs
from gonogo.models.surgery import costs_of
from gonogo.train.checkpoint import Progress
from gonogo.train.good_alone import FittedDistance
from gonogo.train.novelty import HELD_BACK, Fitted
from gonogo.types import Float32Array, Int64Array

if TYPE_CHECKING:
    from gonogo.train.train import Plan


def outcome(
    planned: Plan,
    progress: Progress,
    pred_probs: Float32Array,
    novelty: Fitted | None,
    known: FittedDistance | None,
) -> dict[str, Any]:
    """Choose the threshold on validation and measure there.

    Args:
        planned: the training.
        progress: its history.
        pred_probs: (M, K) class probabilities of the validation photos.
        novelty: what sends the unknown to review; None where nothing does.
        known: what a distance from good parts rests on; None for other networks.

    Returns:
        What ``metrics.json`` says.

    Raises:
        DataError: no threshold can be chosen on these photos.
    """
    config, prepared, network = planned.config, planned.prepared, planned.network
    val = prepared.manifest.select("val")
    # Where any photo of the set names or shares its part, parts are what is counted.
    groups = val.groups if prepared.manifest.has_groups else None
    decision = _decide(planned, val.labels, pred_probs, groups)
    figures = evaluate(decision, val.labels, pred_probs, groups)
    trainable, statistics = count_parameters(network)
    frozen = count_frozen(network)
    return {
        "arch": config.model.arch,
        "params": trainable + frozen + statistics,
        "params_trainable": trainable,
        "params_frozen": frozen,
        "params_statistics": statistics,
        "macs": count_macs(network, config.geometry.network_channels, config.geometry.input_size),
        "surgery": [cost.to_json() for cost in costs_of(config.model, config.geometry.input_size)],
        "images_per_second": float(np.median([row["images_per_second"] for row in progress.history])),
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch,
        "decision": decision.to_json(),
        "data_root": str(prepared.manifest.root.resolve()),
        "geometry": to_dict(config.geometry),
        "leaky": config.leaky,
        "tried": planned.tried,
        "val": figures.to_json() | {"leaky": config.leaky},
        "refused": why_refused(decision, pred_probs, val.labels if prepared.good_alone else None),
        "unmet": list(decision.shortfalls),
        "novelty": None if novelty is None else novelty.to_json(),
        "good_alone": None if known is None else known.to_json(),
    }


def _decide(planned: Plan, labels: Int64Array, pred_probs: Float32Array, groups: Sequence[str] | None) -> Decision:
    task = planned.prepared.task
    if isinstance(planned.policy, GoodLimit):
        return planned.policy.choose(task, pred_probs, groups, HELD_BACK)
    return choose_decision(task, labels, pred_probs, groups, planned.policy)
