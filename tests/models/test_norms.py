"""Statistics of BatchNorm brought up to date: they are those of what comes in, and the answers stay."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from gonogo.models.architecture import make_spec
from gonogo.models.norms import settle_norms


def test_one_layer_by_hand():
    norm = nn.BatchNorm2d(1, eps=0.0)
    with torch.no_grad():
        norm.running_mean.fill_(1.0)
        norm.running_var.fill_(4.0)
        norm.weight.fill_(6.0)
        norm.bias.fill_(2.0)
    network = nn.Sequential(norm).eval()
    # 3, 5, 5, 7: mean 5, variance 2.
    settle_norms(network, [torch.tensor([[[[3.0, 5.0]]]]), torch.tensor([[[[5.0, 7.0]]]])])
    assert norm.running_mean.item() == pytest.approx(5)
    assert norm.running_var.item() == pytest.approx(2)
    assert norm.weight.item() == pytest.approx(3 * 2**0.5)
    assert norm.bias.item() == pytest.approx(2 + 3 * 4)


def test_a_network_answers_as_before_and_in_training_as_in_evaluation():
    torch.manual_seed(0)
    network, photos = make_spec("resnet20", 2, 3, {}).build(), torch.randn(16, 3, 32, 32)
    with torch.no_grad():
        network.train()(2 * torch.randn(16, 3, 32, 32))
        before = network.eval()(photos)
        assert not torch.allclose(copy.deepcopy(network).train()(photos), before, atol=1e-4)
        settle_norms(network, photos.split(8))
        assert torch.allclose(network(photos), before, atol=1e-5)
        assert torch.allclose(network.train()(photos), before, atol=1e-5)


def test_a_layer_that_nothing_comes_into_stays():
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(2)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return inputs

    network = Idle().eval()
    settle_norms(network, [torch.ones(2, 2, 1, 1)])
    assert torch.equal(network.norm.running_var, torch.ones(2))
