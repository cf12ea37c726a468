"""Which layers stay in float: those that disturb the answers most, as many as it takes for the rest to be quiet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gonogo.compress.quantize import Quantizable
from gonogo.gauge.golden import one_at_a_time
from gonogo.runtimes import Session
from gonogo.types import Answer, Float32Array, UInt8Array

# A probability beyond it is certain, and how certain does not matter: so much is the most that noise can count for.
CERTAIN = 1e-4
# The noise that rounding adds to the log-odds, as a share of what they tell photos apart by: a tenth in amplitude.
MOST_NOISE = 0.01
# How much of what tells the novelty of photos apart may be noise; its limit is set anew, so only their order matters.
MOST_NOVELTY_NOISE = 0.2
# Where known photos lie is compared at this quantile: near the limit, which 99 % stay below, yet on more than a few.
NEAR_LIMIT = 0.95


@dataclass(frozen=True)
class Noise:
    """What rounding does to the answers.

    Attributes:
        log_odds: variance that it adds to the log-odds of the classes, over their own variance.
        novelty: share of the novelty's variance that is not the network's own; 0 where nobody measures it.
        widened: how many times farther known photos lie from training than they did.
    """

    log_odds: float
    novelty: float = 0.0
    widened: float = 1.0

    @property
    def is_quiet(self) -> bool:
        """True where it does not matter."""
        return self.log_odds <= MOST_NOISE and self.novelty <= MOST_NOVELTY_NOISE


@dataclass(frozen=True)
class Mixed:
    """What stays in float, and what is left of the noise.

    Attributes:
        floats: names of layers.
        layers: how many could be in integers.
        noise: that is left.
    """

    floats: tuple[str, ...]
    layers: int
    noise: Noise


def noise_of(expected: Answer, found: Answer) -> Noise:
    """Compare answers to the same N photos, none of which is unlike those of training."""
    before, after = (_log_odds(answer.pred_probs) for answer in (expected, found))
    spread = float(before.var(axis=0).sum())
    log_odds = float(np.square(after - before).mean(axis=0).sum() / max(spread, CERTAIN))
    if expected.novelty is None or found.novelty is None:
        return Noise(log_odds)
    near = [float(np.quantile(values, NEAR_LIMIT)) for values in (expected.novelty, found.novelty)]
    agreement = np.corrcoef(expected.novelty, found.novelty)[0, 1] if np.ptp(expected.novelty) else 1.0
    # A limit that is drawn closer would send more known photos to review than was promised.
    return Noise(log_odds, 1 - float(np.nan_to_num(agreement)) ** 2, max(1.0, near[1] / near[0]))


def _log_odds(pred_probs: Float32Array) -> np.ndarray:
    inside = np.clip(pred_probs.astype(np.float64), CERTAIN, 1 - CERTAIN)
    return np.log(inside) - np.log1p(-inside)


def choose_floats(
    network: Quantizable,
    path: Path,
    open_file: Callable[[Path], Session],
    pixels: UInt8Array,
    expected: Answer,
    progress: Callable[[int, int], None] | None = None,
) -> Mixed:
    """Write the file with all layers in integers, or with the fewest of the most sensitive in float that make it quiet.

    A layer's sensitivity is the noise where it alone is in integers. Left in float are the first 1, 2, 4, ... of them;
    where half of all does not help either, none are: then it is the gate that judges. Rounding moves known photos away
    from those of training, so the limit of novelty moves with them.

    Args:
        network: whose ranges were measured.
        path: of the file to write.
        open_file: opens it.
        pixels: (N, H, W, C) uint8 photos to listen to: of training, so that no threshold is chosen on them.
        expected: the network's answers to them.
        progress: called with how many layers were tried, and of how many.
    """

    def listen(floats: tuple[str, ...]) -> Mixed:
        network.write(path, floats)
        found = one_at_a_time(open_file(path), pixels)
        return Mixed(floats, len(network.layers), noise_of(expected, found))

    chosen = everything = listen(())
    if not everything.noise.is_quiet and len(network.layers) > 1:
        ranking = _most_sensitive_first(network, listen, progress)
        count = 1
        while not chosen.noise.is_quiet and count <= len(ranking) // 2:
            chosen = listen(ranking[:count])
            count *= 2
        chosen = chosen if chosen.noise.is_quiet else everything
    network.write(path, chosen.floats, chosen.noise.widened)
    return chosen


def _most_sensitive_first(
    network: Quantizable, listen: Callable[[tuple[str, ...]], Mixed], progress: Callable[[int, int], None] | None
) -> tuple[str, ...]:
    loudness = []
    for done, layer in enumerate(network.layers, start=1):
        noise = listen(tuple(other for other in network.layers if other != layer)).noise
        loudness.append(max(noise.log_odds / MOST_NOISE, noise.novelty / MOST_NOVELTY_NOISE))
        if progress:
            progress(done, len(network.layers))
    return tuple(network.layers[place] for place in np.argsort(loudness)[::-1])
