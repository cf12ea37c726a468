"""Whatever a recipe offers works with every architecture."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from gonogo.models import ARCHITECTURES
from gonogo.train.averaging import Averaging, estimate_norms
from gonogo.train.mixing import mix
from gonogo.train.recipe import Recipe
from gonogo.train.schedule import make_optimizer
from tests.contracts.test_contracts import COLOURS, colour_of, network_of


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_muon_averages_and_mixed_photos_work_with_every_architecture(arch: str):
    network = network_of(arch).to(memory_format=torch.channels_last).train()
    channels = COLOURS[colour_of(arch)]
    photos, labels = torch.randn(4, channels, *(network.fixed_size or (64, 64))), torch.tensor([0, 1, 1, 0])
    recipe = Recipe(optimizer="muon", averaging="ema", mixup_alpha=0.4, cutmix_alpha=0.4, lr=1e-3)
    optimizer, averaging = make_optimizer(network, recipe), Averaging(network, recipe)
    learning = {name: value.detach().clone() for name, value in network.named_parameters() if value.requires_grad}
    generator = torch.Generator().manual_seed(0)
    for _ in range(2):
        mixed = mix(photos, recipe, generator)
        F.cross_entropy(network(mixed.inputs), mixed.targets(labels, 2)).backward()
        optimizer.step()
        optimizer.zero_grad()
        averaging.end_step(network)
    own = {name: value.clone() for name, value in network.state_dict().items()}
    assert all(torch.isfinite(value).all() for value in own.values())
    assert any(not torch.equal(own[name], value) for name, value in learning.items())
    with averaging.applied(network, network, list):
        average = network.state_dict()
        assert any(not torch.equal(own[name], average[name]) for name in learning)
        estimate_norms(network, network, lambda: [(photos, labels)])
        assert all(torch.isfinite(value).all() for value in average.values())
    assert all(torch.equal(own[name], value) for name, value in network.state_dict().items())
