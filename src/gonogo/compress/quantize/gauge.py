"""The gauge that comes of quantizing: files that answer differently, each with its threshold and golden answers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gonogo.compress.quantize.layers import Mixed
from gonogo.errors import ExportError
from gonogo.export import Exporter
from gonogo.export.gauge import ValidationPhotos, save_seen
from gonogo.export.parity import answer
from gonogo.files import new_folder
from gonogo.gauge.facts import Facts
from gonogo.gauge.gauge import GOLDEN_NAME, MANIFEST_NAME, Gauge, GaugeFile, write_manifest
from gonogo.gauge.golden import Golden, compare, one_at_a_time, verify
from gonogo.models.deployed import Deployed
from gonogo.runtimes import Session
from gonogo.train.run import Run
from gonogo.types import Answer

# What of `about` may differ from file to file.
OWN = ("precision", "quantized", "val", "guarantee")


@dataclass(frozen=True)
class Candidate:
    """A file on trial, or the one in full precision that it is compared with.

    Attributes:
        exporter: its name, runtime and precision.
        facts: what it says of itself.
        path: where it was written.
        session: the file, open.
        mixed: which layers stayed in float; None for the file in full precision.
    """

    exporter: Exporter
    facts: Facts
    path: Path
    session: Session
    mixed: Mixed | None = None

    @property
    def paths(self) -> list[Path]:
        """The file and what belongs to it."""
        return [self.path.with_name(name) for name in self.exporter.names]

    @property
    def size_bytes(self) -> int:
        """Length of them all."""
        return sum(path.stat().st_size for path in self.paths)


def write_quantized(
    run: Run, out: Path, photos: ValidationPhotos, network: Deployed, candidates: Sequence[Candidate], *, force: bool
) -> Gauge:
    """Write the gauge; it appears under its name only when every file answers from it as it did on trial.

    Args:
        run: what it is made from.
        out: the folder to write.
        photos: for the golden images.
        network: as it was trained.
        candidates: the first is the one that answers unless another is named.
        force: replace a gauge that is there.

    Raises:
        UsageError: `out` is in the way or cannot be written.
        ExportError: a file answers otherwise than on trial.
    """
    expected = answer(network, photos.pixels)
    first = candidates[0].facts
    files, own = [], dict[str, Answer]()
    with new_folder(out, force=force, marker=MANIFEST_NAME) as folder:
        for candidate in candidates:
            for path in candidate.paths:
                shutil.copyfile(path, folder / path.name)
            exporter = candidate.exporter
            answers = one_at_a_time(candidate.session, photos.pixels)
            parity = compare(candidate.facts.decision, expected, answers)
            file = GaugeFile.of(
                folder / candidate.path.name,
                exporter.runtime,
                exporter.precision,
                parity.max_abs_diff,
                exporter.companions,
            )
            files.append(file if candidate.facts == first else replace(file, own=_own(candidate.facts)))
            if candidate.mixed is not None:
                own[file.path] = one_at_a_time(candidate.session, photos.golden.pixels)
        Golden(photos.golden.pixels, photos.golden.answer, own).save(folder / GOLDEN_NAME)
        save_seen(run, folder)
        write_manifest(folder, first, files)
        for file, parity in verify(Gauge.load(folder)):
            if not parity.holds:
                raise ExportError(f"{file.path} does not answer as it did a moment ago; the gauge was not written")
    return Gauge.load(out)


def _own(facts: Facts) -> dict[str, Any]:
    return {"decision": facts.decision.to_json(), "about": {name: facts.about[name] for name in OWN}}
