"""Golden images: real photos with the answers of the trained network, and the replay that proves a gauge."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gonogo.errors import GaugeError
from gonogo.evaluate.decision import Decision
from gonogo.gauge.gauge import Gauge, GaugeFile, check_golden
from gonogo.runtimes import Session
from gonogo.types import Answer, Float32Array, UInt8Array

# Largest difference of a probability between the trained network and a file in full precision.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Golden:
    """Photos and what was answered.

    Attributes:
        pixels: (N, H, W, C) uint8 camera pixels; photos of several sizes are cut to the smallest.
        answer: of the trained network.
        own: of files that do not answer as the network did, by name: what each answered when it was written.
    """

    pixels: UInt8Array
    answer: Answer
    own: Mapping[str, Answer] = field(default_factory=dict)

    def expected(self, file: GaugeFile) -> Answer:
        """Return what a file should answer."""
        return self.own.get(file.path, self.answer)

    def save(self, path: Path) -> None:
        """Write an npz file."""
        arrays = _arrays(self.answer, "")
        for name, answer in self.own.items():
            arrays |= _arrays(answer, f"{name}/")
        np.savez_compressed(path, allow_pickle=False, pixels=self.pixels, **arrays)

    @classmethod
    def load(cls, path: Path) -> Golden:
        """Read an npz file.

        Raises:
            GaugeError: it is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                own = sorted({name.rpartition("/")[0] for name in arrays.files} - {""})
                return cls(arrays["pixels"], _answer(arrays, ""), {name: _answer(arrays, f"{name}/") for name in own})
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise GaugeError(f"{path} cannot be read ({error}); export the gauge again") from error


def _arrays(answer: Answer, prefix: str) -> dict[str, Float32Array]:
    return {f"{prefix}{name}": values for name, values in answer._asdict().items() if values is not None}


def _answer(arrays: Mapping[str, Float32Array], prefix: str) -> Answer:
    return Answer(**{name: arrays[f"{prefix}{name}"] for name in Answer._fields if f"{prefix}{name}" in arrays})


@dataclass(frozen=True)
class Parity:
    """How a model file's answers compare with those expected: the trained network's, or its own when it was written.

    Attributes:
        images: photos compared.
        max_abs_diff: of a probability.
        max_abs_diff_heatmap: of the heat map, relative to its own largest value; 0 where there is none.
        max_abs_diff_novelty: relative to the novelty, or to its limit where that is more; 0 where the network
            measures none, infinite where the file alone does not.
        verdicts_equal: whether every photo got the same label and the same verdict.
    """

    images: int
    max_abs_diff: float
    max_abs_diff_heatmap: float
    max_abs_diff_novelty: float
    verdicts_equal: bool

    @property
    def holds(self) -> bool:
        """True within the tolerance and with every verdict the same."""
        worst = max(self.max_abs_diff, self.max_abs_diff_heatmap, self.max_abs_diff_novelty)
        return self.verdicts_equal and worst <= TOLERANCE


def compare(decision: Decision, expected: Answer, found: Answer) -> Parity:
    """Compare two answers for the same photos; a heat map that only one of them has is left out."""
    worst = float(np.abs(expected.pred_probs - found.pred_probs).max())
    heat = novel = 0.0
    if expected.heatmap is not None and found.heatmap is not None:
        largest = max(1.0, float(np.abs(expected.heatmap).max()))
        heat = float(np.abs(expected.heatmap - found.heatmap).max() / largest)
    if expected.novelty is not None and found.novelty is None:
        novel = math.inf
    elif expected.novelty is not None and found.novelty is not None:
        novel = float((np.abs(expected.novelty - found.novelty) / np.maximum(1, expected.novelty)).max())
    equal = bool((decision.labels(expected.pred_probs) == decision.labels(found.pred_probs)).all())
    verdicts = [decision.verdicts(one.pred_probs, one.novelty) for one in (expected, found)]
    return Parity(len(expected.pred_probs), worst, heat, novel, equal and verdicts[0] == verdicts[1])


def one_at_a_time(session: Session, pixels: UInt8Array) -> Answer:
    """Ask for each of (N, H, W, C) photos alone, as a device does."""
    return Answer.join([session(photo[None]) for photo in pixels])


def verify(gauge: Gauge) -> list[tuple[GaugeFile, Parity]]:
    """Replay the golden images on every model file of a gauge; a quantized one must answer as it did when written.

    Raises:
        GaugeError: the golden images are missing or damaged, or a file cannot be opened.
    """
    golden = Golden.load(check_golden(gauge))
    rows = []
    for file in gauge.files:
        found = one_at_a_time(gauge.open(file), golden.pixels)
        rows.append((file, compare(gauge.facts_of(file).decision, golden.expected(file), found)))
    return rows
