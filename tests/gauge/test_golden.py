"""Golden images and the comparison that proves a gauge."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from gonogo.data.task import Task
from gonogo.errors import GaugeError
from gonogo.evaluate.decision import Decision
from gonogo.gauge.gauge import Gauge, write_manifest
from gonogo.gauge.golden import TOLERANCE, Golden, Parity, compare, verify
from gonogo.types import Answer

DECISION = Decision(Task(("bad", "ok"), "ok"), 0.5, "test")


def test_the_tolerance_is_the_one_that_is_promised():
    assert TOLERANCE == 1e-4


def two(*defect: float) -> np.ndarray:
    values = np.array(defect)
    return np.stack([values, 1 - values], axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("found", "equal", "holds"),
    [
        (two(0.2, 0.9), True, True),
        (two(0.20009, 0.9), True, True),
        (two(0.2002, 0.9), True, False),
        (two(0.6, 0.9), False, False),
        (two(float("nan"), 0.9), False, False),
    ],
)
def test_probabilities_and_verdicts_are_compared(found: np.ndarray, equal: bool, holds: bool):
    parity = compare(DECISION, Answer(two(0.2, 0.9), None), Answer(found, None))
    assert parity.holds == holds
    if np.isfinite(found).all():
        assert parity.verdicts_equal == equal


def test_a_verdict_that_flips_within_the_tolerance_does_not_hold():
    parity = compare(DECISION, Answer(two(0.49999), None), Answer(two(0.50001), None))
    assert parity.max_abs_diff < TOLERANCE
    assert not parity.verdicts_equal
    assert not parity.holds


def test_heat_maps_are_compared_on_their_own_scale():
    large = np.full((1, 2, 2), 1000, dtype=np.float32)
    assert compare(DECISION, Answer(two(0.2), large), Answer(two(0.2), large + 0.05)).holds
    assert not compare(DECISION, Answer(two(0.2), large), Answer(two(0.2), large + 0.5)).holds
    assert compare(DECISION, Answer(two(0.2), large), Answer(two(0.2), None)) == Parity(1, 0.0, 0.0, 0.0, True)


def test_novelty_is_compared_by_its_share_and_may_not_be_missing():
    def told(novelty: float) -> Answer:
        return Answer(two(0.2), None, np.array([novelty], dtype=np.float32))

    assert compare(DECISION, told(500), told(500.01)).holds
    assert not compare(DECISION, told(0.5), told(0.501)).holds
    assert not compare(DECISION, told(0.99999), told(1.00001)).verdicts_equal
    assert not compare(DECISION, told(0.5), Answer(two(0.2))).holds


def test_golden_images_survive_their_file(tmp_path: Path):
    golden = Golden(
        np.arange(24, dtype=np.uint8).reshape(1, 4, 6, 1), Answer(two(0.3), np.ones((1, 2, 3), dtype=np.float32))
    )
    golden.save(tmp_path / "g.npz")
    found = Golden.load(tmp_path / "g.npz")
    assert np.array_equal(found.pixels, golden.pixels)
    assert np.array_equal(found.answer.pred_probs, golden.answer.pred_probs)
    assert np.array_equal(found.answer.heatmap, golden.answer.heatmap)
    assert found.answer.novelty is None


def test_a_damaged_file_is_named(tmp_path: Path):
    np.savez(tmp_path / "other.npz", x=1)
    (tmp_path / "text.npz").write_text("x")
    np.savez(tmp_path / "object.npz", pixels=np.array([{}]), pred_probs=1, heatmap=1)
    for name in ("other", "text", "object", "gone"):
        with pytest.raises(GaugeError, match=f"{name}.npz"):
            Golden.load(tmp_path / f"{name}.npz")


def test_every_class_is_among_the_golden_images(gauge_folder: Path):
    golden = Golden.load(gauge_folder / "golden.npz")
    labels = Gauge.load(gauge_folder).facts.decision.labels(golden.answer.pred_probs)
    assert set(labels.tolist()) == {0, 1}
    assert golden.pixels.shape[1:] == (64, 64, 1)
    assert 2 <= len(golden.pixels) <= 8


def test_a_gauge_verifies_where_it_was_made(gauge_folder: Path):
    ((file, parity),) = verify(Gauge.load(gauge_folder))
    assert file.path == "model.onnx"
    assert parity.holds
    assert parity.max_abs_diff <= 1e-5


def changed(golden: Golden, change: float) -> Golden:
    return Golden(golden.pixels, golden.answer._replace(pred_probs=golden.answer.pred_probs + np.float32(change)))


def test_verify_notices_answers_that_changed(gauge_folder: Path, tmp_path: Path):
    folder = shutil.copytree(gauge_folder, tmp_path / "gauge")
    gauge = Gauge.load(folder)
    golden = Golden.load(folder / "golden.npz")
    for change in (0.001, -0.001):
        changed(golden, change).save(folder / "golden.npz")
        write_manifest(folder, gauge.facts, gauge.files)
        ((_, parity),) = verify(Gauge.load(folder))
        assert not parity.holds
        assert parity.max_abs_diff == pytest.approx(0.001, abs=1e-5)
