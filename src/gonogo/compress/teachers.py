"""Who teaches: a finished run, or a backbone on weights learnt elsewhere; each sees the photos its own way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from gonogo.data.cache import reduced_pixels
from gonogo.data.geometry import Colour
from gonogo.errors import UsageError, did_you_mean
from gonogo.files import sha256
from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import Network, make_spec
from gonogo.splitting import Progress
from gonogo.train.build import build_network
from gonogo.train.prepare import Prepared
from gonogo.train.run import Run
from gonogo.train.seen import seen_as
from gonogo.train.transfer import Weights, WeightsSource, read_pretrained, with_levels

TIMM = "timm:"


@dataclass(frozen=True)
class TeacherRequest:
    """Who is to teach.

    Attributes:
        name: a run folder, an architecture from the registry, or "timm:" and the name of one of timm's backbones.
        options: changes to the architecture's options.
        weights: of the architecture: a file, or "hub".
        size: width and height of what a backbone sees, or the shorter side; what its pupil sees unless given.
        colour: what a backbone sees; what it was made for, or what its pupil sees, unless given.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    weights: WeightsSource = None
    size: tuple[int, ...] | None = None
    colour: Colour | None = None


class Teacher(Protocol):
    """What every kind of teacher offers."""

    @property
    def classes(self) -> tuple[str, ...] | None:
        """What it tells apart, in the order of its logits; None where it has no classes of its own."""

    @property
    def facts(self) -> dict[str, Any]:
        """What ``run.toml`` says of it."""

    def open(self, prepared: Prepared, progress: Progress | None = None) -> tuple[Network, Prepared]:
        """Return its network, in evaluation, and its pupil's photos as it sees them.

        Raises:
            UsageError: it cannot look at these photos, or may not.
        """


@dataclass(frozen=True)
class RunTeacher:
    """A finished run."""

    run: Run

    @property
    def classes(self) -> tuple[str, ...]:
        """The run's classes."""
        return self.run.config.task.classes

    @property
    def facts(self) -> dict[str, Any]:
        """The run's name, and the hash of its weights."""
        path = self.run.path
        return {"teacher": path.resolve().name, "teacher_sha256": sha256(path / "model.safetensors")}

    def open(self, prepared: Prepared, progress: Progress | None = None) -> tuple[Network, Prepared]:
        """Return its network and the photos in its geometry; see `Teacher`."""
        own, given = self.run.config.geometry, prepared.geometry
        camera = [(g.width, g.height, g.channels, g.bit_depth) for g in (own, given)]
        if camera[0] != camera[1]:
            wanted, found = (f"{w}x{h} pixels, {c} channels of {b} bits" for w, h, c, b in camera)
            raise UsageError(
                f"the teacher {self.run.path} takes photos of {wanted}, found {found}; give a teacher of such photos"
            )
        self._check_held_out(prepared)
        if own.pixels_key == given.pixels_key:
            return self.run.load_network(), replace(prepared, geometry=own)
        named = None if progress is None else lambda done, total: progress("reducing for the teacher", done, total)
        pixels = reduced_pixels(prepared.manifest, own, progress=named)
        return self.run.load_network(), replace(prepared, geometry=own, pixels=pixels)

    def _check_held_out(self, prepared: Prepared) -> None:
        """Refuse a split that would measure the pupil on photos that its teacher learnt by heart."""
        learnt = {s.sha256 for s in self.run.manifest().samples if s.split == "train" and s.sha256}
        held = [s for s in prepared.manifest.samples if s.split in ("val", "test")]
        known = [s for s in held if s.sha256 in learnt]
        if known:
            raise UsageError(
                f"the teacher {self.run.path} learnt from {len(known):,} of the {len(held):,} photos held out here, "
                f"such as {known[0].path}, and would hand on what it knows of them; give its own split, "
                f"{self.run.path / 'manifest.csv'} with --photos FOLDER, as DATA"
            )


@dataclass(frozen=True)
class BackboneTeacher:
    """An architecture on weights learnt elsewhere.

    Attributes:
        request: what was asked.
        arch: a name from the registry.
        options: changes to its options.
        weights: read.
    """

    request: TeacherRequest
    arch: str
    options: Mapping[str, Any]
    weights: Weights

    @property
    def classes(self) -> None:
        """None that are of these photos."""
        return None

    @property
    def facts(self) -> dict[str, Any]:
        """Its name, the hash of its weights, and how it looks at photos."""
        request = self.request
        facts: dict[str, Any] = {"teacher": request.name, "teacher_sha256": self.weights.facts["sha256"]}
        facts |= {"teacher_options": {key: str(value) for key, value in request.options.items()}}
        facts |= {} if request.size is None else {"teacher_size": list(request.size)}
        return facts | ({} if request.colour is None else {"teacher_colour": request.colour})

    def open(self, prepared: Prepared, progress: Progress | None = None) -> tuple[Network, Prepared]:
        """Return its network and the photos with the grey levels that its weights expect; see `Teacher`."""
        architecture, classes = ARCHITECTURES.get(self.arch), len(prepared.task.classes)
        colour = self.request.colour or architecture.colour or prepared.geometry.colour
        spec = make_spec(self.arch, classes, 3 if colour == "rgb" else 1, self.options)
        fixed = spec.build().fixed_size
        size = self.request.size or (None if fixed is None else fixed[::-1])
        seen = with_levels(seen_as(prepared, size, colour, progress), spec, self.weights.tensors)
        return build_network(spec, seen.geometry, self.weights, 0).eval(), seen


def find_teacher(request: TeacherRequest) -> RunTeacher | BackboneTeacher:
    """Open a run, or read a backbone's weights.

    Raises:
        UsageError: neither a run nor an architecture, one without weights, or options that say nothing of it.
        RunError: the run has not finished.
        DataError: the weights cannot be read.
    """
    name = request.name
    arch = TIMM[:-1] if name.startswith(TIMM) else name
    if arch in ARCHITECTURES:
        options = {**request.options, **({"backbone": name.removeprefix(TIMM)} if name.startswith(TIMM) else {})}
        weights = read_pretrained(arch, request.weights, options)
        if not weights.tensors:
            raise UsageError(f"architecture '{arch}' without weights knows nothing to teach; give --weights FILE")
        return BackboneTeacher(request, arch, options, weights)
    if not Path(name).exists():
        raise UsageError(
            f"teacher '{name}' is neither a run folder nor an architecture; {did_you_mean(name, ARCHITECTURES)}"
        )
    if request.options or request.weights is not None or request.size or request.colour:
        raise UsageError(
            f"the teacher {name} is a run, with its own network, weights and geometry; leave out --teacher-with, "
            "--weights, --teacher-size and --teacher-colour"
        )
    run = Run.open(Path(name))
    if run.metrics.get("good_alone") is not None:
        raise UsageError(f"{name} knows good parts alone and has no answers to teach; give a run that saw defects")
    return RunTeacher(run)
