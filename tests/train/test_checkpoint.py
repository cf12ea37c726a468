"""A checkpoint gives everything back bit for bit, and a damaged one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gonogo.errors import RunError
from gonogo.models.architecture import make_spec
from gonogo.train.checkpoint import Progress, copy_weights, load_checkpoint, load_tensors, save_checkpoint, save_tensors
from gonogo.train.loop import make_optimizer, make_scheduler
from gonogo.train.recipe import Recipe


def trained(steps: int, recipe: Recipe):
    torch.manual_seed(0)
    network = make_spec("taper", 2, 1, {}).build()
    optimizer = make_optimizer(network, recipe)
    scheduler = make_scheduler(optimizer, recipe, 4)
    for _ in range(steps):
        network(torch.randn(4, 1, 32, 32)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        if scheduler is not None and recipe.schedule == "one-cycle":
            scheduler.step()
    return network, optimizer, scheduler


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
@pytest.mark.parametrize("schedule", ["one-cycle", "plateau", "constant"])
def test_going_on_is_the_same_as_never_having_stopped(optimizer: str, schedule: str, tmp_path: Path):
    recipe = Recipe(optimizer=optimizer, schedule=schedule)  # type: ignore[arg-type]
    network, first, scheduler = trained(3, recipe)
    state = {} if scheduler is None else scheduler.state_dict()
    progress = Progress(3, 0.125, 2, [{"epoch": 1, "val_loss": 0.5}], state)
    save_checkpoint(tmp_path / "c.safetensors", network, copy_weights(network), first, progress)
    other, second, _ = trained(0, recipe)
    best, found = load_checkpoint(tmp_path / "c.safetensors", other, second)
    assert found == progress
    assert all(torch.equal(best[name], value) for name, value in network.state_dict().items())
    for net, opt in ((network, first), (other, second)):
        torch.manual_seed(7)
        net(torch.randn(4, 1, 32, 32)).square().sum().backward()
        opt.step()
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), other.parameters(), strict=True))


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path):
    network, optimizer, _ = trained(1, Recipe())
    save_checkpoint(tmp_path / "c", network, copy_weights(network), optimizer, Progress())
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
