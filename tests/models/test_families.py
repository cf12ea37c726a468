"""The studies' and the benchmarks' networks: how each is put together, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gonogo.errors import ConfigError, UsageError
from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import make_spec
from gonogo.models.layers.flatten_head import FlattenHead
from gonogo.models.nasnet import Halve
from gonogo.models.pattern import Step, read_pattern


def build(arch: str, classes: int = 2, channels: int = 3, **options: object):
    torch.manual_seed(0)
    return make_spec(arch, classes, channels, options).build().eval()


def test_a_pattern_is_read_word_by_word():
    assert read_pattern("c16 P d32/2 c64@2") == [
        Step(False, 16),
        None,
        Step(True, 32, 2),
        Step(False, 64, dilation=2),
    ]


@pytest.mark.parametrize("pattern", ["c16 p", "x16", "c0", "c16/", "P", ""])
def test_a_pattern_that_cannot_be_read_is_one_line(pattern: str):
    with pytest.raises(UsageError, match="expected words such as c16"):
        build("sheet-140k", pattern=pattern)


def test_the_sheet_networks_have_the_study_s_order_and_its_dilation():
    network = build("sheet-340k-dw", 10, 1)
    kinds = [type(layer).__name__ for layer in network.body[0]]
    assert kinds == ["Conv2d", "ReLU", "BatchNorm2d"]
    dilated = [m for m in network.body.modules() if isinstance(m, nn.Conv2d) and m.dilation == (2, 2)]
    assert [(m.in_channels, m.out_channels) for m in dilated] == [(96, 96)]
    # Three poolings: 32 pixels become 4, the dilated convolution keeps the size.
    assert network.body(torch.zeros(1, 1, 32, 32)).shape == (1, 280, 4, 4)


@pytest.mark.parametrize(
    ("arch", "options", "message"),
    [
        ("sheet-140k", {"dropout": 1}, "dropout=1"),
        ("densenet40", {"depth": 41}, "depth of 7, 10, 13"),
        ("resnet20", {"blocks": 0}, "blocks=0"),
        ("nasnet-mobile", {"filters": 6}, "filters=6"),
        ("nasnet-mobile", {"filters": 4}, "expected filters 8"),
        ("vit-study", {"size": 30}, "size=30, expected a multiple of patch=4"),
        ("vgg16-bn", {"hidden": -1}, "hidden starts at 0"),
    ],
)
def test_options_that_cannot_be_are_one_line(arch: str, options: dict, message: str):
    with pytest.raises(UsageError, match=message):
        build(arch, **options)
    with pytest.raises(ConfigError, match="unknown key"):
        build(arch, colour="red")


def test_nasnet_halves_a_map_of_any_size_from_its_first_pixel():
    halve = Halve(6, 8).eval()
    for height, width in ((7, 8), (1, 5)):
        inputs = torch.rand(1, 6, height, width)
        assert halve(inputs).shape == (1, 8, -(-height // 2), -(-width // 2))
    with torch.no_grad():
        inputs = torch.rand(1, 6, 6, 6)
        shifted = nn.functional.conv2d(inputs[:, :, 1::2, 1::2], halve.odd.weight)
        odd = halve(inputs)[:, 4:] * (1 + halve.norm.eps) ** 0.5
    assert torch.allclose(odd, shifted, atol=1e-6)


@pytest.mark.parametrize(("size", "grid"), [((224, 224), (7, 7)), ((331, 97), (11, 3)), ((64, 65), (2, 2))])
def test_nasnet_takes_any_size(size: tuple[int, int], grid: tuple[int, int]):
    network = build("nasnet-mobile", filters=8, cells=1, stem=4)
    with torch.no_grad():
        assert network.body(torch.zeros(1, 3, *size)).shape == (1, 6 * 32, *grid)


def test_a_place_of_the_flattened_head_is_worth_what_the_logits_lose_without_it():
    torch.manual_seed(0)
    head = FlattenHead(5, 6, 3, (16, 8), 0.0).eval()
    features = torch.randn(2, 5, 2, 3)
    maps = head.maps(features)
    for row in range(2):
        for column in range(3):
            without = features.clone()
            without[:, :, row, column] = features.mean((2, 3))
            assert torch.allclose(maps[:, :, row, column], head(features) - head(without), atol=1e-5)


def test_the_transformer_takes_the_photos_it_was_built_for():
    network = build("vit-study", layers=1, hidden=(16,), size=48)
    assert network.fixed_size == (48, 48)
    with torch.no_grad():
        assert network.body(torch.zeros(2, 3, 48, 48)).shape == (2, 64, 12, 12)
        # Another place of the same patch gives another token: each place is told from the others.
        tokens = network.body[0](torch.ones(1, 3, 48, 48))
    assert not torch.allclose(tokens[..., 0, 0], tokens[..., 5, 5])


def test_a_dense_layer_puts_its_output_beside_its_input():
    network = build("densenet40", depth=7, growth=5)
    inputs = torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        stem = network.body[0](inputs)
        first = network.body[1](stem)
    assert first.shape[1] == 16 + 5
    assert torch.equal(first[:, :16], stem)


def test_every_large_family_says_at_what_size_it_was_made():
    sizes = {arch: ARCHITECTURES.get(arch).size for arch in ARCHITECTURES}
    assert {size for arch, size in sizes.items() if arch.startswith(("sheet", "resnet", "vgg", "dense"))} == {(32, 32)}
    assert sizes["nasnet-mobile"] == (224, 224)
