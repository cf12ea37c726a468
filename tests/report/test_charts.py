"""Charts: where values lie in the frame, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gonogo.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, Frame

FRAME = Frame(Axis("across"), Axis("up"))


def places(path: str) -> list[tuple[float, float]]:
    pairs = (pair.split() for pair in path[1:].replace("M", "L").split("L"))
    return [(float(left), float(up)) for left, up in pairs]


def test_corners_of_the_frame_are_the_ends_of_the_axes():
    line = FRAME.line([0, 1], [0, 1], "curve")
    assert places(line.path) == [(LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, TOP)]
    assert places(FRAME.line([-5, 7], [0.5, 0.5], "curve").path) == [
        (LEFT, pytest.approx((TOP + HEIGHT - BOTTOM) / 2)),
        (WIDTH - RIGHT, pytest.approx((TOP + HEIGHT - BOTTOM) / 2)),
    ]


def test_equal_ratios_are_equally_far_apart_on_a_logarithmic_axis():
    axis = Axis("rate", 0.001, 1.0, log=True)
    assert np.allclose(axis.along([0.001, 0.01, 0.1, 1.0]), [0, 1 / 3, 2 / 3, 1])
    assert axis.along([0.0])[0] == 0, "a rate of zero stays in the frame"
    assert [text for _, text in axis.ticks] == ["0.1\xa0%", "1\xa0%", "10\xa0%", "100\xa0%"]
    assert axis.minor[:3] == pytest.approx([0.002, 0.003, 0.004])
    assert len(axis.minor) == 24
    assert [text for _, text in Axis("time", 0.05, 20, log=True, unit="ms").ticks] == [
        "0.1\xa0ms",
        "1\xa0ms",
        "10\xa0ms",
    ]
    between = Axis("rate", 0.005, 1.0, log=True)
    assert [text for _, text in between.ticks] == ["1\xa0%", "10\xa0%", "100\xa0%"]
    assert [text for _, text in Axis("share").ticks] == [
        "0\xa0%",
        "20\xa0%",
        "40\xa0%",
        "60\xa0%",
        "80\xa0%",
        "100\xa0%",
    ]


def test_steps_go_across_first():
    path = FRAME.line([0, 0.5, 1], [1, 0.5, 0], "curve", steps=True).path
    middle, half = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    assert path == f"M{LEFT} {TOP}H{middle:g}V{half:g}H{WIDTH - RIGHT}V{HEIGHT - BOTTOM}"


def test_places_that_round_to_the_one_before_are_left_out():
    x = np.linspace(0, 1e-6, 1000)
    assert len(places(FRAME.line([*x, 1], [*x, 1], "curve").path)) == 2


def test_an_area_goes_there_and_back():
    path = FRAME.area([0, 1], [0, 0], [1, 1], "curve").path
    assert path.endswith("z")
    assert places(path[:-1]) == [
        (LEFT, TOP),
        (WIDTH - RIGHT, TOP),
        (WIDTH - RIGHT, HEIGHT - BOTTOM),
        (LEFT, HEIGHT - BOTTOM),
    ]
    assert FRAME.between(([0, 1], [1, 1]), ([0, 1], [0, 0]), "curve").path == path


def test_a_mark_has_its_intervals_around_it():
    mark = FRAME.mark(0.5, 0.25, "point", "here", across=(0.4, 0.7), along=(0.1, 0.3))
    assert mark.across is not None
    assert mark.along is not None
    assert mark.across[0] < mark.x < mark.across[1]
    assert mark.along[0] > mark.y > mark.along[1], "upwards is smaller"
    assert mark.across[1] - mark.across[0] == pytest.approx(0.3 * (WIDTH - LEFT - RIGHT), abs=0.2)


def test_the_legend_names_marks_lines_and_areas_that_have_a_name():
    chart = FRAME.chart(
        "a chart",
        areas=[FRAME.area([0, 1], [0, 0], [1, 1], "curve", "band")],
        lines=[FRAME.line([0, 1], [0, 1], "chance"), FRAME.line([0, 1], [1, 1], "curve", "line")],
        marks=[FRAME.mark(0.5, 0.5, "point", "point")],
    )
    assert [(kind, own.label) for kind, own in chart.legend] == [("mark", "point"), ("line", "line"), ("area", "band")]
    assert len(chart.x_ticks) == 6
    assert math.isclose(chart.x_ticks[-1].at, WIDTH - RIGHT)
