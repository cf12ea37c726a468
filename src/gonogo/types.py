"""The small values that cross rooms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]
Int64Array = npt.NDArray[np.int64]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
GoNoGo = Literal["go", "no-go", "review"]
Unit = Literal["parts", "photos"]


@dataclass(frozen=True)
class Rate:
    """A share with its interval.

    Attributes:
        value: the share, 0 to 1; None where nothing was there to count.
        low: lower end of the interval.
        high: upper end of the interval.
        n: how many independent units the interval rests on.
        unit: what was counted: parts where the data name them, otherwise photos.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    unit: Unit


class Answer(NamedTuple):
    """What a network or a model file answers for N photos.

    Attributes:
        pred_probs: (N, K) float32.
        heatmap: (N, h, w) float32, None where the network has none.
        novelty: (N,) float32, above 1 where a photo is unlike everything in training; None where nobody measures it.
    """

    pred_probs: Float32Array
    heatmap: Float32Array | None = None
    novelty: Float32Array | None = None

    def at(self, rows: Sequence[int]) -> Answer:
        """Return the answers for some of the photos."""
        pred_probs, *others = (None if values is None else values[rows] for values in self)
        assert pred_probs is not None
        return Answer(pred_probs, *others)

    @classmethod
    def join(cls, answers: Sequence[Answer]) -> Answer:
        """Return the answers for some photos and then for others as one."""
        columns = ([value for value in values if value is not None] for values in zip(*answers, strict=True))
        return cls(*(np.concatenate(values) if values else None for values in columns))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Verdict:
    """What a gauge answers for one photo.

    Attributes:
        label: the class answered.
        prob: probability of a defect; for sorting, of the class answered.
        verdict: go, no-go or review; None for sorting, where no class is the good one.
        heatmap: (h, w) float32, evidence at each place, above 0 for a defect; None where the network has none.
        region: x, y, width, height in camera pixels of the hottest place of a no-go; None elsewhere.
        novelty: above 1 where the photo is unlike everything in training, and so in review; None where nobody measures.
    """

    label: str
    prob: float
    verdict: GoNoGo | None
    heatmap: Float32Array | None = None
    region: tuple[int, int, int, int] | None = None
    novelty: float | None = None

    @property
    def is_unknown(self) -> bool:
        """True where the photo is unlike everything in training."""
        return self.novelty is not None and not self.novelty <= 1

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints, without the heat map."""
        return {
            "label": self.label,
            "prob": self.prob,
            "verdict": self.verdict,
            "region": list(self.region) if self.region else None,
            "novelty": self.novelty,
        }
