"""What an evaluation's page says, against the numbers it is made from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gonogo.evaluate.calibration import apply_temperature, fit_temperature, reliability
from gonogo.evaluate.curves import precision_recall_curve, roc_curve, trade_off
from gonogo.evaluate.metrics import evaluate
from gonogo.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from gonogo.report.curves import MARGIN, precision_recall_section, reliability_section, roc_section, trade_off_sections
from gonogo.report.evaluation import write_evaluation_page
from gonogo.report.page import percent
from tests.helpers_answers import line_answered, sorted_answered


def value_of(x: float, y: float) -> tuple[float, float]:
    """Return the values at a place of a chart with plain axes."""
    return (x - LEFT) / (WIDTH - LEFT - RIGHT), (HEIGHT - BOTTOM - y) / (HEIGHT - TOP - BOTTOM)


def test_the_roc_curve_runs_from_corner_to_corner_with_the_threshold_on_it():
    answered = line_answered()
    own, scores = answered.kinds["defective"]
    curve = roc_curve(own, scores, answered.groups)
    section = roc_section(answered, {"defective": curve})
    path = section.chart.lines[0].path
    assert path.startswith(f"M{LEFT} {HEIGHT - BOTTOM}L")
    assert path.endswith(f"L{WIDTH - RIGHT} {TOP}")
    assert section.facts[0][0] == f"{curve.auc.value:.3f}"
    (mark,) = section.chart.marks
    overkill, caught = value_of(mark.x, mark.y)
    figures = answered.figures
    assert overkill == pytest.approx(figures.overkill_rate.value, abs=2e-4)  # type: ignore[union-attr]
    assert 1 - caught == pytest.approx(figures.escape_rate.value, abs=2e-4)  # type: ignore[union-attr]
    assert [area.label for area in section.chart.areas] == ["95 % band, place by place"]


def test_the_trade_off_says_what_no_escape_costs_and_what_is_promised():
    answered = line_answered(max_escape="5%")
    (section,) = trade_off_sections(answered)
    own, scores = answered.kinds["defective"]
    found = trade_off(own, scores, answered.groups)
    least = percent(float(found.overkill[found.escape == 0].min()))
    assert section.facts[0] == (least, f"overkill where {percent(0.0)} escape, on these photos")
    labels = [line.label for line in section.chart.lines]
    assert labels == [
        "seen on these photos",
        "still possible for new parts (95 %)",
        "promised: escape 5.0\xa0% at most",
    ]
    # 120 photos of 60 parts: one photo is half a part, and nothing is drawn at half of that.
    assert f"drawn at {percent(0.25 / 60)} escape" in section.text[0]
    assert trade_off_sections(sorted_answered()) == []


def test_rates_below_half_a_part_are_drawn_where_they_are():
    whole = line_answered(7)
    labels, pred_probs = np.repeat(whole.labels, 30), np.repeat(whole.pred_probs, 30, axis=0)
    pred_probs[0] = [0.0, 1.0]  # one escape in 420 photos of 7 parts
    groups = tuple(group for group in whole.groups or () for _ in range(30))
    figures = evaluate(whole.decision, labels, pred_probs, groups)
    (section,) = trade_off_sections(
        replace(whole, labels=labels, pred_probs=pred_probs, groups=groups, figures=figures)
    )
    low, span = 0.5 / 420 / MARGIN, HEIGHT - TOP - BOTTOM
    place = HEIGHT - BOTTOM - np.log(1 / 420 / low) / np.log(1 / low) * span
    assert section.chart.marks[0].y == pytest.approx(place, abs=0.06)


def test_precision_is_reckoned_for_a_line_with_fewer_defects():
    answered = line_answered()
    section = precision_recall_section(answered)
    own, scores = answered.kinds["defective"]
    area = precision_recall_curve(own, scores).average_precision
    assert section.facts[0][0] == f"{area:.3f}"
    figures = answered.figures
    caught = 1 - figures.escape_rate.value  # type: ignore[union-attr,operator]
    lost = figures.overkill_rate.value  # type: ignore[union-attr]
    expected = 0.01 * caught / (0.01 * caught + 0.99 * lost)  # type: ignore[operator]
    assert f"{percent(expected)} where 1.0\xa0% of the photos are defective" in section.text[0]


def test_reliability_is_shown_before_and_after_the_temperature():
    answered = line_answered()
    assert answered.calibration is not None
    temperature = fit_temperature(*answered.calibration)
    section = reliability_section(answered)
    own, _ = answered.kinds["defective"]
    errors = [
        reliability(answered.decision.defect_probs(probs), own, answered.groups).error
        for probs in (answered.pred_probs, apply_temperature(answered.pred_probs, temperature.value))
    ]
    assert [value for value, _ in section.facts] == [percent(error) for error in errors]
    assert section.facts[1][1] == f"the same at temperature {temperature.value:.2f}"
    alone = reliability_section(replace(answered, calibration=None))
    assert len(alone.facts) == 1
    assert "no temperature is fitted" in alone.text[1]
    perfect = np.eye(2, dtype=np.float32)[np.array([0, 1] * 10)]
    without = reliability_section(replace(answered, calibration=(np.array([0, 1] * 10), perfect)))
    assert "validation has no mistake" in without.text[1]


def test_kinds_have_a_curve_each():
    answered = sorted_answered()
    curves = {name: roc_curve(own, scores) for name, (own, scores) in answered.kinds.items()}
    section = roc_section(answered, curves)
    assert [line.label for line in section.chart.lines] == ["crack", "dent", "rust", "a coin"]
    assert [value for value, _ in section.facts] == [f"{curve.auc.value:.3f}" for curve in curves.values()]
    assert section.chart.marks == ()


@pytest.mark.parametrize(
    ("parts", "leaked", "words"),
    [
        (60, 0, "The curves can be believed within their intervals."),
        (7, 0, "How far that can be believed is not proved."),
        (60, None, "How far that can be believed is not proved."),
        (60, 4, "The figures are too good: parts of these photos are in training."),
    ],
)
def test_the_verdict_follows_from_parts_and_leaks(parts: int, leaked: int | None, words: str, tmp_path: Path):
    write_evaluation_page(tmp_path / "page.html", line_answered(parts, leaked=leaked))
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert words in text
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_one_class_alone_still_makes_a_page(tmp_path: Path):
    whole = line_answered()
    good = whole.labels == 1
    groups = [group for group, kept in zip(whole.groups or (), good, strict=True) if kept]
    figures = evaluate(whole.decision, whole.labels[good], whole.pred_probs[good], groups)
    alone = replace(whole, labels=whole.labels[good], pred_probs=whole.pred_probs[good], groups=groups, figures=figures)
    assert alone.kinds == {}
    write_evaluation_page(tmp_path / "page.html", alone)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "A single class tells nothing of the other." in text
    assert 'id="roc"' not in text
    assert 'id="reliability"' in text


def test_why_it_is_refused_comes_first(tmp_path: Path):
    refused = replace(line_answered(), refused="the network answers 'ok' for all 240 photos")
    write_evaluation_page(tmp_path / "page.html", refused)
    assert "The network answers &#39;ok&#39; for all 240 photos." in (tmp_path / "page.html").read_text()
