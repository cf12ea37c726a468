"""Are probabilities what they say? Reliability in equal bins, the calibration error, and temperature scaling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gonogo.errors import DataError, MissingExtraError
from gonogo.evaluate.intervals import share
from gonogo.types import BoolArray, Float32Array, Float64Array, Int64Array, Rate

BINS = 10
# Probabilities below it count as this small: the logarithm of 0 would decide everything.
_TINY = 1e-12
_HOTTEST = 100.0


@dataclass(frozen=True)
class Bin:
    """Photos with nearly the same probability.

    Attributes:
        low: smallest probability.
        high: largest.
        prob: mean probability: what was said.
        share: what was true, with its interval.
        n: photos.
    """

    low: float
    high: float
    prob: float
    share: Rate
    n: int


@dataclass(frozen=True)
class Reliability:
    """What was said against what was true.

    Attributes:
        bins: with about as many photos each, ascending.
        error: expected calibration error: mean distance of the two over photos.
    """

    bins: tuple[Bin, ...]
    error: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Temperature:
    """What to divide the logits by.

    Attributes:
        value: above 1 softens probabilities, below 1 sharpens them; 1 where none could be fitted.
        loss_before: mean negative log-likelihood of the labels, in nats.
        loss_after: the same at this temperature.
        note: why none was fitted; None where one was.
    """

    value: float
    loss_before: float
    loss_after: float
    note: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def reliability(
    probs: Float32Array, true: BoolArray, groups: Sequence[str] | None = None, bins: int = BINS
) -> Reliability:
    """Compare probabilities with what happened.

    Args:
        probs: (N,) probabilities that something is so: of a defect; for sorting, of the kind answered.
        true: (N,) whether it was so.
        groups: (N,) the part of each photo, or None where nobody named them.
        bins: with about as many photos each; photos of one probability stay in one bin, so there may be fewer.

    Raises:
        DataError: no photos.

    Source: Guo et al., On calibration of modern neural networks, ICML 2017; for bins of equal mass, Nixon et al.,
    Measuring calibration in deep learning, CVPR workshops 2019.
    """
    if not len(probs):
        raise DataError("no photos to compare probabilities on; give a split that has some")
    values = probs.astype(np.float64)
    edges = np.percentile(values, np.linspace(0, 100, bins + 1))
    numbers = np.searchsorted(edges[1:-1], values)
    found = []
    for number in np.unique(numbers):
        inside = numbers == number
        members = None if groups is None else [group for group, there in zip(groups, inside, strict=True) if there]
        chosen = values[inside]
        found.append(
            Bin(
                float(chosen.min()),
                float(chosen.max()),
                float(np.mean(chosen)),
                share(true[inside], members),
                int(inside.sum()),
            )
        )
    distances = [abs(row.prob - (row.share.value or 0.0)) * row.n for row in found]
    return Reliability(tuple(found), float(sum(distances) / len(values)))


def fit_temperature(labels: Int64Array, pred_probs: Float32Array) -> Temperature:
    """Fit the temperature that makes validation labels likeliest.

    Probabilities are all it needs: logits differ from their logarithms by a constant for each photo. A temperature
    other than 1 moves probabilities, so thresholds are chosen after it.

    Args:
        labels: (N,) class numbers.
        pred_probs: (N, K).

    Raises:
        DataError: no photos, or a probability that is not a number.

    Source: Guo et al., On calibration of modern neural networks, ICML 2017.
    """
    try:
        from scipy.optimize import minimize_scalar
    except ImportError as error:
        raise MissingExtraError("scipy", "train") from error
    if not len(labels) or not np.isfinite(pred_probs).all():
        what = "a probability that is no number" if len(labels) else "no photos"
        raise DataError(
            f"found {what} in validation, expected labels and probabilities; a temperature is fitted on them"
        )
    logits = _log_probs(pred_probs)

    def loss(log_temperature: float) -> float:
        return _loss(labels, logits / np.exp(log_temperature))

    before, limit = loss(0.0), float(np.log(_HOTTEST))
    if len(np.unique(labels)) < 2:
        return Temperature(1.0, before, before, "validation has a single class, which tells nothing of probabilities")
    if (pred_probs.argmax(axis=1) == labels).all():
        note = "validation has no mistake, so the sharpest temperature would look best"
        return Temperature(1.0, before, before, note)
    best = minimize_scalar(loss, bounds=(-limit, limit), method="bounded", options={"xatol": 1e-10})
    if limit - abs(best.x) < 1e-3:
        note = f"no temperature between {1 / _HOTTEST:g} and {_HOTTEST:g} fits: the probabilities say nothing here"
        return Temperature(1.0, before, before, note)
    return Temperature(float(np.exp(best.x)), before, float(best.fun))


def apply_temperature(pred_probs: Float32Array, temperature: float) -> Float32Array:
    """Return (N, K) probabilities at a temperature.

    Args:
        pred_probs: (N, K).
        temperature: above 0.
    """
    scaled = _log_probs(pred_probs) / temperature
    return np.exp(scaled - _log_sum(scaled)).astype(np.float32)


def _log_probs(pred_probs: Float32Array) -> Float64Array:
    return np.log(np.clip(pred_probs.astype(np.float64), _TINY, None))


def _log_sum(logits: Float64Array) -> Float64Array:
    highest = logits.max(axis=1, keepdims=True)
    return np.asarray(highest + np.log(np.exp(logits - highest).sum(axis=1, keepdims=True)))


def _loss(labels: Int64Array, logits: Float64Array) -> float:
    return float(np.mean(_log_sum(logits)[:, 0] - logits[np.arange(len(labels)), labels]))
