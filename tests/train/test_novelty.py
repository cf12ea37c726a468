"""What is unlike everything in training goes to review, in the network and in the exported file alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gonogo.data.synthetic import write_castings
from gonogo.data.task import Task
from gonogo.evaluate.decision import Decision
from gonogo.evaluate.metrics import evaluate
from gonogo.export.gauge import export_gauge
from gonogo.export.parity import answer
from gonogo.gauge.gauge import Gauge
from gonogo.gauge.golden import Golden, check_golden, verify
from gonogo.models.novelty import Novelty, pool
from gonogo.train.novelty import EXPLAINED, LEFT_WEIGHS, distance, held_out_distances, spread_of
from gonogo.train.prepare import DataOptions
from gonogo.train.run import Run
from gonogo.train.train import TrainRequest, train

OPTIONS = DataOptions(find_copies=False)


def _features(n: int, seed: int) -> np.ndarray:
    """Twelve numbers that vary along three directions, and hardly else."""
    rng = np.random.default_rng(seed)
    basis = np.random.default_rng(99).standard_normal((3, 12))
    return rng.standard_normal((n, 3)) * (4, 2, 1) @ basis + 0.05 * rng.standard_normal((n, 12)) + 5


def test_the_module_is_the_distance_over_the_limit():
    spread = spread_of(_features(300, 1), np.arange(300))
    maps = torch.rand(7, 4, 5, 6) * 3
    expected = distance(spread, pool(maps).double().numpy())
    assert np.allclose(Novelty.of(spread, 2.5)(maps).numpy(), expected / 2.5, rtol=1e-3)


def test_pooling_is_average_maximum_and_root_mean_square():
    maps = torch.randn(2, 3, 4, 5)
    flat = maps.flatten(2)
    expected = torch.cat([flat.mean(2), flat.amax(2), flat.square().mean(2).sqrt()], 1)
    assert torch.allclose(pool(maps), expected, atol=1e-6)


def test_a_distance_by_hand():
    # Two directions: one explains enough by itself, the other is the rest.
    values = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]]) * 2
    spread = spread_of(values, np.arange(4))
    assert np.allclose(spread.mean, 0)
    assert np.allclose(spread.std**2, [18, 2])
    assert len(spread.variances) == 2 if EXPLAINED > 0.5 else 1
    assert np.allclose(distance(spread, np.zeros((1, 2))), 0)
    assert spread.rest <= 1e-6 * 2 / LEFT_WEIGHS * 1.001
    assert distance(spread, np.array([[6.0, 0.0]]))[0] == pytest.approx(1.0, rel=1e-3)  # (36 / 18 / 1) / 2 axes


def test_a_part_counts_as_the_root_of_its_photos():
    values = np.vstack([np.zeros((4, 2)), np.ones((1, 2))])
    assert np.allclose(spread_of(values, np.array([0, 0, 0, 0, 1])).mean, 1 / 3)


def test_unseen_parts_pass_and_others_do_not():
    values = _features(400, 2)
    parts = np.repeat(np.arange(80), 5)
    limit = np.quantile(held_out_distances(values, parts, 0), 0.99)
    spread = spread_of(values, parts)
    assert (distance(spread, _features(2000, 3)) > limit).mean() < 0.03
    off = _features(200, 4) + np.eye(12)[0] * 12  # no farther than others, but where little varies
    assert (distance(spread, off) > limit).mean() > 0.98


def test_a_distance_that_is_no_number_goes_to_review():
    decision = Decision(Task(("bad", "ok"), "ok"), 0.5, "")
    probs = np.array([[0.1, 0.9], [0.9, 0.1], [0.1, 0.9]], dtype=np.float32)
    assert decision.verdicts(probs, np.array([1.0, 2.0, np.nan], dtype=np.float32)) == ["go", "review", "review"]
    sorting = Decision(Task(("a", "b"), None), None, "")
    assert sorting.verdicts(probs, np.array([0.2, 1.5, 0.9], dtype=np.float32)) == [None, "review", None]


def test_what_is_held_back_is_neither_escape_nor_overkill():
    decision = Decision(Task(("bad", "ok"), "ok"), 0.5, "")
    probs = np.array([[0.1, 0.9], [0.1, 0.9], [0.9, 0.1], [0.9, 0.1]], dtype=np.float32)
    labels = np.array([0, 0, 1, 1])
    novelty = np.array([0.5, 3.0, 0.5, 3.0], dtype=np.float32)
    figures = evaluate(decision, labels, probs, None, novelty)
    assert figures.escape_rate.value == 0.5
    assert figures.overkill_rate.value == 0.5
    assert figures.review_rate.value == 0.5
    assert evaluate(decision, labels, probs).review_rate is None


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("novelty")
    write_castings(folder / "set", parts=60, views=2, size=120, difficulty=0.0, seed=3)
    return train(TrainRequest(folder / "set", folder / "run", recipe={"epochs": 4}, options=OPTIONS))


@pytest.fixture(scope="module")
def gauge(run: Run) -> Gauge:
    return export_gauge(run, run.path.parent / "gauge").gauge


def test_the_file_holds_back_what_the_network_does(run: Run, gauge: Gauge):
    test = run.manifest().select("test")
    photos = np.stack([gauge.read(test.path_of(sample)) for sample in test.samples])
    dark = np.round(photos * 0.15).astype(np.uint8)
    for pixels, least, most in ((photos, 0, 0.25), (dark, 1, 1)):
        expected = answer(run.deployed(), pixels)
        found = gauge.predict(pixels)
        assert np.allclose([v.novelty for v in found], expected.novelty, rtol=1e-4)
        assert [v.verdict for v in found] == run.decision.verdicts(expected.pred_probs, expected.novelty)
        assert [v.is_unknown for v in found] == [v.verdict == "review" for v in found]
        assert least <= np.mean([v.is_unknown for v in found]) <= most
    assert gauge.facts.about["novelty"]["parts"] == 48
    assert gauge.facts.about["novelty"]["held_back"]["value"] <= 0.02


def test_golden_images_hold_the_novelty_and_a_changed_one_is_noticed(gauge: Gauge):
    golden = Golden.load(check_golden(gauge))
    assert golden.answer.novelty is not None
    (row,) = verify(gauge)
    assert row[1].holds
    assert row[1].max_abs_diff_novelty < 1e-4
    assert not replace(row[1], max_abs_diff_novelty=2e-4).holds


@pytest.mark.slow
def test_it_can_be_left_out(run: Run, tmp_path: Path):
    request = TrainRequest(Path(run.config.data), tmp_path / "run", recipe={"epochs": 1}, options=OPTIONS)
    plain = train(replace(request, reject_unknown=False))
    assert plain.metrics["novelty"] is None
    assert not (plain.path / "novelty.safetensors").exists()
    gauge = export_gauge(plain, tmp_path / "gauge").gauge
    assert gauge.inspect(np.zeros((120, 120, 1), dtype=np.uint8)).novelty is None


def test_too_few_parts_measure_nothing(tmp_path: Path):
    write_castings(tmp_path / "set", parts=10, views=2, size=80, difficulty=0.0, seed=1)
    run = train(TrainRequest(tmp_path / "set", tmp_path / "run", recipe={"epochs": 1}, options=OPTIONS))
    assert run.metrics["novelty"] is None
