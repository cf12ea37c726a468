"""A gauge: a folder with ``gauge.json``, one model file per runtime and ``golden.npz``; or a model file alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from gonogo.data.images import decode_photo
from gonogo.errors import GaugeError
from gonogo.evaluate.decision import Decision
from gonogo.files import sha256, write_text
from gonogo.gauge.facts import METADATA_KEY, Facts, digest
from gonogo.gauge.seen import SEEN_NAME, Keys, content_keys
from gonogo.runtimes import RUNTIMES, Session
from gonogo.types import UInt8Array, Verdict

MANIFEST_NAME = "gauge.json"
GOLDEN_NAME = "golden.npz"
# Files that say of themselves all that a gauge does, so that one alone is enough; by suffix, what opens them.
ALONE = {".onnx": "onnxruntime", ".tflite": "litert", ".pte": "executorch"}


@dataclass(frozen=True)
class GaugeFile:
    """A model file of a gauge.

    Attributes:
        runtime: what opens it, a name from the registry.
        precision: "fp32" and the like.
        path: below the gauge's folder.
        sha256: of its bytes.
        size_bytes: its length, and that of what belongs to it.
        max_abs_diff: largest difference of a probability to the trained network's when it was exported.
        companions: the SHA-256 of further files that its runtime needs beside it, by name.
        own: what it says of itself otherwise than the gauge: its "decision", and values of "about".
    """

    runtime: str
    precision: str
    path: str
    sha256: str
    size_bytes: int
    max_abs_diff: float
    companions: dict[str, str] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, path: Path, runtime: str, precision: str, max_abs_diff: float, companions: Sequence[str] = ()
    ) -> GaugeFile:
        """Describe a file that was just written, and those of these names that lie beside it."""
        others = [path.with_name(name) for name in companions]
        size = sum(file.stat().st_size for file in (path, *others))
        hashes = {file.name: sha256(file) for file in others}
        return cls(runtime, precision, path.name, sha256(path), size, max_abs_diff, hashes)

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of all its files, by name."""
        return {self.path: self.sha256, **self.companions}

    def to_json(self) -> dict[str, Any]:
        """Return plain values; what is empty is left out, so that an older gonogo opens gauges that have none of it."""
        return {name: value for name, value in asdict(self).items() if value != {}}


@dataclass(frozen=True)
class Gauge:
    """What is deployed.

    Attributes:
        path: its folder, or its ONNX, TFLite or ExecuTorch file.
        facts: classes, threshold, geometry, and where it comes from; those of its first file.
        files: its model files; the first is the one that answers unless another is named.
        golden_sha256: of ``golden.npz``; empty where the file came alone.
        seen_sha256: of ``seen.npy``; empty where nothing says which photos made it.
    """

    path: Path
    facts: Facts
    files: tuple[GaugeFile, ...]
    golden_sha256: str = ""
    seen_sha256: str = ""

    @classmethod
    def load(cls, path: Path | str) -> Gauge:
        """Open a gauge and check that none of its files was cut or altered.

        Args:
            path: the folder that ``gonogo export`` wrote, or an ONNX, TFLite or ExecuTorch file out of one.

        Raises:
            GaugeError: it is missing, incomplete or altered; the message names the file.
        """
        path = Path(path)
        if path.is_file() and path.suffix in ALONE:
            return cls._from_file(path, ALONE[path.suffix])
        values = _read_manifest(path)
        facts = Facts.from_json(values, str(path / MANIFEST_NAME))
        try:
            files = tuple(GaugeFile(**row) for row in values["files"])
            golden = str(values["golden_sha256"])
            hashes = [*(pair for file in files for pair in file.hashes().items()), (GOLDEN_NAME, golden)]
        except (KeyError, TypeError) as error:
            raise GaugeError(f"{path / MANIFEST_NAME} lacks {error}; export the gauge again") from error
        seen = str(values.get("seen_sha256", ""))
        for name, expected in [*hashes, (SEEN_NAME, seen)] if seen else hashes:
            _check_file(path, name, expected)
        return cls(path, facts, files, golden, seen)

    @classmethod
    def _from_file(cls, path: Path, runtime: str) -> Gauge:
        session = RUNTIMES.get(runtime).open(path, 1)
        try:
            values = json.loads(session.metadata[METADATA_KEY])
        except (KeyError, ValueError) as error:
            raise GaugeError(f"{path} carries no gonogo metadata; give a gauge that 'gonogo export' wrote") from error
        facts = Facts.from_json(values, str(path))
        file = GaugeFile.of(path, runtime, str(facts.about.get("precision", "fp32")), float("nan"))
        return cls(path, facts, (file,))

    def file_path(self, file: GaugeFile) -> Path:
        """Return where a model file lies."""
        return self.path if self.path.is_file() else self.path / file.path

    def facts_of(self, file: GaugeFile) -> Facts:
        """Return what a file says of itself: the gauge's facts, unless its precision takes a threshold of its own.

        Raises:
            GaugeError: its decision contradicts itself.
        """
        if not file.own:
            return self.facts
        decision = Decision.from_json(file.own["decision"])
        return replace(self.facts, decision=decision, about=self.facts.about | file.own["about"])

    @property
    def seen(self) -> Keys:
        """Which photos made it, as `content_keys` has them; none where nothing says so."""
        return np.load(self.path / SEEN_NAME, allow_pickle=False) if self.seen_sha256 else content_keys(())

    def open(self, file: GaugeFile | None = None, threads: int = 1) -> Session:
        """Open a model file, the first unless one is named.

        Raises:
            GaugeError: it cannot be opened, or carries other facts than ``gauge.json``.
        """
        file = file or self.files[0]
        session = RUNTIMES.get(file.runtime).open(self.file_path(file), threads)
        carried = session.metadata.get(METADATA_KEY)
        if carried is not None and json.loads(carried) != self.facts_of(file).to_json():
            raise GaugeError(f"{self.file_path(file)} carries other facts than {MANIFEST_NAME}; export the gauge again")
        return session

    @cached_property
    def _session(self) -> Session:
        return self.open()

    def predict(self, pixels: UInt8Array) -> list[Verdict]:
        """Answer camera pixels.

        Args:
            pixels: (N, H, W, C) uint8.

        Raises:
            DataError: pixels of another size or number of channels.
        """
        for photo in pixels[:1]:
            self.facts.geometry.check(photo)
        pred_probs, heatmaps, novelty = self._session(pixels)
        decision = self.facts.decision
        told = decision.verdicts(pred_probs, novelty)
        verdicts = []
        for index, label in enumerate(decision.labels(pred_probs)):
            heatmap = None if heatmaps is None else heatmaps[index]
            region = None
            if heatmap is not None and told[index] == "no-go":
                region = self.facts.grid.hot_region(heatmap)
            novel = None if novelty is None else float(novelty[index])
            prob = float(decision.probs(pred_probs[index : index + 1])[0])
            verdicts.append(Verdict(decision.task.classes[label], prob, told[index], heatmap, region, novel))
        return verdicts

    def read(self, photo: Path | str) -> UInt8Array:
        """Decode a photo file to (H, W, C) camera pixels that fit this gauge.

        Raises:
            DataError: it cannot be decoded or has another size.
        """
        geometry = self.facts.geometry
        pixels = decode_photo(Path(photo), channels=geometry.channels, bit_depth=geometry.bit_depth)
        geometry.check(pixels, str(photo))
        return pixels

    def inspect(self, photo: Path | str | UInt8Array) -> Verdict:
        """Answer one photo.

        Args:
            photo: a file, or (H, W, C) or grey (H, W) uint8 camera pixels.

        Raises:
            DataError: it cannot be decoded or does not fit.
        """
        pixels = self.read(photo) if isinstance(photo, str | Path) else np.asarray(photo)
        if pixels.ndim == 2:
            pixels = pixels[:, :, None]
        self.facts.geometry.check(pixels)
        return self.predict(pixels[None])[0]


def _read_manifest(path: Path) -> dict[str, Any]:
    manifest = path / MANIFEST_NAME
    if not manifest.is_file():
        raise GaugeError(
            f"{path} is not a gauge (no {MANIFEST_NAME} in it); give the folder that 'gonogo export' wrote"
        )
    try:
        values = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GaugeError(f"{manifest} is cut or altered ({error}); export the gauge again") from error
    if not isinstance(values, dict) or values.pop("digest", None) != digest(values):
        raise GaugeError(f"{manifest} was altered since it was exported; export the gauge again")
    return dict(values)


def _check_file(folder: Path, name: str, expected: str) -> None:
    path = folder / name
    if Path(name).name != name:
        raise GaugeError(f"{folder / MANIFEST_NAME} names '{name}', which is not a file of this folder")
    if not path.is_file():
        raise GaugeError(f"{path} is missing; copy the gauge's whole folder, or export it again")
    if sha256(path) != expected:
        raise GaugeError(
            f"{path} is cut or altered (its hash is not the one in {MANIFEST_NAME}); copy or export it again"
        )


def write_manifest(folder: Path, facts: Facts, files: Sequence[GaugeFile]) -> None:
    """Write ``gauge.json`` for the files that lie in the folder."""
    values = facts.to_json() | {
        "files": [file.to_json() for file in files],
        "golden_sha256": sha256(folder / GOLDEN_NAME),
    }
    if (folder / SEEN_NAME).is_file():
        values["seen_sha256"] = sha256(folder / SEEN_NAME)
    write_text(folder / MANIFEST_NAME, json.dumps(values | {"digest": digest(values)}, indent=2) + "\n")


def check_golden(gauge: Gauge) -> Path:
    """Return where the golden images lie.

    Raises:
        GaugeError: the model file came without them.
    """
    if gauge.path.is_file():
        raise GaugeError(f"{gauge.path} came without its golden images; give the gauge's whole folder")
    return gauge.path / GOLDEN_NAME
