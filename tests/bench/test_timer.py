"""Timing: every row says what was timed, on what, and how often."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gonogo.bench.memory import peak_memory_bytes
from gonogo.bench.roofline import Roofline, measure_roofline
from gonogo.bench.timer import WARM_UP, bench, device_name, percentiles
from gonogo.errors import GaugeError
from gonogo.gauge.gauge import Gauge


def test_times_are_milliseconds_of_each_call_in_turns():
    turns: list[tuple[str, int]] = []

    def call(name: str, seconds: float):
        def timed(turn: int) -> None:
            turns.append((name, turn))
            time.sleep(seconds)

        return timed

    times = percentiles({"slow": call("slow", 0.004), "quick": call("quick", 0.0)}, 5)
    assert [turn for name, turn in turns if name == "slow"] == list(range(-5, 5))
    assert [name for name, _ in turns[:4]] == ["slow", "quick", "slow", "quick"]
    assert times["slow"].shape == (5,)
    assert 4 <= times["slow"].min() < 40
    assert times["quick"].min() < 1
    assert WARM_UP >= 10


def test_rows_cover_pixels_and_jpeg_of_each_file(gauge_folder: Path):
    gauge = Gauge.load(gauge_folder)
    rows = bench(gauge, repeats=5, batch=3)
    assert [(row["from"], row["batch"], row["threads"], row["repeats"]) for row in rows] == [
        ("pixels", 3, 1, 5),
        ("jpeg", 3, 1, 5),
    ]
    for row in rows:
        assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
        assert row["images_per_second"] == pytest.approx(3000 / row["p50_ms"])
        assert row["size_bytes"] == gauge.files[0].size_bytes
        assert row["params"] == gauge.facts.about["params"]
        assert 1e7 < row["peak_memory_bytes"] < 1e9
    pixels, jpeg = rows
    assert 0 < pixels["roofline_share"] < 1
    assert jpeg["roofline_share"] is None


def test_an_onnx_file_alone_has_no_photos_to_time(gauge_folder: Path):
    with pytest.raises(GaugeError, match="without its golden images"):
        bench(Gauge.load(gauge_folder / "model.onnx"))


def test_the_device_has_a_name():
    assert device_name().strip()


def test_more_photos_a_call_take_more_memory(gauge_folder: Path):
    gauge = Gauge.load(gauge_folder)
    one, many = (peak_memory_bytes(gauge, "model.onnx", batch=batch) for batch in (1, 2000))
    # 2,000 photos of 64x64 are 8 MB as bytes, and four times that as floats.
    assert many - one > 2000 * 64 * 64 * 4  # type: ignore[operator]


def test_the_roofline_is_the_longer_of_computing_and_moving():
    roof = Roofline(flops=2e9, bandwidth=1e9)
    assert roof.least_ms(macs=1_000_000, params=1000, pixels=10_000) == pytest.approx(1.0)
    assert roof.least_ms(macs=1_000_000, params=1000, pixels=10_000, batch=4) == pytest.approx(4.0)
    assert roof.least_ms(macs=1000, params=1_000_000, pixels=10_000, batch=2) == pytest.approx(4.02)
    measured = measure_roofline()
    assert 1e9 < measured.flops < 1e12
    assert 1e8 < measured.bandwidth < 1e12
