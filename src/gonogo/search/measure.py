"""What a proposed network costs here, and how it answers for parts that it never saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gonogo.compress.timing import time_networks
from gonogo.data.geometry import Geometry
from gonogo.data.task import Task
from gonogo.evaluate.decision import Decision
from gonogo.evaluate.guarantee import part_extremes
from gonogo.gauge.facts import Facts
from gonogo.models.architecture import ModelSpec, count_frozen, count_parameters
from gonogo.models.cost import count_macs
from gonogo.models.deployed import Deployed
from gonogo.train.build import build_checked
from gonogo.train.choose import Scores, score_parts
from gonogo.train.transfer import put_weights
from gonogo.types import Float32Array, Int64Array, UInt8Array

REPEATS = 100


@dataclass(frozen=True)
class Cost:
    """What a network costs on this machine, as an ONNX file under ONNX Runtime, one photo, one thread.

    Attributes:
        latency_ms: the median, from camera pixels to verdict.
        size_bytes: of the file.
        params: parameters, statistics of BatchNorm left out.
        macs: multiply-adds for one photo.
    """

    latency_ms: float
    size_bytes: int
    params: int
    macs: int


def cost_of(spec: ModelSpec, geometry: Geometry, task: Task, weights: Mapping[str, Tensor] | None = None) -> Cost:
    """Write a network and time it; where it learns from nothing, with fresh weights.

    Args:
        spec: the network.
        geometry: the way from the camera to it.
        task: the question.
        weights: pretrained ones.

    Raises:
        UsageError: the photos are too small for it.
        ExportError: it cannot be written.
    """
    with torch.random.fork_rng():
        network = build_checked(spec, geometry)
    put_weights(network, spec, weights or {})
    network.eval()
    params = count_parameters(network)[0] + count_frozen(network)
    macs = count_macs(network, geometry.network_channels, geometry.input_size)
    facts = Facts(Decision(task, None if task.is_sorting else 0.5, "none yet"), geometry, *network.map_grid(), {})
    deployed = Deployed(network, geometry, task).eval()
    timed = time_networks({spec.arch: deployed}, facts, _noise(geometry), REPEATS)[spec.arch]
    return Cost(timed.p50_ms, timed.size_bytes, params, macs)


def _noise(geometry: Geometry) -> UInt8Array:
    """Return a few photos of the camera's size; what they show makes no difference to the time."""
    x, y, width, height = geometry.region
    shape = (4, geometry.height or y + height, geometry.width or x + width, geometry.channels)
    dtype = np.uint8 if geometry.bit_depth <= 8 else np.uint16
    return np.random.default_rng(0).integers(0, 256, shape).astype(dtype)


@dataclass(frozen=True)
class Shown:
    """How a network answered for parts of folds that it never saw.

    Attributes:
        scores: of the parts, for the area under the ROC curve; for sorting, the share answered right.
        overkill: share of good parts that a threshold would lose which lets no more than the asked share of the
            defective parts of the same fold escape; for sorting, the share of photos answered wrongly.
        seconds: that its trainings took together.
    """

    scores: Scores
    overkill: float
    seconds: float

    @property
    def loss(self) -> float:
        """What a search makes small: wrong order anywhere, and most of all where the threshold will be."""
        return 1 - self.scores.mean + self.overkill

    @property
    def in_words(self) -> str:
        """The figures."""
        return quality(self.scores.name, self.scores.mean, self.overkill)


def quality(name: str, score: float, overkill: float) -> str:
    """Return figures in words."""
    if name == "accuracy":
        return f"{score:.1%} of the parts sorted right"
    return f"AUC {score:.3f}, {overkill:.1%} of good parts lost"


def shown(
    task: Task,
    labels: Int64Array,
    groups: tuple[str, ...],
    fold: Int64Array,
    pred_probs: Float32Array,
    escape: float,
    seconds: float,
) -> Shown:
    """Score answers to photos that were held out.

    Args:
        task: the question.
        labels: (N,) class numbers.
        groups: (N,) the parts.
        fold: (N,) fold numbers; networks of different folds are never compared.
        pred_probs: (N, K).
        escape: the share of defective parts that a threshold may let pass.
        seconds: that the trainings took.
    """
    logits = np.log(np.maximum(pred_probs.astype(np.float64), 1e-12))
    if not task.is_sorting and logits.shape[1] > 2:
        good = pred_probs[:, task.good_index]
        pair = np.stack([good, 1 - good], 1).astype(np.float64)
        logits, labels = np.log(np.maximum(pair, 1e-12)), (labels != task.good_index).astype(np.int64)
        good_index: int | None = 0
    else:
        good_index = task.good_index
    if good_index is None:
        scores = score_parts(logits, labels, groups, fold)
        return Shown(scores, float(np.mean(logits.argmax(1) != labels)), seconds)
    if good_index == 1:
        # Scores are of the second class; a part is as hard to tell whichever comes first.
        logits, labels = logits[:, ::-1], 1 - labels
    scores = score_parts(logits, labels, groups, fold)
    return Shown(scores, _overkill(logits[:, 1] - logits[:, 0], labels == 1, groups, fold, escape), seconds)


def _overkill(
    margin: Float32Array, defective: np.ndarray, groups: tuple[str, ...], fold: Int64Array, escape: float
) -> float:
    """Return the share of good parts, over all folds, that each fold's own threshold loses."""
    codes = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
    lost = total = 0
    for number in np.unique(fold):
        inside = fold == number
        lowest = part_extremes(margin, inside & defective, codes)
        highest = -part_extremes(-margin, inside & ~defective, codes)
        if len(lowest) and len(highest):
            threshold = lowest[min(int(escape * len(lowest)), len(lowest) - 1)]
            lost += int((highest >= threshold).sum())
            total += len(highest)
    return lost / max(total, 1)
