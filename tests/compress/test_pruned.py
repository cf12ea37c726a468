"""Histories of prunings: written, read again, replayed, and refused where somebody changed them."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch

from gonogo.compress.prune.graph import find_groups, removal
from gonogo.errors import RunError
from gonogo.models.architecture import make_spec
from gonogo.models.pruned import Pruning, apply, replay, seal, unseal


@pytest.fixture(scope="module")
def pruned():
    """A network, its history, and what became of it."""
    torch.manual_seed(0)
    network = make_spec("resnet20", 10, 3, {}).build().eval()
    smaller, history = copy.deepcopy(network), []
    for _ in range(2):
        groups = find_groups(smaller, 3, (32, 32), "resnet20")
        lost = {group: np.array([0, 3]) for group in groups}
        history.append(removal(lost, criterion="l2"))
        apply(smaller, history[-1])
    history.append(Pruning(("body.2",)))
    apply(smaller, history[-1])
    return network, history, smaller


def test_a_history_that_is_replayed_gives_the_same_bits(pruned):
    network, history, smaller = pruned
    again = copy.deepcopy(network)
    replay(again, unseal(json.loads(json.dumps(seal(history))), "model.json"), "model.json")
    assert {name: value.shape for name, value in again.state_dict().items()} == {
        name: value.shape for name, value in smaller.state_dict().items()
    }
    photos = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(again(photos), smaller(photos))
        assert not torch.allclose(again(photos), network(photos), atol=1e-3)


def changed(history, step: int, change) -> list:
    steps = json.loads(json.dumps(seal(history)))
    change(steps[step])
    return steps


@pytest.mark.parametrize(
    ("step", "change"),
    [
        (0, lambda step: step["channels"]["body.1.computed.0"]["out"].__setitem__(0, 5)),
        (1, lambda step: step["channels"].pop("body.1.computed.0")),
        (2, lambda step: step["blocks"].__setitem__(0, "body.3")),
        (1, lambda step: step["about"].__setitem__("criterion", "taylor")),
        (2, lambda step: step.__setitem__("digest", "0" * 64)),
    ],
)
def test_a_history_that_was_changed_is_refused_and_the_step_named(pruned, step: int, change):
    with pytest.raises(RunError, match=f"model.json: step {step + 1} of the history was changed"):
        unseal(changed(pruned[1], step, change), "model.json")


def test_a_step_that_was_dropped_is_noticed(pruned):
    with pytest.raises(RunError, match="step 1 of the history was changed"):
        unseal(seal(pruned[1])[1:], "model.json")


@pytest.mark.parametrize("broken", [{"blocks": []}, "text", {"blocks": [], "channels": [], "about": {}}])
def test_what_is_no_step_is_refused(broken):
    with pytest.raises(RunError, match="step 1 of the history cannot be read"):
        unseal([broken], "model.json")


@pytest.mark.parametrize(
    ("pruning", "says"),
    [
        (Pruning(channels={"body.99": {"out": (0,)}}), "layer 'body.99' is none of this network's"),
        (Pruning(channels={"body.1.computed.0": {"out": (16,)}}), "has 16 channels on side 'out', and cannot lose"),
        (Pruning(channels={"body.1.computed.0": {"out": (0, 0)}}), "cannot lose"),
        (Pruning(channels={"body.1.computed.0": {"out": tuple(range(16))}}), "cannot lose"),
        (Pruning(channels={"body.1.computed.0": {"up": (0,)}}), "no channels on side 'up'"),
        (Pruning(channels={"body.1": {"out": (0,)}}), "no channels on side 'out'"),
        (Pruning(("body.4",)), "block 'body.4' is none that this network can do without"),
    ],
)
def test_a_step_that_does_not_fit_names_the_place(pruned, pruning: Pruning, says: str):
    with pytest.raises(RunError, match=f"step 1 of the history does not fit: .*{says}"):
        replay(copy.deepcopy(pruned[0]), [pruning], "model.json")


def test_what_was_frozen_stays_frozen():
    network = make_spec("stump", 2, 1, {"cut": 4}).build()
    groups = find_groups(network, 1, (64, 64), "stump")
    apply(network, removal({groups[0]: np.array([0])}))
    assert not any(parameter.requires_grad for parameter in network.body.parameters())
    assert all(parameter.requires_grad for parameter in network.head.parameters())
