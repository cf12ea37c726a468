"""BatchNorm folded into convolutions: the same answers, and the network itself stays as it is."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gonogo.models.architecture import make_spec
from gonogo.models.folding import fold_norms


def _settle(network: nn.Module) -> None:
    """Give every BatchNorm statistics and factors of its own."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.running_mean, layer.weight, layer.bias):
                nn.init.normal_(values, 1.0, 0.2)
            nn.init.uniform_(layer.running_var, 0.5, 2.0)


def test_a_convolution_and_its_norm_by_hand():
    conv, norm = nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1, eps=0.0)
    with torch.no_grad():
        conv.weight.fill_(3.0)
        norm.running_mean.fill_(1.0)
        norm.running_var.fill_(4.0)
        norm.weight.fill_(5.0)
        norm.bias.fill_(7.0)
    folded = fold_norms(nn.Sequential(conv, norm))
    assert isinstance(folded[1], nn.Identity)
    # 5 (3 x - 1) / 2 + 7
    assert folded[0].weight.item() == pytest.approx(7.5)
    assert folded[0].bias.item() == pytest.approx(4.5)


@pytest.mark.parametrize(("arch", "left"), [("resnet20", 0), ("resnet20-v2", 6), ("taper", 0)])
def test_a_network_answers_as_before(arch: str, left: int):
    torch.manual_seed(0)
    network = make_spec(arch, 2, 3, {}).build()
    _settle(network)
    before = {name: values.clone() for name, values in network.state_dict().items()}
    folded, photos = fold_norms(network), torch.randn(2, 3, 32, 32)
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in folded.modules()) == left
    with torch.no_grad():
        assert torch.allclose(folded(photos), network.eval()(photos), atol=1e-3, rtol=1e-4)
    assert all(torch.equal(before[name], values) for name, values in network.state_dict().items())
    assert not folded.training
