"""From a run to a gauge of fewer bits: quantize, ask validation photos, choose thresholds anew, time, judge, write."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gonogo.bench.timer import device_name
from gonogo.compress.gate import LEAST_SPEEDUP, REPEATS, Gated, Speed, in_words, time_pairs, too_bad, too_slow
from gonogo.compress.quantize import QUANTIZERS, Quantizer, Source
from gonogo.compress.quantize.calibration import Calibration, calibration_photos
from gonogo.compress.quantize.gauge import Candidate, write_quantized
from gonogo.compress.quantize.layers import Mixed, choose_floats
from gonogo.compress.quantize.validation import Judged, Validation
from gonogo.data.reading import AS_TRAINED, Reading
from gonogo.errors import MissingExtraError, UsageError
from gonogo.evaluate.drop import drops
from gonogo.evaluate.metrics import why_refused
from gonogo.export import EXPORTERS, Exporter
from gonogo.export.gauge import gauge_facts, validation_photos
from gonogo.export.parity import answer, check_parity
from gonogo.files import check_new_folder
from gonogo.gauge.gauge import GOLDEN_NAME, MANIFEST_NAME, Gauge
from gonogo.runtimes import RUNTIMES
from gonogo.train.run import Run

ALL = "all"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class QuantizeRequest:
    """What to quantize.

    Attributes:
        run: a finished run.
        out: the gauge to write.
        formats: names from the quantizers' registry.
        data: photos to calibrate on; the run's training photos unless given.
        reading: how they are read.
        max_drop: how many points less often each class may be answered rightly.
        min_speedup: how many times as fast a file must be for sure.
        repeats: timed turns.
        force: replace a gauge that is there.
        skip_unreadable: go on without photos of `data` that cannot be decoded.
    """

    run: Run
    out: Path
    formats: Sequence[str] = ("onnx-int8",)
    data: Path | None = None
    reading: Reading = AS_TRAINED
    max_drop: float = 0.5
    min_speedup: float = LEAST_SPEEDUP
    repeats: int = REPEATS
    force: bool = False
    skip_unreadable: bool = False

    @property
    def names(self) -> list[str]:
        """The formats asked for, each once; "all" stands for every one there is.

        Raises:
            UsageError: an unknown name, or none.
        """
        names: list[str] = []
        for name in self.formats:
            names += list(QUANTIZERS) if name == ALL else [name]
        if not names:
            raise UsageError("no format was named; give at least one, such as --format onnx-int8")
        for name in names:
            QUANTIZERS.get(name)
        return list(dict.fromkeys(names))


@dataclass(frozen=True)
class Quantized:
    """What came of it.

    Attributes:
        rows: every file that was tried, judged.
        references: the files in full precision, timed in the same turns, as rows of ``--json``.
        mixed: by name, which layers stayed in float.
        gauge: what was written; None where every file was refused.
        val: eval object of the gauge's first file; None where there is none.
    """

    rows: tuple[Gated, ...]
    references: tuple[dict[str, Any], ...]
    mixed: Mapping[str, Mixed]
    gauge: Gauge | None = None
    val: dict[str, Any] | None = None

    @property
    def refused(self) -> str | None:
        """Why nothing was written, in one line; None where something was."""
        return None if self.gauge is not None else f"{in_words(self.rows)}; not written"


def planned(request: QuantizeRequest) -> list[str]:
    """Return the names of the files that might be written, after the checks that need no quantizing.

    Raises:
        GonogoError: as `quantize`, but for what only the work itself shows.
    """
    names = request.names
    check_new_folder(request.out, force=request.force, marker=MANIFEST_NAME)
    request.run.load_network()
    _calibration(request, None)
    exporters = dict.fromkeys(QUANTIZERS.get(name).exporter for name in names)
    files = [name for exporter in exporters for name in EXPORTERS.get(exporter).names]
    files += [name for quantizer in names for name in _as_exporter(QUANTIZERS.get(quantizer)).names]
    return [MANIFEST_NAME, GOLDEN_NAME, *files]


def _as_exporter(quantizer: Quantizer) -> Exporter:
    return EXPORTERS.get(quantizer.exporter).named(quantizer.filename, quantizer.precision)


def quantize(request: QuantizeRequest, progress: Progress | None = None) -> Quantized:
    """Quantize for each runtime, judge, and write a gauge of what is faster and good enough.

    The gauge holds, quickest first, the files that were accepted, and those in full precision that they come from. Each
    carries the threshold that holds for itself. Where nothing is accepted, nothing is written.

    Raises:
        UsageError: an unknown format, or `out` is in the way.
        MissingExtraError: a runtime or its quantizer that was asked for by name is not installed.
        DataError: photos are gone, or those to calibrate on do not fit or are not to be seen.
        ExportError: a file in full precision does not answer as the network did.
    """
    check_new_folder(request.out, force=request.force, marker=MANIFEST_NAME)
    with tempfile.TemporaryDirectory(prefix="gonogo-") as folder:
        return _Work(request, Path(folder), progress).run()


def _why_not(name: str, formats: Sequence[str]) -> str | None:
    """Say why this machine cannot run a quantizer's files; under "all", also that it is not installed."""
    try:
        return QUANTIZERS.get(name).why_not()
    except MissingExtraError as error:
        if name in formats:
            raise
        return str(error)


def _calibration(request: QuantizeRequest, progress: Progress | None) -> Calibration:
    steps = None if progress is None else lambda done, total: progress("reading", done, total)
    return calibration_photos(
        request.run, request.data, request.reading, skip_unreadable=request.skip_unreadable, progress=steps
    )


def _reference_row(name: str, file: Candidate, p50_ms: float) -> dict[str, Any]:
    exporter = file.exporter
    row = {"name": name, "runtime": exporter.runtime, "precision": exporter.precision, "p50_ms": p50_ms}
    return row | {"size_bytes": file.size_bytes, "drop": {}, "accepted": None, "reason": None}


class _Work:
    """The steps of `quantize`, which share the network and the photos."""

    def __init__(self, request: QuantizeRequest, folder: Path, progress: Progress | None) -> None:
        self.request, self.folder, self.progress = request, folder, progress
        names = request.names
        self.refusals = {name: why for name in names if (why := _why_not(name, request.formats))}
        self.names = [name for name in names if name not in self.refusals]
        self.network = request.run.deployed()
        facts = gauge_facts(request.run)
        self.facts = replace(facts, about=facts.about | {"precision": "fp32", "quantized": None})
        self.calibration = _calibration(request, progress)
        self.source = Source(self.network, self.facts, self.calibration.ranges, folder)
        self.photos = validation_photos(request.run, self.network)
        self.validation = Validation(request.run)

    def run(self) -> Quantized:
        """Do all of it."""
        exporters = dict.fromkeys(QUANTIZERS.get(name).exporter for name in self.names)
        references = {name: self._reference(name) for name in exporters}
        trials = {name: self._trial(name) for name in self.names}
        files = references | trials
        answers = self.validation.ask({name: file.session for name, file in files.items()}, self._steps("asking"))
        judged = {name: self.validation.judge(answers[name], self.facts.decision) for name in references}
        judged |= {name: self.validation.judge(answers[name]) for name in trials}
        speeds = self._time(files)
        rows = {name: self._gate(name, trials, judged, speeds) for name in [*self.names, *self.refusals]}
        accepted = sorted((name for name, row in rows.items() if row.accepted), key=lambda name: speeds[name].p50_ms)
        times = {QUANTIZERS.get(trial).exporter: speeds[trial].before_ms for trial in trials}
        whole = tuple(_reference_row(name, file, times[name]) for name, file in references.items())
        mixed = {name: file.mixed for name, file in trials.items() if file.mixed is not None}
        result = Quantized(tuple(rows[name] for name in self.request.names), whole, mixed)
        if not accepted:
            return result
        signed = [self._sign(trials[name], judged[name], rows[name]) for name in accepted]
        kept = [references[name] for name in dict.fromkeys(QUANTIZERS.get(name).exporter for name in accepted)]
        run, out, force = self.request.run, self.request.out, self.request.force
        gauge = write_quantized(run, out, self.photos, self.network, [*signed, *kept], force=force)
        return replace(result, gauge=gauge, val=signed[0].facts.about["val"])

    def _steps(self, what: str) -> Callable[[int, int], None] | None:
        progress = self.progress
        return None if progress is None else lambda done, total: progress(what, done, total)

    def _reference(self, name: str) -> Candidate:
        """Write the file in full precision, and see that it answers as the network does."""
        exporter = EXPORTERS.get(name)
        path = self.folder / exporter.filename
        exporter.write(self.network, self.facts, self.photos.pixels, path)
        check_parity(path, exporter.runtime, self.facts.decision, self.network, self.photos.pixels)
        return Candidate(exporter, self.facts, path, RUNTIMES.get(exporter.runtime).open(path, 1))

    def _trial(self, name: str) -> Candidate:
        """Write the file of fewer bits."""
        quantizer = QUANTIZERS.get(name)
        exporter = _as_exporter(quantizer)
        path = self.folder / exporter.filename
        network = quantizer.prepare(self.source)
        runtime, listeners = RUNTIMES.get(exporter.runtime), self.calibration.others
        expected = answer(self.network, listeners)
        mixed = choose_floats(
            network, path, lambda file: runtime.open(file, 1), listeners, expected, self._steps("layers asked on")
        )
        return Candidate(exporter, self.facts, path, runtime.open(path, 1), mixed)

    def _time(self, files: Mapping[str, Candidate]) -> dict[str, Speed]:
        pixels = self.photos.golden.pixels
        calls = {
            name: lambda turn, session=file.session: session(pixels[turn % len(pixels)][None])
            for name, file in files.items()
        }
        return time_pairs(calls, {name: QUANTIZERS.get(name).exporter for name in self.names}, self.request.repeats)

    def _gate(
        self, name: str, trials: Mapping[str, Candidate], judged: Mapping[str, Judged], speeds: Mapping[str, Speed]
    ) -> Gated:
        """Judge one file."""
        exporter = _as_exporter(QUANTIZERS.get(name))
        if name in self.refusals:
            return Gated(name, exporter.runtime, exporter.precision, None, {}, None, (self.refusals[name],))
        before, after = judged[QUANTIZERS.get(name).exporter], judged[name]
        validation, words = self.validation, (exporter.precision, exporter.runtime)
        labels = validation.manifest.labels
        drop = drops(validation.manifest.classes, labels, before.rightly, after.rightly, validation.groups)
        slow = too_slow(speeds[name], *words, self.request.min_speedup)
        alike = why_refused(after.decision, after.answer.pred_probs, labels if validation.good_alone else None)
        reasons = [slow, *too_bad(drop, self.request.max_drop, *words), alike]
        return Gated(
            name, words[1], words[0], speeds[name], drop, trials[name].size_bytes, tuple(filter(None, reasons))
        )

    def _sign(self, file: Candidate, judged: Judged, row: Gated) -> Candidate:
        """Put into the file what holds for itself: threshold, promise, figures, and how it was made."""
        about = self.facts.about | {
            "precision": file.exporter.precision,
            "val": judged.figures.to_json() | {"leaky": self.facts.about["leaky"]},
            "guarantee": None if judged.decision.guarantee is None else judged.decision.guarantee.to_json(),
            "quantized": {
                "by": row.name,
                **({} if file.mixed is None else asdict(file.mixed)),
                "calibration": {
                    "photos": len(self.calibration.ranges),
                    "split": self.calibration.split,
                    "data_fingerprint": self.calibration.fingerprint,
                },
                "drop": {name: asdict(drop) for name, drop in row.drop.items()},
                "speed": None if row.speed is None else asdict(row.speed),
                "device": device_name(),
            },
        }
        facts = replace(self.facts, decision=judged.decision, about=about)
        QUANTIZERS.get(row.name).sign(file.path, facts)
        return replace(file, facts=facts)
