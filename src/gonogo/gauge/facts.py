"""What a gauge says of itself: the content of ``gauge.json``, and of the model file's own metadata."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gonogo.config import from_dict, to_dict
from gonogo.data.geometry import Geometry
from gonogo.errors import GaugeError
from gonogo.evaluate.decision import Decision
from gonogo.gauge.region import HeatGrid

SCHEMA = 1
# The key under which a model file carries these facts.
METADATA_KEY = "gonogo"


@dataclass(frozen=True)
class Facts:
    """Everything about a gauge but its files.

    Attributes:
        decision: classes and threshold.
        geometry: from camera to network.
        stride: input pixels between neighbouring cells of the heat map.
        first: the input pixel that the heat map's first cell looks at.
        about: run, data, metrics, cost and versions, for people and records.
    """

    decision: Decision
    geometry: Geometry
    stride: float
    first: float
    about: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "schema": SCHEMA,
            "decision": self.decision.to_json(),
            "geometry": to_dict(self.geometry),
            "heatmap": {"stride": self.stride, "first": self.first},
            "about": self.about,
        }

    @property
    def grid(self) -> HeatGrid:
        """Where the cells of the heat map lie."""
        return HeatGrid(self.geometry, self.stride, self.first)

    @classmethod
    def from_json(cls, values: Any, where: str) -> Facts:
        """Read what `to_json` wrote.

        Raises:
            GaugeError: another schema, or values missing.
        """
        if not isinstance(values, dict) or values.get("schema") != SCHEMA:
            found = values.get("schema") if isinstance(values, dict) else None
            raise GaugeError(f"{where} has schema {found}, expected {SCHEMA}; export the gauge with this gonogo")
        try:
            return cls(
                Decision.from_json(values["decision"]),
                from_dict(Geometry, values["geometry"], where=f"{where}: geometry"),
                float(values["heatmap"]["stride"]),
                float(values["heatmap"]["first"]),
                dict(values["about"]),
            )
        except (KeyError, TypeError) as error:
            raise GaugeError(f"{where} lacks {error}; export the gauge again") from error


def digest(values: Mapping[str, Any]) -> str:
    """Return a hash over plain values, so that an edited file is noticed."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
