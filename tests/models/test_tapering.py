"""Tapering networks: shapes, options and what they refuse."""

from __future__ import annotations

import pytest
import torch

from gonogo.errors import ConfigError, UsageError
from gonogo.models.architecture import PoolingHead, make_spec
from gonogo.models.tapering import TaperOptions


def build(arch: str = "taper", num_classes: int = 2, channels: int = 1, **options: object):
    return make_spec(arch, num_classes, channels, options).build().eval()


def test_the_text_of_a_command_line_changes_the_options():
    spec = make_spec(
        "taper", 2, 1, {"widths": "8,8", "kernels": "3,3", "strides": "2,2", "pools": "1,1", "norms": "true,false"}
    )
    assert spec.options["widths"] == [8, 8]
    assert spec.options["norms"] == [True, False]
    names = [type(module).__name__ for module in spec.build().modules()]
    assert names.count("Conv2d") == 2
    assert names.count("BatchNorm2d") == 1


def test_a_spec_survives_plain_values():
    spec = make_spec("taper-study", 2, 3, {"hidden": "32"})
    again = make_spec(spec.arch, spec.num_classes, spec.in_channels, spec.options)
    assert again == spec
    assert {k: v.shape for k, v in again.build().state_dict().items()} == {
        k: v.shape for k, v in spec.build().state_dict().items()
    }


def test_average_pooling_without_a_hidden_layer_makes_the_map_s_mean_the_answer():
    network = build(num_classes=3, pool="avg")
    features = network.body(torch.randn(2, 1, 64, 48))
    logits, maps = network.head(features), network.head.maps(features)
    assert torch.allclose(maps.mean((2, 3)), logits, atol=1e-5)


def test_maximum_pooling_s_answer_is_within_the_map():
    network = build(pool="max", one_logit=True)
    features = network.body(torch.randn(2, 1, 64, 48))
    logits, maps = network.head(features), network.head.maps(features)
    assert maps.shape[:2] == logits.shape == (2, 2)
    assert (logits[:, 0] == 0).all()


def test_one_logit_is_a_sigmoid():
    logits = build(one_logit=True)(torch.randn(3, 1, 40, 40))
    assert torch.allclose(torch.softmax(logits, 1)[:, 1], torch.sigmoid(logits[:, 1]))


def test_one_logit_serves_two_classes_only():
    with pytest.raises(UsageError, match="one logit serves two classes, found 3"):
        build(num_classes=3, one_logit=True)


def test_the_order_of_the_norm_decides_the_bias():
    first = build(order="conv-bn-relu")
    second = build(order="conv-relu-bn")
    assert first.body[0][0].bias is None
    assert second.body[0][0].bias is not None
    assert [type(layer).__name__ for layer in second.body[0]] == ["Conv2d", "ReLU", "BatchNorm2d"]


def test_a_stem_reduces_before_the_first_stage():
    inputs = torch.randn(1, 1, 64, 64)
    plain, stemmed = build(), build(stem_reduce=2)
    stemmed.load_state_dict({name.replace("body.", "body."): v for name, v in stemmed.state_dict().items()})
    assert stemmed.body(inputs).shape[2:] == plain.body(torch.randn(1, 1, 32, 32)).shape[2:]


@pytest.mark.parametrize(
    "options",
    [
        {"widths": (8,)},
        {"widths": (8, 8, 8, 0)},
        {"kernels": (0, 3, 3, 3)},
        {"hidden": -1},
        {"dropout": 1.0},
        {"stem_reduce": 0},
        {"widths": (), "kernels": (), "strides": (), "pools": (), "norms": ()},
    ],
)
def test_impossible_shapes_are_refused(options: dict[str, object]):
    with pytest.raises(UsageError, match=r"expected \d, one for each width|start at 1"):
        TaperOptions(**options)  # type: ignore[arg-type]


def test_unknown_options_are_refused_by_name():
    with pytest.raises(ConfigError, match="did you mean 'widths'"):
        build(width=3)
    with pytest.raises(ConfigError, match="did you mean 'avgmax'"):
        build(pool="avgmx")


def test_a_head_that_learns_answers_as_one_that_does_not_and_its_highest_places_learn():
    torch.manual_seed(0)
    head = PoolingHead(4, 3, pool="avgmax", hidden=0, dropout=0.0, one_logit=False)
    features = torch.randn(5, 4, 6, 7)
    slopes, answers = [], []
    for is_learning in (True, False):
        own = features.clone().requires_grad_()
        answers.append(head.train(is_learning)(own))
        slopes += torch.autograd.grad(answers[-1].square().sum(), own)
    assert torch.equal(*answers)
    assert torch.allclose(*slopes, atol=1e-6)
