"""What a fit's page says, collected from what came out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gonogo.bench.timer import device_name
from gonogo.evaluate.guarantee import percent
from gonogo.evaluate.metrics import evaluate
from gonogo.fitting.beside import beside_table
from gonogo.report.answered import Answered
from gonogo.report.fit import FitPage, Point
from gonogo.report.study import StudyTable
from gonogo.search.budgets import KB, Budgets
from gonogo.train.run import Run

if TYPE_CHECKING:
    from gonogo.fitting.fit import Fitted

MOST_ROWS = 12
NARROW = "\N{NO-BREAK SPACE}"
LITTLE = 0.1  # escapes, beyond which a promise that nobody asked for is no good news
COSTLY = 0.1  # of the good parts lost, from which a gauge without a budget for that is no good news


def page_of(fitted: Fitted, mistakes: Path, others: Sequence[tuple[str, dict[str, Any]]] = ()) -> FitPage:
    """Return what the page shows.

    Args:
        fitted: what came out.
        mistakes: picture of the worst ones.
        others: earlier fits, as `read_beside` gives them.
    """
    outcome, request = fitted.outcome, fitted.request
    answered = _answered(outcome.run, request.data.resolve().name or str(request.data))
    promise = outcome.run.decision.guarantee
    return FitPage(
        data=answered.name,
        grade="error" if not outcome.met else "warning" if costly(fitted) or promises_little(fitted) else "info",
        verdict=verdict(fitted),
        facts=tuple(_facts(fitted)),
        budgets=_budgets(fitted),
        relax=tuple(f"{own.in_words}." for own in outcome.unmet) + outcome.steps,
        cannot=tuple(fitted.looked.proof.cannot(request.budgets.confidence)),
        promise="" if promise is None else promise.sentence,
        answered=answered,
        audit=fitted.looked.audit,
        points=tuple(_points(fitted)),
        rivals=outcome.rivals,
        front=_front(fitted),
        beside=beside_table((request.out.resolve().name, fitted.to_json()), others),
        files=_files(outcome.rows),
        mistakes=mistakes,
        sources=tuple(_sources(fitted)),
        notes=fitted.looked.notes,
    )


def verdict(fitted: Fitted) -> str:
    """Return in one sentence whether the budgets are kept, for whoever decides about the line."""
    outcome = fitted.outcome
    val, best = outcome.run.metrics["val"], outcome.best
    size = f"{best['p50_ms']:.2g} ms from {best['size_bytes'] / KB:.0f} kB"
    if outcome.run.metrics["refused"]:
        return f"Not met: {outcome.run.metrics['refused']}."
    if val["escape_rate"] is None:
        quality = f"sorts {percent(val['accuracy']['value'])} of unseen photos right"
    else:
        promise = outcome.run.decision.guarantee
        rate = "" if promise is None else f"lets at most {percent(promise.rate)} of new defective {promise.unit} pass"
        quality = f"{rate} and loses {percent(val['overkill_rate']['value'])} of the good ones"
    if outcome.met:
        return f"{_opening(fitted)}: this gauge {quality}, and answers in {size}."
    return f"Not met: {outcome.unmet[0].relax}. The nearest gauge {quality}, and answers in {size}."


def _opening(fitted: Fitted) -> str:
    if promises_little(fitted):
        return "Too few defective parts to promise much"
    if costly(fitted):
        return "Met, at a price"
    budgets = fitted.request.budgets
    return "Done" if budgets == Budgets(confidence=budgets.confidence) else "Met"


def promises_little(fitted: Fitted) -> bool:
    """Say whether no escape rate was asked for, and the parts prove none that anybody would ask for."""
    promise = fitted.outcome.run.decision.guarantee
    return fitted.request.budgets.max_escape is None and promise is not None and promise.rate > LITTLE


def costly(fitted: Fitted) -> bool:
    """Say whether the budgets are kept at a price that nobody asked about: good parts that are lost."""
    overkill = fitted.outcome.run.metrics["val"]["overkill_rate"]
    asked = fitted.request.budgets.max_overkill
    return asked is None and overkill is not None and overkill["value"] > COSTLY


def _facts(fitted: Fitted) -> list[tuple[str, str, str]]:
    outcome = fitted.outcome
    val, promise, best = outcome.run.metrics["val"], outcome.run.decision.guarantee, outcome.best
    rows = []
    if promise is not None:
        sure = "" if promise.confidence is None else f"{percent(promise.confidence)} confidence, "
        rows.append((percent(promise.rate), "escape at most, guaranteed", f"{sure}{promise.n} {promise.unit}"))
    for name, what in (("overkill_rate", "overkill, seen"), ("accuracy", "sorted right")):
        rate = val[name]
        if rate is not None and (name == "overkill_rate" or val["overkill_rate"] is None):
            rows.append((percent(rate["value"]), what, f"{percent(rate['low'])} to {percent(rate['high'])}"))
    rows.append((f"{best['p50_ms']:.3g} ms", "camera pixels to verdict", f"{best['runtime']}, one thread"))
    rows.append(
        (
            f"{best['size_bytes'] / KB:.1f} kB",
            "compiled C" if best["runtime"] == "native" else "the file",
            f"{outcome.run.metrics['params']:,} parameters",
        )
    )
    return rows


def _budgets(fitted: Fitted) -> StudyTable:
    """Return every budget with what was asked and found."""
    budgets, outcome = fitted.request.budgets, fitted.outcome
    broken = {own.budget for own in outcome.unmet}
    val, promise, best = outcome.run.metrics["val"], outcome.run.decision.guarantee, outcome.best
    rows: list[tuple[str, str, str, str]] = []

    def add(option: str, asked: float | None, found: str, words: str) -> None:
        if asked is None:
            rows.append((option, "nothing", found, "-"))
        else:
            rows.append((option, words, found, "not kept" if option in broken else "kept"))

    if promise is not None:
        add("--max-escape", budgets.max_escape, f"{percent(promise.proven)} proved", _rate(budgets.max_escape))
    if val["overkill_rate"] is not None:
        found = percent(val["overkill_rate"]["value"])
        add("--max-overkill", budgets.max_overkill, found, _rate(budgets.max_overkill))
    add("--max-latency-ms", budgets.max_latency_ms, f"{best['p50_ms']:.3g}", f"{budgets.max_latency_ms or 0:g}")
    add("--max-size-kb", budgets.max_size_kb, f"{best['size_bytes'] / KB:.1f}", f"{budgets.max_size_kb or 0:g}")
    return StudyTable(("budget", "asked", "found", ""), tuple(rows))


def _rate(value: float | None) -> str:
    return "" if value is None else percent(value)


def _answered(run: Run, name: str) -> Answered:
    """Return the answers to the parts kept aside."""
    labels, pred_probs = run.read_predictions()
    val = run.manifest().select("val")
    groups = val.groups if run.manifest().has_groups else None
    figures = evaluate(run.decision, labels, pred_probs, groups)
    return Answered(name, "val", run.decision, labels, pred_probs, groups, figures, 0)


def _points(fitted: Fitted) -> list[Point]:
    points = []
    for own in fitted.search.tried:
        name, latency = own.proposal.candidate.name, own.cost.latency_ms
        if own.shown is not None:
            kind = "chosen" if own.number == fitted.chosen.number else "whole"
            points.append(Point(name, latency, own.shown.overkill, kind))
        elif own.sketch is not None:
            points.append(Point(name, latency, own.sketch.overkill, "sketch"))
    return points


def _front(fitted: Fitted) -> StudyTable:
    rows = []
    for own in sorted(fitted.search.whole, key=lambda own: own.cost.macs)[:MOST_ROWS]:
        name = own.proposal.in_words() + (" (taken)" if own.number == fitted.chosen.number else "")
        cost = (f"{own.cost.params:,}", f"{own.cost.latency_ms:.3f}", f"{own.cost.size_bytes / KB:.0f}")
        loss = percent(own.answers.overkill).replace(" ", NARROW)
        rows.append((name, f"{own.answers.scores.mean:.4f}", loss, *cost))
    score = "share right" if fitted.looked.photos.task.is_sorting else "AUC"
    return StudyTable(("network", score, "loss", "parameters", "ms", "kB"), tuple(rows))


def _files(rows: tuple[dict[str, Any], ...]) -> StudyTable:
    lines = [
        (
            f"{row['runtime']} {row['precision']}",
            *(f"{row[name]:.3f}" for name in ("p50_ms", "p95_ms", "p99_ms")),
            f"{row['size_bytes'] / KB:.1f}",
        )
        for row in rows
    ]
    return StudyTable(("file", "p50 ms", "p95 ms", "p99 ms", "kB"), tuple(lines))


def _sources(fitted: Fitted) -> list[tuple[str, str]]:
    run, request = fitted.outcome.run, fitted.request
    weights = run.config.weights
    rows = [
        ("photos, labels, splits and parts (SHA-256)", run.config.fingerprint),
        ("device", device_name()),
        ("time", f"{fitted.seconds / 60:.1f} minutes, {len(fitted.search.tried)} networks, seed {request.seed}"),
        ("threshold", f"{run.decision.method}; in {request.out / 'run' / 'metrics.json'}"),
    ]
    rows += [(f"{file.path} (SHA-256)", file.sha256) for file in fitted.outcome.gauge.files]
    if weights:
        rows.append(("pretrained weights (SHA-256)", weights["sha256"]))
    return rows
