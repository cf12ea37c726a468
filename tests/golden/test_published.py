"""Published values and values worked out by hand."""

from __future__ import annotations

import math

import pytest

from gonogo.evaluate.intervals import clopper_pearson
from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import count_frozen, count_parameters, make_spec
from gonogo.models.cost import count_macs


def build(name: str, channels: int, **options: object):
    return make_spec(name, 2, channels, options).build()


def convolution(kernel: int, inputs: int, outputs: int, bias: bool) -> int:
    return kernel * kernel * inputs * outputs + bias * outputs


def test_the_study_s_network_has_the_published_number_of_parameters():
    # ICCR 2021: 5,865 in all, of which 64 are BatchNorm's running statistics
    assert count_parameters(build("taper-study", 3)) == (5801, 64)
    by_hand = (
        convolution(3, 3, 16, True)
        + 2 * 16
        + convolution(3, 16, 16, True)
        + convolution(3, 16, 8, True)
        + convolution(3, 8, 8, True)
        + 2 * 8
        + convolution(3, 8, 8, True)
        + 2 * 8
        + (8 * 64 + 64)
        + (64 + 1)
    )
    assert by_hand == 5801
    assert 2 * (16 + 8 + 8) == 64


def test_the_default_network_s_parameters_by_hand():
    by_hand = (
        convolution(7, 1, 12, False)
        + convolution(3, 12, 16, False)
        + convolution(3, 16, 16, False)
        + convolution(3, 16, 8, False)
        + 2 * (12 + 16 + 16 + 8)
    )
    statistics = 2 * (12 + 16 + 16 + 8)
    # The classifier reads mean and maximum of 8 channels; with the mean alone half as many.
    assert by_hand + (2 * 8 * 2 + 2) == 5910
    assert count_parameters(build("taper", 1)) == (5910, statistics)
    assert by_hand + (8 * 2 + 2) == 5894
    assert count_parameters(build("taper", 1, pool="avg")) == (5894, statistics)


def test_the_default_network_s_multiply_adds_by_hand():
    # 300 -> stride 4 -> 75 -> stride 2 -> 38 -> 38 -> 38, then 2 * 8 pooled values to 2 logits
    by_hand = (
        75 * 75 * 12 * 7 * 7 * 1
        + 38 * 38 * 16 * 3 * 3 * 12
        + 38 * 38 * 16 * 3 * 3 * 16
        + 38 * 38 * 8 * 3 * 3 * 16
        + 16 * 2
    )
    assert count_macs(build("taper", 1), 1, (300, 300)) == by_hand
    assert count_macs(build("taper", 1), 1, (100, 100)) == (
        25 * 25 * 12 * 49 + 13 * 13 * (16 * 108 + 16 * 144 + 8 * 144) + 16 * 2
    )


def test_the_study_s_multiply_adds_by_hand():
    # 300 - 2 = 298, /2 = 149, -2 = 147, /2 = 73, -2 = 71, /2 = 35, -2 = 33, -2 = 31
    by_hand = 298**2 * 16 * 27 + 147**2 * 16 * 144 + 71**2 * 8 * 144 + 33**2 * 8 * 72 + 31**2 * 8 * 72 + 8 * 64 + 64
    assert count_macs(build("taper-study", 3), 3, (300, 300)) == by_hand


def backbone(name: str):
    return make_spec("timm", 2, 3, {"backbone": name}).build()


def test_efficientnet_b0_has_the_sealant_study_s_counts():
    # 4,010,110 parameters, of which the two-way head's 2,562 learn; 16.16 G multiply-adds at 2532x824.
    network = backbone("efficientnet_b0")
    trained, statistics = count_parameters(network)
    assert (trained, count_frozen(network)) == (2_562, 4_007_548)
    assert trained + count_frozen(network) == 4_010_110
    assert statistics == 2 * 21_008
    assert round(count_macs(network, 3, (2532, 824)) / 1e9, 2) == 16.16
    # Table 2 of arXiv 1905.11946 has .39 G at 224x224, with a head of a thousand classes.
    assert round((count_macs(network, 3, (224, 224)) + 1280 * 998) / 1e9, 2) == 0.39


def test_a_vision_transformer_s_counts_by_hand():
    # arXiv 2010.11929, ViT-B/16: width 768, 12 layers of 12 heads, MLP of 3072, 14 x 14 patches and a class token.
    width, hidden, layers, tokens = 768, 3072, 12, 14 * 14 + 1
    layer = 4 * width * width + 4 * width + 2 * width * hidden + width + hidden + 2 * 2 * width
    network = backbone("vit_base_patch16_224")
    embedding = 16 * 16 * 3 * width + width + width + tokens * width
    assert count_frozen(network) == embedding + layers * layer + 2 * width == 85_798_656
    assert count_parameters(network) == (2 * width + 2, 0)
    products = tokens * (4 * width * width + 2 * width * hidden) + 2 * tokens * tokens * width
    patches = 14 * 14 * 16 * 16 * 3 * width
    assert count_macs(network, 3, (224, 224)) == patches + layers * products + 2 * width


@pytest.mark.parametrize(("n", "rate"), [(59, 0.05), (299, 0.01)])
def test_the_rule_of_three(n: int, rate: float):
    # no miss in 59 proves 5 %, in 299 proves 1 %, at 95 % one-sided; one photo fewer does not
    assert clopper_pearson(0, n, 0.90)[1] == pytest.approx(1 - 0.05 ** (1 / n), abs=1e-12)
    assert clopper_pearson(0, n, 0.90)[1] <= rate < clopper_pearson(0, n - 1, 0.90)[1]
    assert clopper_pearson(0, n, 0.90)[1] == pytest.approx(3 / n, rel=0.03)


def test_an_interval_from_the_tables():
    # Clopper and Pearson 1934, 95 %, 3 of 10: 0.067 to 0.652
    low, high = clopper_pearson(3, 10)
    assert (round(low, 3), round(high, 3)) == (0.067, 0.652)


def test_the_registry_names_its_networks():
    assert {"taper", "taper-wide", "taper-study"} <= set(ARCHITECTURES)
    study = ARCHITECTURES.get("taper-study")
    assert "2205.07118" in study.source
    assert study.recipe["epochs"] == 20
    assert math.isclose(study.recipe["lr"], 1e-3)
