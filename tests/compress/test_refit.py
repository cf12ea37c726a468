"""Layers fitted again after channels went: against solutions worked by hand, and where nothing is lost."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from gonogo.compress.prune.evidence import Evidence
from gonogo.compress.prune.graph import find_groups, removal
from gonogo.compress.prune.importance import CRITERIA
from gonogo.compress.prune.importance.reconstruction import Reader
from gonogo.compress.prune.moments import Moments, blank, can_be_solved, outputs, readings
from gonogo.compress.prune.refit import find_fittable, refit
from gonogo.compress.prune.worth import by_worth, share_lost
from gonogo.models.architecture import Network, PoolingHead, make_spec
from gonogo.models.pruned import Pruning, apply


def test_a_solution_is_that_of_least_squares():
    # y = 3 x + 1 through (0, 1), (1, 4), (2, 7), and one output that is always 5.
    moments = Moments(1, 2)
    moments.add(torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0, 5.0], [4.0, 5.0]]))
    moments.add(torch.tensor([[2.0]]), torch.tensor([[7.0, 5.0]]))
    weight, offset = moments.solve(free=True)
    assert weight.tolist()[0] == pytest.approx([3, 0], abs=1e-3)
    assert offset.tolist() == pytest.approx([1, 5], abs=1e-3)
    assert float(moments.covariance) == pytest.approx(2 / 3, rel=1e-3)
    # Without an offset: sum of x y over sum of x x, (4 + 14) / 5.
    weight, offset = moments.solve(free=False)
    assert weight[0, 0] == pytest.approx(18 / 5, rel=1e-3)
    assert offset.tolist() == [0, 0]


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 5, 3, padding=1),
        nn.Conv2d(3, 5, 3, stride=2, bias=False),
        nn.Conv2d(3, 5, 1, stride=2),
        nn.Linear(3, 5),
    ],
)
def test_readings_times_weights_are_what_the_layer_says(layer: nn.Module):
    inputs = torch.randn(2, 3) if isinstance(layer, nn.Linear) else torch.randn(2, 3, 7, 6)
    with torch.no_grad():
        expected = outputs(layer(inputs))
        found = readings(layer, inputs) @ layer.weight.flatten(1).T + (0 if layer.bias is None else layer.bias)
    torch.testing.assert_close(found, expected)
    assert blank(layer).covariance.shape == (readings(layer, inputs).shape[1],) * 2


def test_a_grouped_convolution_cannot_be_solved():
    assert not can_be_solved(nn.Conv2d(4, 4, 3, groups=4))
    assert not can_be_solved(nn.BatchNorm2d(4))


def test_the_saliency_is_that_of_the_optimal_brain_surgeon():
    # C = [[2, 1], [1, 2]], its inverse [[2, -1], [-1, 2]] / 3; weights 3 and 1 make a variance of 18 + 6 + 2 = 26.
    inverse = torch.tensor([[2.0, -1.0], [-1.0, 2.0]], dtype=torch.float64) / 3
    weight = torch.tensor([[3.0], [1.0]], dtype=torch.float64)
    reader = Reader(inverse, weight, torch.arange(2)[:, None], 26.0)
    assert (26 * reader.costs()).tolist() == pytest.approx([9 / (2 / 3), 1 / (2 / 3)])
    reader.lose(1)
    # The first takes over what the second said of it: 3 + 1 * 1 / 2; alone it makes 3.5 ** 2 * 2 of the variance.
    assert reader.weight.flatten().tolist() == pytest.approx([3.5, 0])
    assert (26 * reader.costs()).tolist() == pytest.approx([24.5, 0])
    assert reader.inverse[0, 0] == pytest.approx(1 / 2)


class Repeating(Network):
    """Three filters, the last one twice the first; a BatchNorm and a ReLU; read by a 3x3 convolution, a classifier."""

    def __init__(self, *, bias: bool) -> None:
        super().__init__()
        first, second = nn.Conv2d(1, 3, 3, padding=1, bias=False), nn.Conv2d(3, 4, 3, padding=1, bias=bias)
        self.body = nn.Sequential(
            nn.Sequential(first, nn.ReLU(inplace=True)), nn.Sequential(second, nn.BatchNorm2d(4), nn.ReLU())
        )
        self.head = PoolingHead(4, 2, pool="avg", hidden=0, dropout=0.0, one_logit=False)
        with torch.no_grad():
            first.weight[2] = 2 * first.weight[0]
        nn.init.uniform_(self.body[1][1].running_var, 0.5, 2)
        self.eval()


@pytest.mark.parametrize("bias", [False, True])
def test_nothing_is_lost_with_a_channel_that_others_say_too(bias: bool):
    torch.manual_seed(0)
    network, photos = Repeating(bias=bias), torch.randn(8, 1, 9, 9)
    group = next(group for group in find_groups(network, 1, (9, 9), "repeating") if group.width == 3)
    scores = CRITERIA.get("reconstruction").score(group, Evidence(network, photos, torch.zeros(8).long()))
    assert scores is not None
    first = int(np.argmin(scores))
    assert first in (0, 2)
    assert scores[first] < 1e-3
    assert sorted(scores)[1] > 10 * scores[first]
    pruning = removal({group: np.array([first])})
    smaller, silent = copy.deepcopy(network), photos.clone()
    apply(smaller, pruning)
    with torch.no_grad():
        expected = network(photos)
        assert not torch.allclose(smaller(photos), expected, atol=1e-2)
        assert refit(smaller, network, pruning, photos)[0] == "body.1.0"
        torch.testing.assert_close(smaller(photos), expected, atol=1e-3, rtol=1e-3)
    assert torch.equal(photos, silent)


def test_what_goes_on_reading_the_same_keeps_its_weights():
    torch.manual_seed(0)
    network, photos = Repeating(bias=True), torch.randn(4, 1, 9, 9)
    same = copy.deepcopy(network)
    assert refit(same, network, Pruning(), photos) == ()
    assert all(
        torch.equal(a, b) for a, b in zip(same.state_dict().values(), network.state_dict().values(), strict=True)
    )


def lively(arch: str, channels: int) -> Network:
    torch.manual_seed(0)
    network = make_spec(arch, 2, channels, {}).build().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return network


@pytest.mark.parametrize(("arch", "channels"), [("resnet20", 3), ("stump", 1), ("taper", 1)])
def test_a_fitted_network_is_nearer_to_the_original(arch: str, channels: int):
    network, photos = lively(arch, channels), torch.randn(24, channels, 32, 32)
    groups = [
        group
        for group in find_groups(network, channels, (32, 32), arch)
        if len(group.made_by) == 1 and not any(member.layer.startswith("head.") for member in group.members)
    ]
    pruning = removal({group: np.arange(group.width // 4) for group in groups})
    pruned, again = copy.deepcopy(network), copy.deepcopy(network)
    apply(pruned, pruning)
    apply(again, pruning)
    with torch.no_grad():
        expected = network.body(photos)
        before = float((pruned.body(photos) - expected).square().mean())
        fitted = refit(pruned, network, pruning, photos)
        assert float((pruned.body(photos) - expected).square().mean()) < 0.5 * before
    assert len(fitted) == len(set(fitted))
    # It depends on nothing but what it is given.
    assert refit(again, network, pruning, photos) == fitted
    assert all(
        torch.equal(a, b) for a, b in zip(pruned.state_dict().values(), again.state_dict().values(), strict=True)
    )


def test_a_block_that_went_is_made_up_for_by_those_behind_it():
    network, photos = lively("resnet20", 3), torch.randn(16, 3, 32, 32)
    pruning, pruned = Pruning(("body.2",)), copy.deepcopy(network)
    apply(pruned, pruning)
    with torch.no_grad():
        expected = network(photos)
        before = float((pruned(photos) - expected).square().mean())
        assert refit(pruned, network, pruning, photos)[0].startswith("body.3.")
        assert float((pruned(photos) - expected).square().mean()) < 0.5 * before


def test_a_loss_is_a_share_of_how_features_vary():
    # Around their mean of 1, features of 0 and 2 vary by 1 + 1; one of them is missed by 1.
    assert share_lost(torch.tensor([[[[0.0]]], [[[2.0]]]]), torch.tensor([[[[0.0]]], [[[1.0]]]])) == pytest.approx(0.5)


def test_a_channel_that_others_say_too_is_worth_less_and_one_that_costs_more_as_well():
    torch.manual_seed(0)
    network, photos = Repeating(bias=True), torch.randn(8, 1, 9, 9)
    evidence = Evidence(network, photos, torch.zeros(8).long())
    (group,) = (group for group in find_groups(network, 1, (9, 9), "repeating") if group.width == 3)
    scores = {group: CRITERIA.get("reconstruction").score(group, evidence)}

    def worth(each: float) -> np.ndarray:
        return by_worth(scores, evidence, lambda lost: 1 - each * sum(map(len, lost.values())))[group]

    cheap, dear = worth(0.1), worth(0.2)
    assert cheap == pytest.approx(2 * dear)
    assert int(np.argmin(cheap)) in (0, 2)


def test_the_sum_with_the_shortcut_is_fitted():
    layers = {layer.name: layer for layer in find_fittable(lively("resnet20", 3), torch.zeros(1, 3, 32, 32))}
    assert layers["body.1.computed.3"].block == "body.1"
    assert layers["body.1.computed.3"].norm == "body.1.computed.4"
    assert layers["body.1.computed.0"].block is None
    assert "body.4.shortcut" not in layers
    stump = {layer.name: layer for layer in find_fittable(lively("stump", 1), torch.zeros(1, 1, 32, 32))}
    assert stump["body.3.conv.2"].block == "body.3"
    assert stump["body.2.conv.2"].block is None
