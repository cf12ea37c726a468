"""The networks of a study: what each costs on these photos, and the pretrained weights that are at hand for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gonogo.bench.timer import percentiles
from gonogo.data.geometry import Geometry
from gonogo.data.task import Task
from gonogo.errors import DataError, UsageError
from gonogo.evaluate.decision import Decision
from gonogo.export import EXPORTERS
from gonogo.gauge.facts import Facts
from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import Network, count_frozen, count_parameters, make_spec
from gonogo.models.cost import count_macs
from gonogo.models.deployed import Deployed
from gonogo.runtimes import RUNTIMES, Session
from gonogo.train.build import build_checked
from gonogo.train.candidates import Candidate
from gonogo.train.transfer import put_weights, read_pretrained
from gonogo.types import UInt8Array

ENDINGS = (".pth", ".pt", ".th", ".safetensors")


@dataclass(frozen=True)
class Contender:
    """A network of a study.

    Attributes:
        name: what tables call it.
        arch: from the registry.
        options: changes to the architecture's options.
        published: the row of the study's figures, if it has one.
        size: height and width it needs, where it cannot take others.
        recipe: changes to the architecture's recipe.
        surgery: names of what is done to the network before it learns.
    """

    name: str
    arch: str
    options: Mapping[str, Any] = field(default_factory=dict)
    published: str | None = None
    size: tuple[int, int] | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    surgery: tuple[str, ...] = ()

    @property
    def is_pretrained(self) -> bool:
        """Whether it stands on weights learnt elsewhere."""
        return ARCHITECTURES.get(self.arch).needs_weights

    def geometry(self, common: Geometry) -> Geometry:
        """Return the way from the camera to it, where other networks see `common`; one size is seen as it is."""
        if self.size is None:
            return common
        height, width = self.size
        return replace(common, height=height, width=width, crop=None, reduce=1, size=None)

    def build(self, task: Task, geometry: Geometry) -> Network:
        """Build it with fresh weights, in evaluation mode.

        Raises:
            UsageError: the photos are too small for it.
        """
        channels = 3 if ARCHITECTURES.get(self.arch).colour == "rgb" else geometry.network_channels
        spec = make_spec(self.arch, len(task.classes), channels, dict(self.options), self.surgery)
        return build_checked(spec, geometry).eval()

    def candidate(self, weights: Path | None) -> Candidate:
        """Return it as a way to train."""
        return Candidate(self.name, self.arch, self.options, self.recipe, weights, self.surgery)


@dataclass(frozen=True)
class Cost:
    """What a network costs on these photos.

    Attributes:
        params: all parameters, statistics left out.
        params_trainable: those that are learnt here.
        params_statistics: BatchNorm's running means and variances, which some count as parameters.
        macs: multiply-adds of one photo.
        input_size: height and width that it sees.
        milliseconds: median of one photo from camera pixels to answer in ONNX Runtime, one thread.
        size_bytes: of the ONNX file.
    """

    params: int
    params_trainable: int
    params_statistics: int
    macs: int
    input_size: tuple[int, int]
    milliseconds: float
    size_bytes: int


def find_weights(
    contenders: Sequence[Contender], places: Sequence[Path], *, may_start: bool = False
) -> dict[str, Path]:
    """Return which file holds the weights of which contender, by trying.

    Args:
        contenders: those that stand on pretrained weights are looked at.
        places: files, or folders of them.
        may_start: those are looked at too that may start from weights and need none.

    Raises:
        UsageError: a file that was named, not only its folder, fits none of them.
        DataError: a place does not exist.
    """
    asked = [c for c in contenders if c.is_pretrained or (may_start and ARCHITECTURES.get(c.arch).pretraining)]
    found: dict[str, Path] = {}
    for place in places:
        if not place.exists():
            raise DataError(f"no such weights file or folder: {place}")
        paths = [place] if place.is_file() else sorted(p for p in place.iterdir() if p.suffix in ENDINGS)
        for path in paths:
            fitting = [c.name for c in asked if c.name not in found and _fits(c, path)]
            found |= dict.fromkeys(fitting, path)
            if not fitting and path == place and not any(own == path for own in found.values()):
                names = ", ".join(contender.name for contender in asked)
                raise UsageError(f"{path} holds the weights of none of {names}")
    return found


def _fits(contender: Contender, path: Path) -> bool:
    try:
        weights = read_pretrained(contender.arch, path, contender.options)
        channels = 3 if ARCHITECTURES.get(contender.arch).colour == "rgb" else 1
        spec = make_spec(contender.arch, 2, channels, dict(contender.options))
        put_weights(spec.build(), spec, weights.tensors)
    except (UsageError, DataError):
        return False
    return True


def _ask(session: Session, photo: UInt8Array, _: int) -> object:
    return session(photo)


def costs(
    contenders: Sequence[tuple[Contender, Geometry]], task: Task, folder: Path, *, repeats: int
) -> dict[str, Cost]:
    """Count and time every contender; what it has learnt plays no part in that.

    Args:
        contenders: the networks, each with the way from the camera to it.
        task: the classes.
        folder: for the ONNX files.
        repeats: timed turns, all contenders in each.
    """
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    calls: dict[str, Callable[[int], object]] = {}
    counted = {}
    for number, (contender, geometry) in enumerate(contenders):
        if ARCHITECTURES.get(contender.arch).colour == "rgb":
            geometry = replace(geometry, colour="rgb", mean=(127.5,) * 3, std=(64.0,) * 3)
        network = contender.build(task, geometry)
        trainable, fixed = count_parameters(network)
        deployed = Deployed(network, geometry, task).eval()
        facts = Facts(Decision(task, None if task.is_sorting else 0.5, "none"), geometry, *network.map_grid(), {})
        x, y, width, height = geometry.region
        photos = rng.integers(0, 256, (2, y + height, x + width, geometry.channels), dtype=np.uint8)
        path = folder / f"{number}.onnx"
        EXPORTERS.get("onnx").write(deployed, facts, photos, path)
        session = RUNTIMES.get("onnxruntime").open(path, 1)
        calls[contender.name] = partial(_ask, session, photos[:1])
        counted[contender.name] = (
            trainable + count_frozen(network),
            trainable,
            fixed,
            count_macs(network, geometry.network_channels, geometry.input_size),
            geometry.input_size,
            path.stat().st_size,
        )
    times = percentiles(calls, repeats)
    return {
        name: Cost(params, trainable, fixed, macs, size, float(np.median(times[name])), size_bytes)
        for name, (params, trainable, fixed, macs, size, size_bytes) in counted.items()
    }
