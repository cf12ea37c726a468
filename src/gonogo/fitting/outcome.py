"""The gauge that a run becomes, and which of the budgets it keeps."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gonogo.bench.timer import bench, device_name
from gonogo.compress.quantize.quantize import QuantizeRequest, quantize
from gonogo.errors import BarNotMetError
from gonogo.evaluate.guarantee import needed_parts, percent
from gonogo.export.gauge import export_gauge
from gonogo.fitting import hardest
from gonogo.fitting.looked import Looked
from gonogo.fitting.proof import Proof
from gonogo.fitting.request import GAUGE, FitRequest
from gonogo.fitting.rivals import time_rivals
from gonogo.gauge.gauge import Gauge
from gonogo.gauge.golden import verify
from gonogo.search.budgets import KB, USELESS, Budgets, Unmet
from gonogo.train.run import Run

FORMATS = ("onnx", "c")
COMPILERS = ("cc", "gcc", "clang")
QUANTIZED = ("onnx-int8",)


@dataclass(frozen=True)
class Outcome:
    """The gauge, and what of the budgets it keeps.

    Attributes:
        gauge: as written.
        run: that it comes from.
        rows: its files, timed: as of ``gonogo bench``, from camera pixels.
        best: the row of the file that keeps the budgets, or is nearest to them.
        max_abs_diff: the largest difference between a file's probabilities and the network's.
        unmet: the budgets that are not kept.
        steps: what was tried to keep them, and which part decides the threshold, in words.
        rivals: known networks and their milliseconds on this machine; none where there was no time for them.
    """

    gauge: Gauge
    run: Run
    rows: tuple[dict[str, Any], ...]
    best: dict[str, Any]
    max_abs_diff: float
    unmet: tuple[Unmet, ...]
    steps: tuple[str, ...]
    rivals: tuple[tuple[str, float], ...]

    @property
    def met(self) -> bool:
        """Whether every budget is kept."""
        return not self.unmet

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        metrics = self.run.metrics
        return {
            "met": self.met,
            "unmet": [own.to_json() for own in self.unmet],
            "guarantee": metrics["val"]["guarantee"],
            "val": metrics["val"],
            "arch": metrics["arch"],
            "params": metrics["params"],
            "macs": metrics["macs"],
            "device": device_name(),
            "rows": list(self.rows),
            "answers_with": {name: self.best[name] for name in ("runtime", "precision", "p50_ms", "size_bytes")},
            "max_abs_diff": self.max_abs_diff,
            "refused": metrics["refused"],
            "steps": list(self.steps),
            "rivals": dict(self.rivals),
        }


def judge(
    request: FitRequest, run: Run, looked: Looked, say: Callable[[str], None], *, beside_rivals: bool = True
) -> Outcome:
    """Export, verify, time, quantize where a budget asks for it, and hold everything against the budgets.

    Args:
        request: what was asked.
        run: the last training.
        looked: the photos.
        say: called with each line worth reading.
        beside_rivals: whether there is time for known networks; writing and timing them takes most of this step.

    Raises:
        ExportError: a file does not answer as the network did.
        BarNotMetError: the gauge does not answer its own golden photos as it did.
    """
    folder = request.out / GAUGE
    steps: list[str] = []
    formats = [name for name in FORMATS if name != "c" or any(map(shutil.which, COMPILERS))]
    gauge = export_gauge(run, folder, formats, force=folder.exists()).gauge
    rows, difference = _timed(gauge)
    best = _best(rows, request.budgets)
    if request.budgets.excess(best["p50_ms"], best["size_bytes"]) > 0:
        gauge, rows, best, difference = _smaller(request, run, (gauge, rows, best, difference), steps, say)
    decides = hardest.in_words(run, looked.proof.rate, request.budgets.confidence)
    if decides is not None:
        steps.append(decides)
        say(f"  {decides}")
    unmet = tuple(_unmet(request.budgets, run, looked.proof, best))
    rivals = time_rivals(looked.photos, looked.options) if beside_rivals else ()
    if not rivals:
        say("  no time for known networks to compare with")
    return Outcome(gauge, run, tuple(rows), best, difference, unmet, tuple(steps), rivals)


def _timed(gauge: Gauge) -> tuple[list[dict[str, Any]], float]:
    parities = [parity for _, parity in verify(gauge)]
    if not all(parity.holds for parity in parities):
        raise BarNotMetError(f"{gauge.path} does not answer its golden photos as it did when it was written")
    rows = [row for row in bench(gauge) if row["from"] == "pixels"]
    return rows, max(file.max_abs_diff for file in gauge.files)


def _best(rows: list[dict[str, Any]], budgets: Budgets) -> dict[str, Any]:
    """Return the row that keeps the budgets and is the quickest, or the one nearest to them."""
    return min(rows, key=lambda row: (max(0.0, budgets.excess(row["p50_ms"], row["size_bytes"])), row["p50_ms"]))


def _smaller(
    request: FitRequest, run: Run, before: Any, steps: list[str], say: Callable[[str], None]
) -> tuple[Gauge, list[dict[str, Any]], dict[str, Any], float]:
    """Try fewer bits; keep them where they pass the gate and come nearer to the budgets."""
    folder = request.out / f"{GAUGE}-int8"
    shutil.rmtree(folder, ignore_errors=True)
    result = quantize(QuantizeRequest(run, folder, QUANTIZED))
    if result.gauge is None:
        steps.append(f"eight bits were refused: {result.refused}")
        say(f"  {steps[-1]}")
        return before  # type: ignore[no-any-return]
    rows, difference = _timed(result.gauge)
    best = _best(rows, request.budgets)
    excess = [request.budgets.excess(row["p50_ms"], row["size_bytes"]) for row in (best, before[2])]
    if excess[0] >= excess[1]:
        steps.append("eight bits come no nearer to the budgets; left out")
        shutil.rmtree(folder)
        return before  # type: ignore[no-any-return]
    shutil.rmtree(request.out / GAUGE)
    folder.rename(request.out / GAUGE)
    steps.append(f"eight bits: {best['p50_ms']:.3f} ms, {best['size_bytes'] / KB:.1f} kB, every class as good")
    say(f"  {steps[-1]}")
    return Gauge.load(request.out / GAUGE), rows, best, difference


def _unmet(budgets: Budgets, run: Run, proof: Proof, best: dict[str, Any]) -> list[Unmet]:
    """Return the budgets that are not kept, what the photos lack first."""
    found = [*_unproved(budgets, run, proof)]
    for option, asked, value, unit in (
        ("--max-latency-ms", budgets.max_latency_ms, best["p50_ms"], "ms"),
        ("--max-size-kb", budgets.max_size_kb, best["size_bytes"] / KB, "kB"),
    ):
        if asked is not None and value > asked:
            relax = f"{value:.3g} {unit}, not {asked:g}; the nearest network found needs {option} {value * 1.05:.2g}"
            found.append(Unmet(option, asked, value, relax))
    if run.metrics["refused"]:
        found.append(Unmet(USELESS, None, None, f"{run.metrics['refused']}; or give more --minutes"))
    return found


def _unproved(budgets: Budgets, run: Run, proof: Proof) -> Iterator[Unmet]:
    """Yield what was asked of parts and is not so, with how many parts it would take."""
    guarantee, overkill = run.decision.guarantee, run.metrics["val"].get("overkill_rate")
    if budgets.max_escape is not None and guarantee is not None and not guarantee.met:
        ask = f"photograph more defective parts, or ask for --max-escape {percent(guarantee.proven)}"
        yield Unmet("--max-escape", budgets.max_escape, guarantee.proven, f"{guarantee.shortfall}; {ask}")
    if budgets.max_overkill is None or overkill is None or overkill["value"] <= budgets.max_overkill:
        return
    needed, good = needed_parts(budgets.max_overkill, budgets.confidence), proof.parts["good"]
    lack = f"; {good} good parts stand for the proof, and {needed} would be needed" if good < needed else ""
    ask = (
        f"ask for --max-overkill {percent(overkill['high'])}" if overkill["high"] < 1 else "photograph more good parts"
    )
    words = f"{percent(overkill['value'])} of the good are lost, not {percent(budgets.max_overkill)}{lack}"
    yield Unmet("--max-overkill", budgets.max_overkill, overkill["value"], f"{words}; {ask}, or allow more escapes")
