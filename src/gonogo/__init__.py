"""gonogo: from a folder of photos to a go/no-go gauge.

The public names are imported on first use, so that ``import gonogo`` stays quick and loads neither torch nor
onnxruntime.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Gauge": "gonogo.gauge.gauge",
    "Geometry": "gonogo.data.geometry",
    "GonogoError": "gonogo.errors",
    "Manifest": "gonogo.data.manifest",
    "Verdict": "gonogo.types",
    "fit": "gonogo.fitting.api",
    "read_dataset": "gonogo.data.formats",
}

if TYPE_CHECKING:
    from gonogo.data.formats import read_dataset
    from gonogo.data.geometry import Geometry
    from gonogo.data.manifest import Manifest
    from gonogo.errors import GonogoError
    from gonogo.fitting.api import fit
    from gonogo.gauge.gauge import Gauge
    from gonogo.types import Verdict

__all__ = ["Gauge", "Geometry", "GonogoError", "Manifest", "Verdict", "__version__", "fit", "read_dataset"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'gonogo' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
