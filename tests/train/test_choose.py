"""Choosing among networks: scores of parts, the one-standard-error rule, cuts and stages left to the parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from gonogo.data.synthetic import write_castings
from gonogo.errors import ConfigError
from gonogo.export.gauge import export_gauge
from gonogo.models.weights import read_weights
from gonogo.train import cut
from gonogo.train.choose import Scores, Trial, mean_scores, on_front, rows_of, score_parts, take_smallest
from gonogo.train.cut import choose_cut
from gonogo.train.prepare import DataOptions
from gonogo.train.train import TrainRequest, plan, train
from tests.helpers import in_process, one_error_line, write_kinds, write_photos
from tests.helpers_weights import write_weights


def answers(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, 2) logits that are often right, and (n,) labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    margin = rng.normal(labels * 1.5, 1)
    return np.stack([-margin / 2, margin / 2], 1), labels


def delong(margin: np.ndarray, labels: np.ndarray) -> float:
    """Return the variance of an AUC as DeLong et al. 1988 have it, pair by pair."""
    high, low = margin[labels == 1], margin[labels == 0]
    pairs = (high[:, None] > low[None]) + 0.5 * (high[:, None] == low[None])
    return pairs.mean(1).var(ddof=1) / len(high) + pairs.mean(0).var(ddof=1) / len(low)


# ---- scores


def test_of_parts_with_one_photo_each_the_score_is_the_auc_and_its_error_delong_s():
    logits, labels = answers(60)
    scores = score_parts(logits, labels, [str(i) for i in range(60)], np.zeros(60, dtype=np.int64))
    margin = logits[:, 1] - logits[:, 0]
    assert scores.name == "auc"
    assert scores.mean == pytest.approx(roc_auc_score(labels, margin), abs=1e-12)
    assert scores.standard_error == pytest.approx(np.sqrt(delong(margin, labels)), abs=1e-12)


def test_photos_of_one_part_count_as_one():
    logits, labels = answers(20)
    names = [str(i) for i in range(20)]
    fold = np.arange(20) // 10
    once = score_parts(logits, labels, names, fold)
    copies = np.concatenate([np.arange(20), np.repeat(3, 50)])
    often = score_parts(logits[copies], labels[copies], [names[i] for i in copies], fold[copies])
    assert np.allclose(often.of_part, once.of_part)


def test_heads_of_different_folds_are_never_compared():
    logits, labels = answers(20)
    fold = np.arange(20) // 10
    names = [str(i) for i in range(20)]
    shifted = logits + np.where(fold == 1, 100.0, 0.0)[:, None] * np.array([[-1, 1]])
    assert np.array_equal(
        score_parts(shifted, labels, names, fold).of_part, score_parts(logits, labels, names, fold).of_part
    )


def test_several_classes_are_scored_by_the_highest_logit():
    logits = np.array([[3.0, 0, 0], [0, 2, 1], [0, 2, 1], [0, 0, 1], [1, 0, 0]])
    scores = score_parts(logits, np.array([0, 1, 2, 2, 2]), ["a", "b", "c", "c", "d"], np.zeros(5, dtype=np.int64))
    assert scores.name == "accuracy"
    assert scores.of_part.tolist() == [1, 1, 0.5, 0]
    assert scores.mean == pytest.approx((1 + 1 + 0.25) / 3)


def test_a_class_of_one_part_leaves_the_error_without_limit():
    assert Scores(np.array([1.0, 0.5, 0.7]), np.array([0, 1, 1]), "auc").standard_error == float("inf")


def test_deals_are_averaged_part_by_part():
    one, two = (Scores(np.array(values), np.array([0, 1]), "auc") for values in ([0.0, 1.0], [1.0, 1.0]))
    assert mean_scores([one, two]).of_part.tolist() == [0.5, 1.0]


# ---- the rule


def trial(name: str, macs: int, of_part: list[float]) -> Trial:
    labels = np.arange(len(of_part)) % 2
    return Trial({"cut": name}, (8, 8), macs, macs, Scores(np.array(of_part), labels, "auc"))


def test_the_smallest_within_one_standard_error_of_the_best_is_taken():
    best = trial("best", 9, [0.9, 0.9, 1.0, 1.0, 1.0, 1.0])
    near = trial("near", 5, [0.9, 0.9, 1.0, 1.0, 0.9, 1.0])  # lacks .1 on one part: no more than the error
    poor = trial("poor", 1, [0.5, 0.6, 0.5, 0.6, 0.5, 0.6])  # lacks much on every part
    assert take_smallest([best, near, poor]) is near
    assert take_smallest([best, poor]) is best
    # It is the difference that counts: parts that are hard for both do not excuse a loss on all of them.
    hard = trial("hard", 9, [0.1, 1.0, 0.4, 0.9, 0.1, 1.0])
    same = trial("same", 1, [0.05, 0.95, 0.35, 0.85, 0.05, 0.95])
    assert hard.scores.standard_error > hard.scores.minus(same.scores).mean
    assert take_smallest([hard, same]) is hard


def test_the_front_holds_what_is_worth_its_cost():
    rows = [trial("a", 1, [0.5, 0.5]), trial("b", 2, [0.4, 0.4]), trial("c", 3, [0.9, 0.9])]
    assert [one.options["cut"] for one in on_front(rows)] == ["a", "c"]
    table = rows_of(rows, rows[0])
    assert [(row["chosen"], row["front"]) for row in table] == [(True, True), (False, False), (False, True)]
    assert table[2]["auc"]["value"] == 0.9


# ---- from photos


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "some.pth")


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("castings") / "photos"
    write_castings(folder, parts=24, views=2, difficulty=0.0, size=120, seed=1)
    return folder


def request(data: Path, out: Path, weights: Path, arch_options: dict, **changes: object) -> TrainRequest:
    return TrainRequest(data, out, "stump", arch_options, weights=weights, **changes)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_cut_is_chosen_reported_and_trained(synthetic: Path, weights: Path, tmp_path: Path):
    run = train(request(synthetic, tmp_path / "run", weights, {"cut": "auto"}))
    rows = run.metrics["tried"]
    # Six cuts, three sets of statistics, and the sizes that these photos have pixels for.
    assert {tuple(row["size"]) for row in rows} == {(64, 64), (112, 112), (120, 120)}
    assert len(rows) == 6 * 3 * 3
    (taken,) = [row for row in rows if row["chosen"]]
    best = max(row["auc"]["value"] for row in rows)
    assert taken["auc"]["value"] <= best <= 1
    assert all(row["macs"] >= taken["macs"] for row in rows if row["auc"]["value"] == best)
    options = run.config.model.options
    assert (options["cut"], list(options["statistics"])) == (taken["cut"], list(taken["statistics"]))
    assert run.config.geometry.input_size == tuple(taken["size"])
    assert run.metrics["macs"] == taken["macs"]
    assert run.metrics["params_trainable"] + run.metrics["params_frozen"] == taken["params"]
    assert export_gauge(run, tmp_path / "gauge").parities[0].max_abs_diff <= 1e-4


@pytest.mark.slow
def test_the_test_s_photos_play_no_part_in_the_choice(synthetic: Path, weights: Path, tmp_path: Path):
    options, small = {"cut": "auto", "statistics": "avg"}, DataOptions(size=(64,))
    before = plan(request(synthetic, tmp_path / "run", weights, options, options=small))
    pixels = np.array(before.prepared.pixels)
    pixels[before.prepared.rows("test")] = 0
    black = replace(before.prepared, pixels=pixels)
    state = read_weights(weights)
    again = choose_cut(black, state, {"statistics": "avg"}, splits=("train", "val"), keep_size=True, seed=0)
    assert rows_of(again.trials, again.chosen) == before.tried


def test_of_many_photos_every_part_and_class_gives_as_many(synthetic: Path, weights: Path, tmp_path: Path, monkeypatch):
    prepared = plan(request(synthetic, tmp_path / "run", weights, {"cut": 3}, options=DataOptions(size=(64,)))).prepared
    monkeypatch.setattr(cut, "MOST_PHOTOS", 12)
    few = cut._looked_at(prepared, ("train", "val"), 0).manifest
    assert np.bincount(few.labels).tolist() == [6, 6]
    assert len(set(few.groups)) == 12
    assert {sample.split for sample in few.samples} <= {"train", "val"}
    monkeypatch.setattr(cut, "PHOTOS_A_PART", 1)
    monkeypatch.setattr(cut, "MOST_PHOTOS", 1000)
    one_each = cut._looked_at(prepared, ("train",), 0).manifest
    assert len(one_each) == len(set(one_each.groups)) == len(set(prepared.manifest.select("train").groups))


@pytest.mark.slow
def test_a_promise_leaves_the_validation_parts_out_of_the_choice(synthetic: Path, weights: Path, tmp_path: Path):
    options, small = {"cut": "auto", "statistics": "avg"}, DataOptions(size=(64,))
    free, bound = (
        plan(request(synthetic, tmp_path / "run", weights, options, options=small, decision=decision))
        for decision in ({}, {"max_escape": 0.2})
    )
    parts = [planned.tried[0]["auc"]["n"] for planned in (free, bound)]
    manifest = free.prepared.manifest
    assert parts[1] == len(set(manifest.select("train").groups))
    assert parts[0] == parts[1] + len(set(manifest.select("val").groups))


@pytest.mark.slow
def test_kinds_are_chosen_by_accuracy_at_a_given_size(weights: Path, tmp_path: Path):
    data = write_kinds(tmp_path / "photos", 12)
    planned = plan(request(data, tmp_path / "run", weights, {"cut": "auto"}, options=DataOptions(size=(32,))))
    assert {tuple(row["size"]) for row in planned.tried} == {(32, 32)}
    assert all(0 <= row["accuracy"]["value"] <= 1 for row in planned.tried)


def test_stages_are_unfrozen_as_long_as_the_parts_support_it(synthetic: Path, weights: Path, tmp_path: Path):
    small = DataOptions(size=(64,))
    quick = {"epochs": 1}
    options = {"cut": 3, "unfrozen": "auto"}
    run = train(request(synthetic, tmp_path / "run", weights, options, options=small, recipe=quick))
    rows = run.metrics["tried"]
    assert [row["unfrozen"] for row in rows] == list(range(len(rows)))
    (taken,) = [row["unfrozen"] for row in rows if row["chosen"]]
    assert taken in (len(rows) - 2, 4)  # the one before the first that was no better, or all four blocks
    assert run.config.model.options["unfrozen"] == taken


@pytest.mark.slow
def test_unfrozen_stages_learn_and_the_others_do_not(synthetic: Path, weights: Path, tmp_path: Path):
    small = DataOptions(size=(64,))
    options = {"cut": 3, "unfrozen": 1}
    run = train(request(synthetic, tmp_path / "run", weights, options, options=small, recipe={"epochs": 2}))
    assert (run.metrics["epochs"], run.metrics["best_epoch"]) == (2, 2)
    came, state = read_weights(weights), run.load_network().state_dict()
    changed = {
        name.split(".")[1]
        for name, tensor in state.items()
        if name.startswith("body.")
        and "0.0.weight" not in name
        and "tracked" not in name
        and not np.array_equal(tensor, came[name.replace("body.", "features.")])
    }
    assert changed == {"3"}
    assert export_gauge(run, tmp_path / "gauge").parities[0].max_abs_diff <= 1e-4


# ---- what is refused


def test_auto_is_refused_where_nothing_can_choose(synthetic: Path, weights: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="width"):
        plan(TrainRequest(synthetic, tmp_path / "run", "taper", {"widths": "auto"}))
    with pytest.raises(ConfigError, match="cut"):
        plan(TrainRequest(synthetic, tmp_path / "run", "taper", {"cut": "auto"}))
    with pytest.raises(ConfigError, match="statistics"):
        plan(request(synthetic, tmp_path / "run", weights, {"statistics": "auto"}))


@pytest.mark.parametrize("option", ["--cut", "--unfreeze"])
def test_a_class_of_one_part_cannot_be_held_out(option: str, weights: Path, tmp_path: Path):
    data = write_photos(tmp_path / "photos", {"ok": 3, "bad": 20}, size=(64, 64))
    words = ("--arch", "stump", "--weights", weights, "--size", 64, "--no-find-copies", "--max-escape", "50%")
    done = in_process("train", data, *words, option, "auto", "-o", tmp_path / "run")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("note: ")]
    assert line.startswith(f"error: {option} auto holds parts out, and a class has one part alone; give ")
    assert not (tmp_path / "run").exists()


def test_a_cut_that_is_no_number_is_one_line(synthetic: Path, weights: Path, tmp_path: Path):
    done = in_process(
        "train", synthetic, "--arch", "stump", "--weights", weights, "--cut", "deep", "-o", tmp_path / "run"
    )
    assert "cut" in one_error_line(done)
