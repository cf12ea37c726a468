"""A checkpoint gives everything back bit for bit, and a damaged one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gonogo.errors import RunError
from gonogo.models.architecture import make_spec
from gonogo.train.averaging import Averaging
from gonogo.train.checkpoint import (
    Kept,
    Progress,
    copy_weights,
    load_checkpoint,
    load_tensors,
    save_checkpoint,
    save_tensors,
)
from gonogo.train.recipe import Recipe
from gonogo.train.schedule import Schedule, make_optimizer


def build(recipe: Recipe):
    torch.manual_seed(0)
    network = make_spec("taper", 2, 1, {}).build()
    optimizer = make_optimizer(network, recipe)
    return network, optimizer, Schedule(optimizer, recipe, 4), Averaging(network, recipe)


def go_on(steps: int, seed: int, network, optimizer, schedule: Schedule, averaging: Averaging) -> None:
    torch.manual_seed(seed)
    for _ in range(steps):
        network(torch.randn(4, 1, 32, 32)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        schedule.end_step()
        averaging.end_step(network)
    schedule.end_epoch(0.5)
    averaging.end_epoch(network, 99)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "muon"])
@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "step", "plateau", "constant"])
@pytest.mark.parametrize("averaging", ["none", "swa", "ema"])
def test_going_on_is_the_same_as_never_having_stopped(optimizer: str, schedule: str, averaging: str, tmp_path: Path):
    warmup = 0 if schedule == "one-cycle" else 1
    recipe = Recipe(optimizer=optimizer, schedule=schedule, averaging=averaging, warmup_epochs=warmup)  # type: ignore[arg-type]
    first, second = build(recipe), build(recipe)
    go_on(3, 1, *first)
    network, state, path = first[0], first[2].state_dict(), tmp_path / "c.safetensors"
    progress = Progress(3, 0.125, 2, [{"epoch": 1, "val_loss": 0.5}], state)
    save_checkpoint(path, network, Kept(copy_weights(network), first[3].state()), first[1], progress)
    kept, found = load_checkpoint(path, second[0], second[1])
    second[2].load_state_dict(found.scheduler)
    second[3].load(dict(kept.average))
    assert found == progress
    assert all(torch.equal(kept.best[name], value) for name, value in network.state_dict().items())
    for one in (first, second):
        go_on(2, 7, *one)
    assert all(torch.equal(a, b) for a, b in zip(first[0].parameters(), second[0].parameters(), strict=True))
    assert [g["lr"] for g in first[1].param_groups] == [g["lr"] for g in second[1].param_groups]
    averages = [one[3].state() for one in (first, second)]
    assert (averaging == "none") == (not averages[0])
    assert all(torch.equal(averages[0][name], averages[1][name]) for name in averages[0])


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path):
    network, optimizer, *rest = build(Recipe())
    go_on(1, 0, network, optimizer, *rest)
    save_checkpoint(tmp_path / "c", network, Kept(copy_weights(network)), optimizer, Progress())
    other = make_spec("taper-wide", 2, 1, {}).build()
    with pytest.raises(RunError, match="does not fit this run"):
        load_checkpoint(tmp_path / "c", other, make_optimizer(other, Recipe()))


def test_a_cut_file_is_refused_by_name(tmp_path: Path):
    path = tmp_path / "w.safetensors"
    save_tensors(path, {"a": torch.arange(10.0)}, {"k": "v"})
    tensors, facts = load_tensors(path)
    assert torch.equal(tensors["a"], torch.arange(10.0))
    assert facts == {"k": "v"}
    whole = path.read_bytes()
    for data in (whole[:-8], whole[:20], b"", b"text"):
        path.write_bytes(data)
        with pytest.raises(RunError, match=r"w\.safetensors cannot be read"):
            load_tensors(path)
    with pytest.raises(RunError, match="cannot be read"):
        load_tensors(tmp_path / "gone")
