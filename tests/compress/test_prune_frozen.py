"""Pruning a stump, which learns nothing: its layers are fitted again, its head as ever, and a run comes of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from gonogo.compress import gate
from gonogo.compress.prune.prune import PruneRequest, prune
from gonogo.compress.prune.target import Target
from gonogo.compress.prune.worth import share_lost
from gonogo.errors import UsageError
from gonogo.export.gauge import export_gauge
from gonogo.train.run import Run
from gonogo.train.train import TrainRequest, train
from gonogo.train.transfer import is_frozen
from tests.helpers import in_process
from tests.helpers_weights import write_weights


@pytest.fixture(autouse=True)
def _any_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a small network is faster is measured, and of no matter to most tests here."""
    monkeypatch.setattr(gate, "LEAST_SPEEDUP", 0.01)


@pytest.fixture(scope="module")
def stump_run(plates: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("stump")
    weights = write_weights(folder / "some.pth")
    return train(TrainRequest(plates, folder / "run", "stump", {"cut": 3}, weights=weights))


@pytest.fixture(scope="module")
def pruned(stump_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two thirds of the stump, in two steps. Read it, never write to it."""
    out = tmp_path_factory.mktemp("pruned") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "LEAST_SPEEDUP", 0.01)
        return prune(PruneRequest(stump_run.path, out, Target("macs", 0.66), multiple=2, max_drop=100, steps=2)).run


def test_a_pruned_stump_is_frozen_and_its_head_reads_all_it_read(stump_run: Run, pruned: Run):
    whole, smaller = stump_run.load_network(), pruned.load_network()
    assert is_frozen(smaller)
    assert smaller.head.classifier.in_features == whole.head.classifier.in_features
    assert pruned.metrics["pruning"]["macs_after"] <= 0.66 * pruned.metrics["pruning"]["macs_before"]
    made_from = pruned.config.made_from
    assert (made_from["criterion"], made_from["scope"], made_from["refit"]) == ("reconstruction", "worth", True)
    assert [step.about["criterion"] for step in pruned.history] == ["reconstruction"] * 2
    assert "log_loss" in (pruned.path / "history.csv").read_text().splitlines()[0]  # strengths of the head, no epochs


def test_its_features_are_nearer_than_with_the_backbone_s_weights(stump_run: Run, pruned: Run):
    whole, smaller = stump_run.load_network(), pruned.load_network()
    given = pruned.load_network()
    state, widened = given.state_dict(), stump_run.load_network()
    from gonogo.models.pruned import replay

    replay(widened, pruned.history, "a test")
    given.load_state_dict({**state, **{k: v for k, v in widened.state_dict().items() if k.startswith("body.")}})
    photos = torch.rand(8, 1, *pruned.config.geometry.input_size) * 2 - 1
    with torch.no_grad():
        expected = whole.body(photos)
        assert share_lost(expected, smaller.body(photos)) < share_lost(expected, given.body(photos))


def test_it_is_loaded_bit_by_bit_and_exported(pruned: Run, tmp_path: Path):
    photos = torch.rand(2, 1, *pruned.config.geometry.input_size)
    first, again = (Run.open(pruned.path).load_network() for _ in range(2))
    with torch.no_grad():
        assert torch.equal(first(photos), again(photos))
    exported = export_gauge(pruned, tmp_path / "gauge")
    assert exported.parities[0].holds


def test_the_same_comes_of_it_again_and_after_an_interruption(stump_run: Run, pruned: Run, tmp_path: Path):
    out = tmp_path / "run"
    shutil.copytree(pruned.path, out)
    (out / "metrics.json").unlink()
    (out / "model.safetensors").unlink()
    request = PruneRequest(stump_run.path, out, Target("macs", 0.66), multiple=2, max_drop=100, steps=2, resume=True)
    again = prune(request).run
    name = "model.safetensors"
    assert (again.path / name).read_bytes() == (pruned.path / name).read_bytes()


def test_nothing_learns_so_a_recipe_is_refused(stump_run: Run, tmp_path: Path):
    with pytest.raises(UsageError, match="found epochs, and nothing of a frozen network learns again"):
        prune(PruneRequest(stump_run.path, tmp_path / "run", Target("macs", 0.7), recipe={"epochs": 3}))


@pytest.mark.slow
def test_all_of_it_learns_where_that_is_asked_for(stump_run: Run, tmp_path: Path):
    arguments = ("prune", stump_run.path, "-o", tmp_path / "run", "--no-refit", "--epochs", "1", "--round", "2")
    done = in_process(*arguments, "--max-drop", "100", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["criterion"] == "l2"
    layers = Run.open(tmp_path / "run").load_network().modules()
    assert all(layer.weight.shape[0] % 2 == 0 for layer in layers if isinstance(layer, nn.Conv2d))
