"""The curves of an evaluation's page, each with what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gonogo.evaluate.calibration import Reliability, Temperature, apply_temperature, fit_temperature, reliability
from gonogo.evaluate.curves import RocCurve, TradeOff, precision_recall_curve, trade_off
from gonogo.report.answered import Answered, interval
from gonogo.report.charts import Axis, Chart, Frame, Mark
from gonogo.report.page import percent
from gonogo.types import Float32Array, Float64Array, Rate

# Defects are rarer on a line than among photos that were collected: what precision becomes there.
LINE_SHARES = (0.1, 0.01)
AT = "at the threshold chosen"
# How far a logarithmic axis goes on below the smallest rate that is drawn, as a factor.
MARGIN = 1.6


@dataclass(frozen=True)
class Section:
    """A part of the page with one chart.

    Attributes:
        anchor: its name inside the page.
        title: of the rail.
        chart: the figure.
        facts: value and what it is.
        text: paragraphs beside it.
    """

    anchor: str
    title: str
    chart: Chart
    facts: tuple[tuple[str, str], ...]
    text: tuple[str, ...]


def _point(answered: Answered) -> tuple[Rate, Rate] | None:
    """Return overkill and escape at the gauge's threshold; None for sorting."""
    figures = answered.figures
    if figures.escape_rate is None or figures.overkill_rate is None:
        return None
    return figures.overkill_rate, figures.escape_rate


def _ends(rate: Rate, *, caught: bool = False) -> tuple[float, float]:
    low, high = rate.low or 0.0, 1.0 if rate.high is None else rate.high
    return (1 - high, 1 - low) if caught else (low, high)


def roc_section(answered: Answered, curves: Mapping[str, RocCurve]) -> Section:
    """Return the ROC curve with its band; for sorting, that of every kind against the rest.

    Args:
        answered: what was evaluated.
        curves: of `Answered.kinds`.
    """
    frame = Frame(Axis("good photos lost (overkill)"), Axis("defective photos caught"))
    if answered.decision.task.is_sorting:
        frame = Frame(Axis("others taken for the kind"), Axis("photos of the kind found"))
    chance = frame.line([0, 1], [0, 1], "chance", "a coin")
    point, marks, areas = _point(answered), list[Mark](), []
    if len(curves) == 1:
        (curve,) = curves.values()
        areas = [frame.area(curve.band_fpr, curve.band_low, curve.band_high, "curve", "95 % band, place by place")]
        lines = [frame.line(curve.fpr, curve.tpr, "curve", "ROC curve"), chance]
        facts = [(f"{curve.auc.value:.3f}", f"area under the curve; {interval(curve.auc, 3)}")]
        text = [
            "The curve goes from holding back nothing to holding back everything. The band draws whole parts, and is "
            "as wide as few parts demand."
        ]
    else:
        lines = [frame.line(own.fpr, own.tpr, f"hue{k % 7}", name) for k, (name, own) in enumerate(curves.items())]
        lines.append(chance)
        facts = [(f"{own.auc.value:.3f}", f"{name}; {interval(own.auc, 3)}") for name, own in curves.items()]
        text = ["Every kind against all the others, from finding nothing to calling everything that kind."]
    if point is not None and point[0].value is not None and point[1].value is not None:
        overkill, escape = point
        marks = [
            frame.mark(
                overkill.value or 0.0,
                1 - (escape.value or 0.0),
                "point",
                AT,
                across=_ends(overkill),
                along=_ends(escape, caught=True),
            )
        ]
    return Section(
        "roc", "ROC curve", frame.chart("ROC curve", areas=areas, lines=lines, marks=marks), (*facts,), (*text,)
    )


def trade_off_sections(answered: Answered) -> list[Section]:
    """Return escape against overkill; nothing for sorting."""
    point = _point(answered)
    if point is None or not answered.kinds:
        return []
    own, scores = answered.kinds["defective"]
    found = trade_off(own, scores, answered.groups)
    floors = [_floor(found.overkill, found.overkill_floor), _floor(found.escape, found.escape_floor)]
    overkill = Axis("overkill (logarithmic)", floors[0] / MARGIN, log=True)
    escape = Axis("escape (logarithmic)", floors[1] / MARGIN, log=True)
    frame = Frame(overkill, escape)
    seen = np.maximum(found.overkill, floors[0]), np.maximum(found.escape, floors[1])
    allowed = found.overkill_high, found.escape_high
    lines = [
        frame.line(*seen, "curve", "seen on these photos"),
        frame.line(*allowed, "limit", "still possible for new parts (95 %)"),
    ]
    marks = []
    if point[0].value is not None and point[1].value is not None:
        places = max(point[0].value, floors[0]), max(point[1].value, floors[1])
        sides, ends = _ends(point[0]), _ends(point[1])
        marks = [frame.mark(*places, "point", AT, across=sides, along=ends)]
    promise = answered.decision.guarantee
    if promise is not None:
        label = f"promised: escape {percent(promise.rate)} at most"
        lines.append(frame.line([overkill.low, overkill.high], [promise.rate] * 2, "promise", label))
    chart = frame.chart(
        "escape against overkill", areas=[frame.between(seen, allowed, "limit")], lines=lines, marks=marks
    )
    return [Section("trade-off", "Escape against overkill", chart, _at_escapes(found), _trade_off_text(found, floors))]


def _floor(rates: Float64Array, half_a_part: float) -> float:
    """Return where a rate of 0 is drawn: below every other one."""
    return min(half_a_part, float(rates[rates > 0].min(initial=1.0)) / 2)


def _at_escapes(found: TradeOff) -> tuple[tuple[str, str], ...]:
    """Return the overkill at which no more than a few escapes are seen."""
    rows: dict[str, str] = {}
    for most in (0.0, 0.01, 0.05):
        value = percent(float(found.overkill[found.escape <= most + 1e-12].min()))
        rows.setdefault(value, f"overkill where {percent(most)} escape, on these photos")
    return tuple(rows.items())


def _trade_off_text(found: TradeOff, floors: Sequence[float]) -> tuple[str, ...]:
    return (
        "Every threshold is a point: fewer escapes cost more overkill. Both axes are logarithmic and have no zero: it "
        f"is drawn at {percent(floors[1])} escape and {percent(floors[0])} overkill.",
        f"The dashed line is what as many {found.unit} still allow both rates to be for new {found.unit}, for a "
        "threshold that was fixed beforehand.",
    )


def precision_recall_section(answered: Answered) -> Section:
    """Return precision over recall; for sorting, that of every kind against the rest."""
    sorts = answered.decision.task.is_sorting
    frame = Frame(
        Axis("photos of the kind found (recall)" if sorts else "defective photos caught (recall)"),
        Axis("right when it says so (precision)"),
    )
    curves = {name: precision_recall_curve(own, scores) for name, (own, scores) in answered.kinds.items()}
    single = len(curves) == 1
    lines = [
        frame.line(
            own.recall, own.precision, "curve" if single else f"hue{k % 7}", "precision" if single else name, steps=True
        )
        for k, (name, own) in enumerate(curves.items())
    ]
    figures, marks = answered.figures, list[Mark]()
    text: tuple[str, ...] = ()
    facts = [(f"{own.average_precision:.3f}", "average precision" if single else name) for name, own in curves.items()]
    if single:
        (curve,) = curves.values()
        share = f"holding back everything: {percent(curve.prevalence)}"
        lines.append(frame.line([0, 1], [curve.prevalence] * 2, "chance", share))
        facts = [(facts[0][0], f"average precision; {interval(figures.average_precision, 3)}")]
    point = _point(answered)
    if point is not None and figures.precision is not None and figures.precision.value is not None:
        caught = 1 - (point[1].value or 0.0)
        sides, ends = _ends(point[1], caught=True), _ends(figures.precision)
        marks = [frame.mark(caught, figures.precision.value, "point", AT, across=sides, along=ends)]
        text = _on_the_line(caught, point[0].value or 0.0)
    chart = frame.chart("precision over recall", lines=lines, marks=marks)
    return Section("precision-recall", "Precision and recall", chart, tuple(facts), text)


def _on_the_line(caught: float, lost: float) -> tuple[str, ...]:
    """Say what precision becomes where defects are rarer than among these photos."""
    found = []
    for share in LINE_SHARES:
        held = share * caught + (1 - share) * lost
        if held:
            found.append(f"{percent(share * caught / held)} where {percent(share)} of the photos are defective")
    if not found:
        return ()
    return (
        "Precision hangs on how many defects there are. Of the photos held back at this threshold, the defective "
        "would be " + " and ".join(found) + ".",
    )


def reliability_section(answered: Answered) -> Section:
    """Return what was said against what was so, as it is and after temperature scaling."""
    sorts = answered.decision.task.is_sorting
    frame = Frame(
        Axis("probability of the kind answered" if sorts else "probability of a defect"),
        Axis("share that was of that kind" if sorts else "share that was defective"),
    )
    plain = _reliability_at(answered, answered.pred_probs)
    lines = [frame.line([0, 1], [0, 1], "chance", "as it says")]
    lines.append(frame.line(*_bins(plain), "curve"))
    marks = _bin_marks(frame, plain, "curve", "probabilities as they are")
    facts = [(percent(plain.error), "calibration error: how far apart the two are, on average over photos")]
    text = ["Photos in groups of about as many each, by what was said; the whiskers are 95 % intervals over parts."]
    temperature = None if answered.calibration is None else fit_temperature(*answered.calibration)
    if temperature is None:
        text.append("No validation photos are at hand, so no temperature is fitted; a run has them, a gauge has not.")
    elif temperature.note is not None:
        text.append(f"No temperature is fitted: {temperature.note}.")
    else:
        scaled = _reliability_at(answered, apply_temperature(answered.pred_probs, temperature.value))
        lines.append(frame.line(*_bins(scaled), "other"))
        marks += _bin_marks(frame, scaled, "other", "after temperature scaling")
        facts.append((percent(scaled.error), f"the same at temperature {temperature.value:.2f}"))
        text.append(_softer(temperature))
    return Section(
        "reliability", "Reliability", frame.chart("reliability", lines=lines, marks=marks), tuple(facts), (*text,)
    )


def _softer(temperature: Temperature) -> str:
    way = "softer" if temperature.value > 1 else "sharper"
    return (
        f"The temperature was fitted on the validation photos; it makes probabilities {way} and changes no verdict's "
        "order. The gauge's own probabilities are the ones that are not scaled."
    )


def _reliability_at(answered: Answered, pred_probs: Float32Array) -> Reliability:
    task = answered.decision.task
    if task.good_index is not None:
        return reliability(
            answered.decision.defect_probs(pred_probs), answered.labels != task.good_index, answered.groups
        )
    return reliability(pred_probs.max(axis=1), pred_probs.argmax(axis=1) == answered.labels, answered.groups)


def _bins(found: Reliability) -> tuple[list[float], list[float]]:
    return [own.prob for own in found.bins], [own.share.value or 0.0 for own in found.bins]


def _bin_marks(frame: Frame, found: Reliability, style: str, label: str) -> list[Mark]:
    return [
        frame.mark(own.prob, own.share.value or 0.0, style, "" if k else label, along=_ends(own.share))
        for k, own in enumerate(found.bins)
    ]
