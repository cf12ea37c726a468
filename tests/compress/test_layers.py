"""Sensitive layers are found by the noise they make, and no more of them stay in float than it takes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pytest

from gonogo.compress.quantize.layers import MOST_NOISE, Noise, choose_floats, noise_of
from gonogo.types import Answer

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 2, 400)
PIXELS = np.arange(200, dtype=np.uint8).repeat(2).reshape(400, 1, 1, 1)
ROUGHNESS = {"a": 0.05, "b": 1.0, "c": 0.02, "d": 0.6, "e": 0.01, "f": 0.03}


def answer_of(logits: np.ndarray, novelty: np.ndarray | None = None) -> Answer:
    defect = 1 / (1 + np.exp(-logits))
    return Answer(np.stack([defect, 1 - defect], 1).astype(np.float32), None, novelty)


class Rough:
    """A network whose layers each add a known noise to the log-odds where they are in integers."""

    def __init__(self, roughness: dict[str, float]) -> None:
        self.roughness, self.written = roughness, []
        self.layers = tuple(roughness)
        self.parts = {name: np.random.default_rng(k).normal(0, 1, 400) for k, name in enumerate(roughness)}

    def write(self, path: Path, floats: Collection[str], widened: float = 1.0) -> None:
        self.written.append((tuple(floats), widened))
        path.write_text(",".join(floats))

    def open(self, path: Path):
        floats = path.read_text().split(",")
        noise = sum(rough * self.parts[name] for name, rough in self.roughness.items() if name not in floats)
        whole = answer_of(LOGITS + noise)
        places = iter(range(400))
        return lambda photos: whole.at([next(places) for _ in photos])


def choose(roughness: dict[str, float], tmp_path: Path):
    network = Rough(roughness)
    return network, choose_floats(network, tmp_path / "m", network.open, PIXELS, answer_of(LOGITS))


def test_noise_is_the_variance_added_over_the_variance_there():
    added = RNG.normal(0, 0.5, 400)
    found = noise_of(answer_of(LOGITS), answer_of(LOGITS + added))
    assert found.log_odds == pytest.approx(0.25 / 4, rel=0.15)
    assert (found.novelty, found.widened) == (0, 1)
    assert noise_of(answer_of(LOGITS), answer_of(LOGITS)) == Noise(0)


def test_how_certain_a_certain_answer_is_makes_no_noise():
    logits = np.where(LOGITS > 0, 20.0, -20.0)
    assert noise_of(answer_of(logits), answer_of(logits * 0.6)).log_odds == 0


def test_known_photos_that_move_away_from_training_widen_the_limit():
    near = RNG.uniform(0.3, 1, 400).astype(np.float32)
    far = noise_of(answer_of(LOGITS, near), answer_of(LOGITS, 1.6 * near))
    assert far.widened == pytest.approx(1.6, rel=0.01)
    assert far.novelty == pytest.approx(0, abs=1e-6)
    assert noise_of(answer_of(LOGITS, near), answer_of(LOGITS, 0.5 * near)).widened == 1
    shuffled = noise_of(answer_of(LOGITS, near), answer_of(LOGITS, RNG.permutation(near)))
    assert shuffled.novelty > 0.9
    assert not shuffled.is_quiet


def test_a_quiet_network_keeps_no_layer_in_float(tmp_path: Path):
    network, mixed = choose(dict.fromkeys("abc", 0.01), tmp_path)
    assert (mixed.floats, mixed.layers) == ((), 3)
    assert [floats for floats, _ in network.written] == [(), ()]


def test_the_loudest_layers_stay_in_float_and_no_more_than_it_takes(tmp_path: Path):
    network, mixed = choose(ROUGHNESS, tmp_path)
    assert mixed.floats == ("b", "d")
    assert mixed.noise.log_odds <= MOST_NOISE
    assert network.written[-1][0] == ("b", "d")


def test_where_half_of_the_layers_do_not_help_none_is_left(tmp_path: Path):
    network, mixed = choose(dict.fromkeys("abcdef", 1.0), tmp_path)
    assert mixed.floats == ()
    assert mixed.noise.log_odds > MOST_NOISE
    assert network.written[-1] == ((), 1.0)
