"""The written file against the network: same photos, same answers, or no file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from gonogo.data.cache import load_sample
from gonogo.data.geometry import Geometry
from gonogo.data.manifest import Manifest, Sample
from gonogo.errors import ExportError
from gonogo.evaluate.decision import Decision
from gonogo.gauge.golden import TOLERANCE, Parity, compare, one_at_a_time
from gonogo.models.deployed import Deployed
from gonogo.runtimes import RUNTIMES
from gonogo.types import Answer, UInt8Array

BATCH = 16


def load_photos(manifest: Manifest, samples: list[Sample], geometry: Geometry) -> UInt8Array:
    """Decode photos to one array of camera pixels; photos of several sizes are cut to the crop's far corner.

    Returns:
        (N, H, W, C) uint8.
    """
    x, y, width, height = geometry.region
    return np.stack(
        [load_sample(manifest, sample, geometry)[: y + height, : x + width] for sample in samples]
        if geometry.height is None
        else [load_sample(manifest, sample, geometry) for sample in samples]
    )


def answer(network: Deployed, pixels: UInt8Array) -> Answer:
    """Return the network's answers for (N, H, W, C) uint8 camera pixels."""
    with torch.no_grad():
        answers = [network(batch) for batch in torch.split(torch.from_numpy(np.ascontiguousarray(pixels)), BATCH)]
    return Answer.join([Answer(*(values.numpy() for values in answer)) for answer in answers])


def check_parity(path: Path, runtime: str, decision: Decision, network: Deployed, pixels: UInt8Array) -> Parity:
    """Compare the file on disk with the network, one photo at a time, as a device would ask.

    Args:
        path: the file as it was written.
        runtime: what opens it.
        decision: for the verdicts.
        network: what it was made from.
        pixels: (N, H, W, C) uint8 real photos.

    Raises:
        ExportError: a probability differs by more than the tolerance, or a verdict differs.
    """
    session = RUNTIMES.get(runtime).open(path, 1)
    parity = compare(decision, answer(network, pixels), one_at_a_time(session, pixels))
    if not parity.holds:
        raise ExportError(
            f"{path.name} does not answer as the network did: probabilities differ by up to {parity.max_abs_diff:.1e}, "
            f"heat maps by {parity.max_abs_diff_heatmap:.1e}, novelty by {parity.max_abs_diff_novelty:.1e} (at most "
            f"{TOLERANCE:g} allowed), "
            f"verdicts {'equal' if parity.verdicts_equal else 'differ'} on {parity.images} photos; it was not written"
        )
    return parity
