"""Published values and values worked out by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

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


def test_the_fine_network_s_counts_by_hand():
    # 150 -> stride 2 -> 75 -> 38 -> 19 -> 19; convolutions without bias, BatchNorms of two numbers a channel
    weights = 25 * 12 + 9 * 12 * 16 + 9 * 16 * 16 + 9 * 16 * 8
    assert count_parameters(build("taper-fine", 1))[0] == weights + 2 * (12 + 16 + 16 + 8) + 16 * 2 + 2
    assert count_macs(build("taper-fine", 1), 1, (150, 150)) == (
        75 * 75 * 12 * 25 + 38 * 38 * 16 * 108 + 19 * 19 * (16 * 144 + 8 * 144) + 16 * 2
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


# ---- the other studies' networks, ten classes and three input channels

SHEETS = {"140k": (0.14e6, 143_218, 142_974), "340k": (0.34e6, 340_010, 343_546), "590k": (0.59e6, 590_378, 598_451)}


def counted(name: str, classes: int = 10, **options: object) -> tuple[int, int]:
    with torch.device("meta"):
        return count_parameters(make_spec(name, classes, 3, options).build())


@pytest.mark.parametrize("name", SHEETS)
def test_the_sheet_networks_are_within_3_percent_of_the_published_counts(name: str):
    published, dense, depthwise = SHEETS[name]
    assert counted(f"sheet-{name}")[0] == dense == pytest.approx(published, rel=0.03)
    assert counted(f"sheet-{name}-dw")[0] == depthwise == pytest.approx(published, rel=0.03)


def test_a_sheet_network_s_parameters_by_hand():
    widths = (3, 16, 16, 32, 32, 64, 64, 120)
    layers = sum(convolution(3, a, b, True) + 2 * b for a, b in pairwise(widths))
    assert counted("sheet-140k") == (layers + 120 * 10 + 10, 2 * sum(widths[1:]))


def test_a_sheet_network_s_multiply_adds_at_224_are_those_that_were_measured():
    # 4,481 M is what the network that was timed on other runtimes had.
    assert round(count_macs(build("sheet-590k-dw", 3), 3, (224, 224)) / 1e6) in (4480, 4481)


def test_nasnet_mobile_has_keras_count():
    # Keras' NASNetMobile without top: 4,269,716, of which 36,738 are statistics.
    with torch.device("meta"):
        network = make_spec("nasnet-mobile", 10, 3, {}).build()
    assert count_parameters(network.body) == (4_232_978, 36_738)
    # Table 2 of arXiv 1707.07012: 564 M multiply-adds and 5.3 M parameters with a classifier of a thousand.
    assert round((count_macs(network, 3, (224, 224)) + 990 * 1056) / 1e6) == pytest.approx(564, abs=1)
    assert round((4_232_978 + 1056 * 1000 + 1000) / 1e6, 1) == 5.3


def test_mobilenet_v2_features_have_keras_count():
    network = backbone("mobilenetv2_100")
    assert count_frozen(network) == 2_223_872
    assert count_parameters(network)[1] == 34_112


def test_residual_networks_of_the_first_form_have_the_published_counts():
    # Table 6 of arXiv 1512.03385: .27 and .85 M; the shortcut of option A has none that learn.
    assert counted("resnet20") == (269_722, 1_376)
    assert counted("resnet56") == (853_018, 4_064)
    with torch.device("meta"):
        assert count_frozen(make_spec("resnet56", 10, 3, {}).build()) == 16 * 32 + 32 * 64


def test_residual_networks_of_the_second_form_have_keras_counts():
    # Keras' example counts 574,090 and 849,002 for depths of 20 and 29, statistics included. The .85 M of the sheet
    # study's "ResNet-20" are those of depth 29; its 1.3 and 1.9 M are depths 47 and 65, cut after the first decimal.
    assert sum(counted("resnet20-v2")) == 574_090
    assert sum(counted("resnet20-v2", blocks=3)) == 849_002
    assert math.floor(sum(counted("resnet47-v2")) / 1e5) == 13
    assert math.floor(sum(counted("resnet65-v2")) / 1e5) == 19


def test_the_transformer_of_the_study_by_hand():
    width, heads, places = 64, 4, 64
    layer = 3 * (width * heads * width + heads * width) + heads * width * width + width
    layer += 2 * (2 * width * width) + 2 * width + width + 2 * 2 * width
    head = places * width * 2048 + 2048 + 2048 * 1024 + 1024 + 1024 * 10 + 10
    by_hand = 4 * 4 * 3 * width + width + places * width + 8 * layer + 2 * width + head
    assert counted("vit-study") == (by_hand, 0)
    assert round(by_hand / 1e6) == 11


def test_vgg_16_and_densenet_40_have_the_published_counts():
    # arXiv 1608.08710, table 1: 1.5e7 parameters and 3.13e8 multiply-adds.
    trained, statistics = counted("vgg16-bn")
    assert (trained, statistics) == (14_986_698, 2 * 4_224)
    assert float(f"{trained:.1e}") == 1.5e7
    assert float(f"{count_macs(build('vgg16-bn', 3), 3, (32, 32)):.2e}") == 3.13e8
    # arXiv 1608.06993, table 2: 1.0 M for depth 40 and growth 12.
    widths = [16 + 12 * layer for layer in range(36)]
    dense = sum(convolution(3, width, 12, False) + 2 * width for width in widths)
    between = sum(width * width + 2 * width for width in (16 + 144, 16 + 288))
    by_hand = convolution(3, 3, 16, False) + dense + between + 2 * 448 + 448 * 10 + 10
    assert counted("densenet40")[0] == by_hand == 1_019_722


# ---- intervals


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
    assert {"taper", "taper-wide", "taper-fine", "taper-study"} <= set(ARCHITECTURES)
    study = ARCHITECTURES.get("taper-study")
    assert "2205.07118" in study.source
    assert study.recipe["epochs"] == 20
    assert math.isclose(study.recipe["lr"], 1e-3)
