"""Every criterion on every network of the registry, and every network that can be pruned against itself in silence."""

from __future__ import annotations

import copy
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from gonogo.compress.prune.cost import CostModel
from gonogo.compress.prune.evidence import Evidence
from gonogo.compress.prune.graph import Group, find_groups, mask, removal
from gonogo.compress.prune.importance import CRITERIA
from gonogo.compress.prune.surgeon import check_same
from gonogo.data.images import decode_photo
from gonogo.errors import UsageError
from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import Network, make_spec
from gonogo.models.cost import count_macs
from gonogo.models.pruned import Pruning, apply, removable_blocks

# What makes these networks small, or what they cannot do without.
CHANGES = {"timm": {"backbone": "mobilenetv2_035"}, "nasnet-mobile": {"filters": 8}}
UNPRUNABLE = {"vit-study": "is a parameter outside of any layer"}
PRUNABLE = [name for name in ARCHITECTURES if name not in UNPRUNABLE]
LARGE = {"nasnet-mobile", "vgg16-bn", "densenet40", "resnet56", "resnet47-v2", "resnet65-v2"}
LARGE |= {"sheet-140k-dw", "resnet20-v2", "sheet-340k", "sheet-340k-dw", "sheet-590k", "sheet-590k-dw"}
QUICK_OR_SLOW = [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in PRUNABLE]
SIDE = 64


def size_of(name: str) -> tuple[int, int]:
    size = ARCHITECTURES.get(name).size
    return size if max(size) < 100 else (SIDE, SIDE)


def channels_of(name: str) -> int:
    return 3 if ARCHITECTURES.get(name).colour == "rgb" else 1


@cache
def built(name: str) -> Network:
    """Return the network with statistics of BatchNorm as a training might leave them."""
    torch.manual_seed(0)
    network = make_spec(name, 2, channels_of(name), CHANGES.get(name, {})).build().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
    return network


@cache
def groups_of(name: str) -> tuple[Group, ...]:
    return find_groups(built(name), channels_of(name), size_of(name), name)


@cache
def evidence_of(name: str) -> Evidence:
    generator = torch.Generator().manual_seed(1)
    photos = torch.randn(4, channels_of(name), *size_of(name), generator=generator)
    return Evidence(built(name), photos, torch.tensor([0, 1, 0, 1]))


@pytest.mark.parametrize("name", QUICK_OR_SLOW)
@pytest.mark.parametrize("criterion", list(CRITERIA))
def test_every_criterion_scores_every_prunable_network(criterion: str, name: str):
    normed = [group for group in groups_of(name) if evidence_of(name).scales(group)]
    group = min((group for group in normed if group.width > 2), key=lambda group: group.width)
    score = CRITERIA.get(criterion).score(group, evidence_of(name))
    assert score is not None
    assert score.shape == (group.width,)
    assert np.isfinite(score).all()
    # DenseNet's layers all begin with the same statistics; elsewhere channels must be told from one another.
    assert len(np.unique(score)) > 1 or criterion in ("rank", "entropy", "zeros")


@pytest.mark.parametrize("name", UNPRUNABLE)
def test_what_cannot_be_pruned_is_refused_and_the_layer_named(name: str):
    with pytest.raises(UsageError, match=UNPRUNABLE[name]):
        find_groups(built(name), channels_of(name), built(name).fixed_size or (SIDE, SIDE), name)


def real_photos(real_data, name: str) -> torch.Tensor:
    files = sorted((real_data / "casting" / "train").rglob("*.jpeg"))[::400][:4]
    side = size_of(name)[0]
    pixels = np.stack([decode_photo(file, channels=1)[100 : 100 + side, 100 : 100 + side] for file in files])
    levels = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    return ((levels - 128) / 64).expand(-1, channels_of(name), -1, -1).contiguous()


@pytest.mark.parametrize("name", QUICK_OR_SLOW)
def test_a_pruned_network_answers_as_with_its_channels_silent(real_data, name: str):
    random = np.random.default_rng(0)
    lost = {
        group: np.sort(random.choice(group.width, max(1, group.width // 2), replace=False)) for group in groups_of(name)
    }
    photos, network, pruning = real_photos(real_data, name), built(name), removal(lost)
    assert check_same(network, lost, pruning, photos, name) < 1e-5
    smaller = copy.deepcopy(network)
    apply(smaller, pruning)
    cost = CostModel(network, channels_of(name), size_of(name))(pruning)
    assert (
        cost.macs
        == count_macs(smaller, channels_of(name), size_of(name))
        < 0.6 * count_macs(network, channels_of(name), size_of(name))
    )
    everything = [*smaller.parameters(), *(b for b in smaller.buffers() if b.is_floating_point())]
    assert cost.params == sum(tensor.numel() for tensor in everything)
    silent = copy.deepcopy(network)
    mask(silent, lost)
    with torch.no_grad():
        assert not torch.allclose(silent(photos), network(photos), atol=1e-3)


def test_a_network_that_answers_otherwise_is_caught():
    network, groups = built("taper"), groups_of("taper")
    right, wrong = {groups[0]: np.array([0])}, {groups[0]: np.array([1])}
    with pytest.raises(UsageError, match="answers otherwise"):
        check_same(network, right, removal(wrong), evidence_of("taper").photos, "taper")


@pytest.mark.parametrize("name", ["resnet20", "resnet20-v2", "stump"])
def test_a_network_without_a_block_answers_as_with_the_block_silent(name: str):
    network = copy.deepcopy(built(name))
    block = removable_blocks(network)[-1]
    silent = copy.deepcopy(network)
    layers = [m for m in silent.get_submodule(block).modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    with torch.no_grad():
        for layer in layers[-2:]:  # its last convolution and BatchNorm, or its last convolution alone
            layer.weight.zero_()
            if layer.bias is not None:
                layer.bias.zero_()
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.zero_()
    apply(network, Pruning((block,)))
    photos = evidence_of(name).photos
    with torch.no_grad():
        assert float((network(photos) - silent(photos)).abs().max()) < 1e-6
    assert block not in removable_blocks(network)
