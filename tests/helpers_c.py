"""What tests of C files share: networks with norms as after training, strict compilers, and a call from outside."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from gonogo.data.geometry import Geometry
from gonogo.export.c import write
from gonogo.export.c.int8 import write as write_int8
from gonogo.gauge.facts import Facts
from gonogo.models.architecture import make_spec
from gonogo.models.deployed import Deployed
from gonogo.models.novelty import Novelty
from tests.helpers import make_facts, noise

STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wshadow", "-Werror")
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]


def settle(network: torch.nn.Module, seed: int = 0) -> None:
    """Give every BatchNorm statistics as after a training, so that folding has something to do."""
    generator = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            for tensor, (low, high) in (
                (layer.running_mean, (-0.3, 0.3)),
                (layer.running_var, (0.4, 2.0)),
                (layer.weight.data, (0.5, 1.5)),
                (layer.bias.data, (-0.3, 0.3)),
            ):
                tensor.uniform_(low, high, generator=generator)


def network_as_c(
    folder: Path,
    arch: str = "taper",
    geometry: Geometry | None = None,
    *,
    novelty: bool = False,
    surgery: tuple[str, ...] = (),
    int8: bool = False,
    **options: object,
) -> tuple[Deployed, Facts, Path]:
    """Write a network of an architecture as C; return it with its facts and the file."""
    geometry = geometry or Geometry(48, 60)
    facts = make_facts(geometry)
    torch.manual_seed(0)
    network = make_spec(arch, 2, geometry.network_channels, options, surgery).build().eval()
    settle(network)
    measure = None
    if novelty:
        with torch.no_grad():
            watched, _ = network.watch(torch.zeros(1, geometry.network_channels, *geometry.input_size))
        measure = Novelty(3 * watched.shape[1], 4).eval()
        for name, low, high in (("scale", 0.1, 1), ("shift", -0.5, 0.5), ("axes", -0.3, 0.3), ("weights", -0.5, 0.5)):
            getattr(measure, name).uniform_(low, high)
    deployed = Deployed(network, geometry, facts.decision.task, measure).eval()
    path = folder / "gauge.c"
    (write_int8 if int8 else write)(deployed, facts, photos_of(geometry, 8 if int8 else 1), path)
    return deployed, facts, path


def photos_of(geometry: Geometry, count: int) -> np.ndarray:
    """Return (N, H, W, C) photos of noise that fit a geometry."""
    height, width = geometry.height or 100, geometry.width or 100
    return np.stack([noise(height, width, geometry.channels, seed) for seed in range(count)])


def run_compiler(command: Sequence[object]) -> subprocess.CompletedProcess[str]:
    """Run a compiler and return what it says."""
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=240, check=False)
