"""From a run to a gauge: export, compare with the network, add golden images, sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gonogo import __version__
from gonogo.data.manifest import Manifest, Sample
from gonogo.errors import UsageError
from gonogo.export import EXPORTERS, Exporter
from gonogo.export.anew import check_together, facts_anew
from gonogo.export.parity import answer, check_parity, load_photos
from gonogo.files import check_new_folder, new_folder, sha256
from gonogo.gauge.facts import Facts
from gonogo.gauge.gauge import GOLDEN_NAME, MANIFEST_NAME, Gauge, GaugeFile, write_manifest
from gonogo.gauge.golden import Golden, Parity, compare, one_at_a_time
from gonogo.gauge.seen import SEEN_NAME, content_keys
from gonogo.models.deployed import Deployed
from gonogo.runtimes import RUNTIMES
from gonogo.train.run import Run
from gonogo.types import Float32Array, UInt8Array

# As many photos as a claim needs, but no more memory than a small machine has.
PARITY_PHOTOS = 200
PARITY_BYTES = 256_000_000
CALIBRATION_PHOTOS = 64
GOLDEN_PHOTOS = 8
GOLDEN_BYTES = 8_000_000


@dataclass(frozen=True)
class Exported:
    """A gauge that was just written, and how each of its files compared with the network."""

    gauge: Gauge
    parities: tuple[Parity, ...]


def gauge_facts(run: Run) -> Facts:
    """Collect what the gauge says of itself from the run."""
    metrics, config = run.metrics, run.config
    about: dict[str, Any] = {
        "gonogo": __version__,
        "run": {"name": run.path.resolve().name, "config_sha256": sha256(run.path / "run.toml")},
        "weights_sha256": sha256(run.path / "model.safetensors"),
        "data_fingerprint": config.fingerprint,
        "arch": config.model.arch,
        "params": metrics["params"],
        "macs": metrics["macs"],
        "seed": config.recipe.seed,
        "guarantee": metrics["val"]["guarantee"],
        "leaky": metrics.get("leaky"),
        "novelty": metrics.get("novelty"),
        "good_alone": _without_photos(metrics.get("good_alone")),
        "val": metrics["val"],
    }
    stride, first = run.load_network().map_grid()
    return Facts(run.decision, config.geometry, stride, first, about)


def _without_photos(good_alone: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if good_alone is None else {name: value for name, value in good_alone.items() if name != "to_label"}


def export_gauge(run: Run, out: Path, formats: Sequence[str] = ("onnx",), *, force: bool = False) -> Exported:
    """Write a gauge. It appears under its name only when every file answers as the network did.

    A file in eight bits cannot: it makes a gauge of its own, with a threshold chosen anew on its own answers, and its
    golden images carry what it answers here.

    Args:
        run: a finished run.
        out: the folder to write.
        formats: names from the exporters' registry.
        force: replace a gauge that is there.

    Raises:
        UsageError: an unknown format, or `out` is in the way.
        ExportError: a file does not answer as the network did; nothing is written.
        DataError: the run's photos are gone.
    """
    exporters = _exporters(formats)
    network = run.deployed()
    facts = gauge_facts(run)
    photos = validation_photos(run, network)
    files, parities, golden = [], [], photos.golden
    calibration = calibration_photos(run, len(photos.pixels))
    with new_folder(out, force=force, marker=MANIFEST_NAME) as folder:
        for exporter in exporters:
            path = folder / exporter.filename
            exporter.write(network, facts, calibration, path)
            if exporter.is_exact:
                parity = check_parity(path, exporter.runtime, facts.decision, network, photos.pixels)
            else:
                facts = facts_anew(run, facts, RUNTIMES.get(exporter.runtime).open(path, 1), path.name)
                exporter.write(network, facts, calibration, path)
                session = RUNTIMES.get(exporter.runtime).open(path, 1)
                found = one_at_a_time(session, photos.pixels)
                parity = compare(facts.decision, answer(network, photos.pixels), found)
                golden = Golden(golden.pixels, one_at_a_time(session, golden.pixels))
            parities.append(parity)
            files.append(
                GaugeFile.of(path, exporter.runtime, exporter.precision, parity.max_abs_diff, exporter.companions)
            )
        golden.save(folder / GOLDEN_NAME)
        save_seen(run, folder)
        write_manifest(folder, facts, files)
    return Exported(Gauge.load(out), tuple(parities))


@dataclass(frozen=True)
class ValidationPhotos:
    """Photos that files are compared on.

    Attributes:
        pixels: (N, H, W, C) uint8, evenly through each class.
        golden: the few of them that go with the gauge, and the network's answers.
    """

    pixels: UInt8Array
    golden: Golden


def validation_photos(run: Run, network: Deployed) -> ValidationPhotos:
    """Load as many validation photos as a claim needs, and choose the golden ones.

    Raises:
        DataError: the run's photos are gone.
    """
    val = run.manifest().select("val")
    photo_bytes = val.samples[0].width * val.samples[0].height * run.config.geometry.channels
    chosen = spread(val, max(GOLDEN_PHOTOS, min(PARITY_PHOTOS, PARITY_BYTES // photo_bytes)))
    pixels = load_photos(val, chosen, run.config.geometry)
    answers = answer(network, pixels)
    golden = _choose_golden(chosen, run.decision.probs(answers.pred_probs), pixels[0].nbytes)
    return ValidationPhotos(pixels, Golden(pixels[golden], answers.at(golden)))


def calibration_photos(run: Run, most: int) -> UInt8Array:
    """Load training photos, evenly through each class, for formats that are fitted to what a network sees.

    Args:
        run: whose photos.
        most: of them.

    Raises:
        DataError: the run's photos are gone.
    """
    train = run.manifest().select("train")
    return load_photos(train, spread(train, min(CALIBRATION_PHOTOS, most)), run.config.geometry)


def save_seen(run: Run, folder: Path) -> None:
    """Write which photos made the gauge."""
    seen = content_keys(sample.sha256 for sample in run.manifest().samples if sample.split != "test")
    np.save(folder / SEEN_NAME, seen)


def _exporters(formats: Sequence[str]) -> list[Exporter]:
    exporters = {name: EXPORTERS.get(name) for name in formats}
    if not exporters:
        raise UsageError("no format was named; give at least one, such as --format onnx")
    check_together(exporters)
    return list(exporters.values())


def planned_files(run: Run, out: Path, formats: Sequence[str], *, force: bool = False) -> list[str]:
    """Return the names of the files that `export_gauge` would write, after the same checks of run, formats and folder.

    Raises:
        GonogoError: as `export_gauge`, but for what only the export itself shows.
    """
    exporters = _exporters(formats)
    run.load_network()
    check_new_folder(out, force=force, marker=MANIFEST_NAME)
    return [MANIFEST_NAME, GOLDEN_NAME, *(name for exporter in exporters for name in exporter.names)]


def spread(manifest: Manifest, count: int) -> list[Sample]:
    """Choose up to `count` samples, evenly through each class."""
    chosen: list[Sample] = []
    for name, share in zip(manifest.classes, _shares(manifest, count), strict=True):
        members = [sample for sample in manifest.samples if sample.label == name]
        places = np.linspace(0, len(members) - 1, min(share, len(members))).round().astype(int)
        chosen += [members[place] for place in places]
    return chosen


def _shares(manifest: Manifest, count: int) -> list[int]:
    return [max(2, round(count * n / len(manifest))) for n in manifest.counts().values()]


def _choose_golden(samples: list[Sample], probs: Float32Array, bytes_each: int) -> list[int]:
    """Choose photos of every class from its lowest probability to its highest, as many as the size allows."""
    labels = sorted({sample.label for sample in samples})
    room = max(len(labels), min(GOLDEN_PHOTOS, GOLDEN_BYTES // bytes_each))
    chosen: list[int] = []
    for label in labels:
        members = [index for index, sample in enumerate(samples) if sample.label == label]
        members.sort(key=lambda index: float(probs[index]))
        places = np.linspace(0, len(members) - 1, min(max(1, room // len(labels)), len(members))).round().astype(int)
        chosen += [members[place] for place in places]
    return chosen
