"""The gate refuses what is not faster for sure, or not good enough, and says by how much."""

from __future__ import annotations

import time

import numpy as np
import pytest

from gonogo.compress.gate import Gated, Speed, in_words, speed_of, time_pairs, too_bad, too_slow
from gonogo.evaluate.drop import Drop


def test_a_file_that_takes_half_the_time_is_twice_as_fast():
    noise = np.random.default_rng(0).normal(1, 0.02, (2, 300))
    speed = speed_of(0.5 * noise[0], 1.0 * noise[1])
    assert (speed.p50_ms, speed.before_ms) == pytest.approx((0.5, 1.0), rel=0.01)
    assert speed.speedup == pytest.approx(2, rel=0.02)
    assert 1.9 < speed.low <= speed.speedup <= speed.high < 2.1
    assert speed.p95_ms == pytest.approx(0.5 * (1 + 1.645 * 0.02), rel=0.01)
    assert too_slow(speed, "int8", "onnxruntime") is None


def test_what_slows_the_machine_for_a_while_slows_both():
    load = np.repeat([1.0, 3.0, 1.0, 2.0, 1.5, 1.0, 4.0, 1.0, 1.0, 2.0], 30)
    speed = speed_of(0.8 * load, 1.0 * load)
    assert (speed.low, speed.high) == pytest.approx((1.25, 1.25))


def test_less_than_five_percent_is_not_enough_however_sure():
    noise = np.random.default_rng(1).normal(1, 0.001, (2, 300))
    speed = speed_of(noise[0] / 1.03, noise[1])
    why = too_slow(speed, "int8", "onnxruntime")
    assert why is not None
    assert "1.03x as fast (1.03 to 1.03), 1.05x is asked for beyond doubt" in why
    assert too_slow(speed, "int8", "onnxruntime", 1.02) is None


def test_a_gain_within_the_noise_is_not_believed():
    noise = np.random.default_rng(2).lognormal(0, 1.5, (2, 100))
    speed = speed_of(noise[0] / 1.2, noise[1])
    assert speed.low < 1.05 < speed.high
    assert too_slow(speed, "int8", "onnxruntime") is not None


def test_a_busy_machine_that_breaks_into_long_calls_alone_does_not_flatter_the_short_ones():
    rng = np.random.default_rng(3)
    before, after = rng.normal(1.2, 0.01, 300), rng.normal(1.18, 0.01, 300)
    before[rng.random(300) < 0.7] += 8
    speed = speed_of(after, before)
    assert speed.low > 1.05
    assert speed.undisturbed == pytest.approx(1.2 / 1.18, abs=0.02)
    why = too_slow(speed, "int8", "onnxruntime")
    assert why is not None
    assert "where nothing else ran" in why
    assert "when this machine is not busy" in why


def test_a_slower_file_is_refused_with_both_figures():
    why = too_slow(Speed(0.61, 0.7, 0.16, 0.16 / 0.61, 0.25, 0.27, 0.26), "int8", "onnxruntime")
    assert why == "int8 under onnxruntime takes 0.61 ms where fp32 takes 0.16: 3.81x slower"


def test_a_class_that_loses_more_than_allowed_is_named():
    drop = {"ok": Drop(0.005, 0.0, 0.01, 200, "photos"), "crack": Drop(0.021, 0.004, 0.04, 90, "parts")}
    assert too_bad(drop, 0.5, "int8", "openvino") == [
        "int8 under openvino is right about 'crack' less often by 2.1 points (0.4 to 4.0, 90 parts), "
        "at most 0.5 allowed"
    ]
    assert too_bad(drop, 2.1, "int8", "openvino") == []
    assert len(too_bad(drop, 0.49, "int8", "openvino")) == 2


def test_a_row_says_all_that_speaks_against_it():
    row = Gated("onnx-int8", "onnxruntime", "int8", None, {}, 9, ("too slow", "too bad"))
    assert (row.accepted, row.reason) == (False, "too slow; too bad; not written")
    assert in_words([row, row]) == "too slow; too bad; too slow; too bad"
    assert row.to_json()["accepted"] is False
    kept = Gated("onnx-int8", "onnxruntime", "int8", Speed(1, 2, 3, 3, 2.9, 3.1, 3.0), {}, 9, ())
    assert kept.to_json() | {"drop": None} == {
        "name": "onnx-int8",
        "runtime": "onnxruntime",
        "precision": "int8",
        "p50_ms": 1,
        "p95_ms": 2,
        "p50_ms_before": 3,
        "speedup": {"value": 3, "low": 2.9, "high": 3.1, "undisturbed": 3.0},
        "size_bytes": 9,
        "drop": None,
        "accepted": True,
        "reason": None,
    }


def test_files_are_timed_in_turns():
    turns: list[str] = []

    def call(name: str, seconds: float):
        def timed(_: int) -> None:
            turns.append(name)
            time.sleep(seconds)

        return timed

    calls = {"before": call("before", 0.004), "after": call("after", 0.001)}
    speed = time_pairs(calls, {"after": "before"}, 3)["after"]
    assert turns[:4] == ["before", "after", "before", "after"]
    assert len(turns) == 2 * 2 * 10
    assert 1.5 < speed.undisturbed < 5  # of busy machines the medians may be anything
    assert speed.low <= speed.speedup <= speed.high
