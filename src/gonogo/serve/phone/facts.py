"""What the page has to know of a gauge, and the golden photos that prove it on the phone."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gonogo.data.images import as_image
from gonogo.errors import GaugeError, UsageError
from gonogo.gauge.gauge import GOLDEN_NAME, Gauge, GaugeFile
from gonogo.gauge.golden import TOLERANCE, Golden

MOST_GOLDEN_BYTES = 4_000_000  # of PNG; what is left out is checked by 'gonogo verify' on a computer


@dataclass(frozen=True)
class Served:
    """A gauge as the page takes it.

    Attributes:
        facts: for the page, plain values; paths in it are names of `files`.
        files: bytes by the path that the page asks for.
    """

    facts: dict[str, Any]
    files: dict[str, bytes]


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Return how people call each gauge: its folder's name, with as many folders above it as tell them apart.

    Raises:
        UsageError: the same gauge twice.
    """
    whole = [path.resolve() for path in paths]
    if len(set(whole)) < len(whole):
        raise UsageError(f"{paths[0]} is given twice, expected two gauges to compare, or one alone")
    for depth in range(1, max(len(path.parts) for path in whole) + 1):
        names = ["/".join(path.parts[-depth:]) for path in whole]
        if len(set(names)) == len(names):
            break
    return names


def onnx_file(gauge: Gauge) -> GaugeFile:
    """Return the file that a browser can run: the gauge's first ONNX file.

    Raises:
        GaugeError: it has none.
    """
    for file in gauge.files:
        if file.runtime == "onnxruntime":
            return file
    found = ", ".join(file.path for file in gauge.files)
    raise GaugeError(f"{gauge.path} has no ONNX file ({found}), which browsers run; export it with --format onnx too")


def serve_gauge(gauge: Gauge, name: str) -> Served:
    """Gather what the page needs of a gauge.

    Args:
        gauge: opened, so that its hashes were checked.
        name: how people call it.

    Raises:
        GaugeError: it has no ONNX file, or changed while it was read.
    """
    file = onnx_file(gauge)
    model = gauge.file_path(file).read_bytes()
    if hashlib.sha256(model).hexdigest() != file.sha256:
        raise GaugeError(f"{gauge.file_path(file)} changed while it was read; try again when it is written")
    facts, short = gauge.facts_of(file), file.sha256[:12]
    decision, about = facts.decision, facts.about
    promises = (decision.guarantee, decision.overkill_guarantee, decision.label_guarantee)
    golden, photos = _golden(gauge, file, short)
    model_path = f"gauge/{short}.onnx"
    values = {
        "name": name,
        "sha256": file.sha256,
        "model": model_path,
        "size_bytes": file.size_bytes,
        "precision": file.precision,
        "arch": about.get("arch"),
        "params": about.get("params"),
        "macs": about.get("macs"),
        "leaky": about.get("leaky"),
        "decision": {
            "classes": list(decision.task.classes),
            "good": decision.task.good,
            "threshold": decision.threshold,
            "no_go_from": decision.no_go_from,
            "method": decision.method,
        },
        "promises": [promise.sentence for promise in promises if promise is not None],
        "shortfalls": list(decision.shortfalls),
        "geometry": {
            "height": facts.geometry.height,
            "width": facts.geometry.width,
            "channels": facts.geometry.channels,
            "region": list(facts.geometry.region),
        },
        "grid": {"stride": facts.stride, "first": facts.first, "scale": list(facts.geometry.scale)},
        "tolerance": TOLERANCE,
        "golden": golden,
    }
    return Served(values, {model_path: model, **photos})


def _golden(gauge: Gauge, file: GaugeFile, short: str) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Return the expected answers and the photos as PNG; none where the ONNX file came without its folder."""
    if gauge.path.is_file():
        return [], {}
    golden = Golden.load(gauge.path / GOLDEN_NAME)
    expected = golden.expected(file)
    rows: list[dict[str, Any]] = []
    photos: dict[str, bytes] = {}
    for number, pixels in enumerate(golden.pixels):
        buffer = io.BytesIO()
        as_image(pixels).save(buffer, "PNG")
        if photos and sum(map(len, photos.values())) + len(buffer.getvalue()) > MOST_GOLDEN_BYTES:
            break
        path = f"gauge/{short}-{number}.png"
        photos[path] = buffer.getvalue()
        novelty = None if expected.novelty is None else float(expected.novelty[number])
        rows.append({"photo": path, "pred_probs": expected.pred_probs[number].tolist(), "novelty": novelty})
    return rows, photos
