"""Golden images: real photos with the answers of the trained network, and the replay that proves a gauge."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gonogo.errors import GaugeError
from gonogo.evaluate.decision import Decision
from gonogo.gauge.gauge import Gauge, GaugeFile, check_golden
from gonogo.types import Float32Array, UInt8Array

# Largest difference of a probability between the trained network and a file in full precision.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Golden:
    """Photos and what was answered.

    Attributes:
        pixels: (N, H, W, C) uint8 camera pixels; photos of several sizes are cut to the smallest.
        pred_probs: (N, K) of the trained network.
        heatmap: (N, h, w) of the trained network.
    """

    pixels: UInt8Array
    pred_probs: Float32Array
    heatmap: Float32Array

    def save(self, path: Path) -> None:
        """Write an npz file."""
        np.savez_compressed(path, pixels=self.pixels, pred_probs=self.pred_probs, heatmap=self.heatmap)

    @classmethod
    def load(cls, path: Path) -> Golden:
        """Read an npz file.

        Raises:
            GaugeError: it is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(arrays["pixels"], arrays["pred_probs"], arrays["heatmap"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise GaugeError(f"{path} cannot be read ({error}); export the gauge again") from error


@dataclass(frozen=True)
class Parity:
    """How a model file's answers compare with the trained network's.

    Attributes:
        images: photos compared.
        max_abs_diff: of a probability.
        max_abs_diff_heatmap: of the heat map, relative to its own largest value; 0 where there is none.
        verdicts_equal: whether every photo got the same label and the same verdict.
    """

    images: int
    max_abs_diff: float
    max_abs_diff_heatmap: float
    verdicts_equal: bool

    @property
    def holds(self) -> bool:
        """True within the tolerance and with every verdict the same."""
        return self.verdicts_equal and max(self.max_abs_diff, self.max_abs_diff_heatmap) <= TOLERANCE


def compare(
    decision: Decision,
    expected: tuple[Float32Array, Float32Array | None],
    found: tuple[Float32Array, Float32Array | None],
) -> Parity:
    """Compare two answers, each pred_probs (N, K) and heatmap (N, h, w) or None."""
    worst = float(np.abs(expected[0] - found[0]).max())
    heat = 0.0
    if expected[1] is not None and found[1] is not None:
        heat = float(np.abs(expected[1] - found[1]).max() / max(1.0, float(np.abs(expected[1]).max())))
    equal = bool((decision.labels(expected[0]) == decision.labels(found[0])).all())
    equal = equal and decision.verdicts(expected[0]) == decision.verdicts(found[0])
    return Parity(len(expected[0]), worst, heat, equal)


def verify(gauge: Gauge) -> list[tuple[GaugeFile, Parity]]:
    """Replay the golden images on every model file of a gauge.

    Raises:
        GaugeError: the golden images are missing or damaged, or a file cannot be opened.
    """
    golden = Golden.load(check_golden(gauge))
    rows = []
    for file in gauge.files:
        session = gauge.open(file)
        answers = [session(photo[None]) for photo in golden.pixels]  # one at a time, as a device does
        pred_probs = np.concatenate([probs for probs, _ in answers])
        maps = [heat for _, heat in answers if heat is not None]
        rows.append(
            (
                file,
                compare(
                    gauge.facts.decision,
                    (golden.pred_probs, golden.heatmap),
                    (pred_probs, np.concatenate(maps) if maps else None),
                ),
            )
        )
    return rows
