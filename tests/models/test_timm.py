"""Backbones of timm: their grid of features, weights under timm's and torchvision's names, what is refused."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from gonogo.errors import DataError, MissingExtraError, UsageError
from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import count_frozen, count_parameters, make_spec
from gonogo.models.timm import Timm, create, fetch_weights, import_timm, levels, load_backbone
from tests.helpers import python


def build(backbone: str, weights: dict | None = None, **options: object) -> Timm:
    torch.manual_seed(0)
    options = {"backbone": backbone, **options}
    network = make_spec("timm", 2, 3, options).build()
    assert isinstance(network, Timm)
    if weights is not None:
        load_backbone(network, ARCHITECTURES.get("timm").options(options), weights)
    return network.eval()


def randomise(model: nn.Module) -> nn.Module:
    """Give a network weights and statistics of which none is 0 or 1."""
    torch.manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, 0.02, 0.1)
    for name, buffer in model.named_buffers():
        if name.endswith("running_var"):
            nn.init.uniform_(buffer, 0.5, 1.5)
    return model.eval()


# ---- features


@pytest.mark.parametrize(
    ("backbone", "size", "grid"),
    [
        ("test_efficientnet", (100, 75), (4, 3)),
        ("test_resnet", (64, 96), (2, 3)),
        ("test_vit", (160, 160), (10, 10)),
        ("swin_tiny_patch4_window7_224", (224, 224), (7, 7)),
    ],
)
def test_features_stand_on_a_grid_whatever_the_backbone_is_made_of(backbone: str, size: tuple, grid: tuple):
    network = build(backbone)
    with torch.no_grad():
        features = network.body(torch.randn(2, 3, *size))
        logits, maps = network.head(features), network.head.maps(features)
    assert features.shape[2:] == maps.shape[2:] == grid
    assert network.head.classifier.in_features == features.shape[1]
    # What is averaged over the grid averages to the answer.
    assert torch.allclose(maps.mean((2, 3)), logits, atol=1e-5)


def test_the_grid_of_a_transformer_is_its_patches_row_by_row():
    network = build("test_vit")
    inputs = torch.randn(1, 3, 160, 160)
    with torch.no_grad():
        tokens = network.body.model.forward_features(inputs)
        features = network.body(inputs)
    assert torch.equal(features[0, :, 2, 7], tokens[0, 1 + 2 * 10 + 7])
    assert network.map_grid() == (16.0, 7.5)
    assert network.fixed_size == (160, 160)


def test_the_cells_of_a_residual_network_are_not_counted_along_its_shortcuts():
    network = build("resnet18")
    assert network.map_grid() == (32.0, 0.0)
    assert network.fixed_size is None


def test_only_the_last_stages_learn_and_the_others_keep_their_statistics():
    network = build("test_efficientnet", unfrozen=2)
    assert len(network.stages()) == 6
    assert sum(len(stage) for stage in network.stages()) == len(list(network.body.parameters()))
    network.train()
    learning = {name for name, p in network.body.model.named_parameters() if p.requires_grad}
    assert {name.split(".")[1] for name in learning if name.startswith("blocks")} == {"3", "4"}
    before = {name: buffer.clone() for name, buffer in network.body.model.named_buffers()}
    network(torch.randn(4, 3, 64, 64)).sum().backward()
    after = dict(network.body.model.named_buffers())
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name.rpartition(".")[0] + ".weight" for name in moved} <= learning
    assert moved
    frozen = build("test_efficientnet")
    assert count_parameters(network)[0] + count_frozen(network) == count_parameters(frozen)[0] + count_frozen(frozen)


# ---- weights


TORCHVISION = {"efficientnet_b0": {}, "resnet18": {}, "mobilenet_v2": {"backbone": "mobilenetv2_100"}}


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_s_weights_fit_and_answer_alike(name: str):
    import_timm()
    from torchvision import models

    theirs = randomise(getattr(models, name)(num_classes=2))
    ours = build(TORCHVISION[name].get("backbone", name), theirs.state_dict(), levels="imagenet")
    with torch.no_grad():
        ours.head.classifier.weight.copy_(list(theirs.parameters())[-2])
        ours.head.classifier.bias.copy_(list(theirs.parameters())[-1])
        inputs = torch.randn(2, 3, 96, 64)
        expected = theirs(inputs)
        assert torch.allclose(ours(inputs), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_torchvision_s_transformer_fits_and_sees_alike():
    import_timm()
    from torchvision.models import VisionTransformer

    theirs = randomise(VisionTransformer(224, 16, 12, 3, 192, 768, num_classes=2))
    ours = build("vit_tiny_patch16_224", theirs.state_dict(), levels="imagenet")
    inputs = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        patches = theirs._process_input(inputs)
        tokens = theirs.encoder(torch.cat([theirs.class_token, patches], 1))[:, 1:]
        features = ours.body(inputs).flatten(2).transpose(1, 2)
    assert torch.allclose(features, tokens, atol=1e-4 * float(tokens.abs().max()))


def test_timm_s_own_names_fit_with_a_classifier_or_without():
    timm = import_timm()
    for classes in (0, 10):
        theirs = randomise(timm.create_model("test_resnet", num_classes=classes))
        ours = build("test_resnet", theirs.state_dict())
        inputs = torch.randn(1, 3, 64, 64)
        with torch.no_grad():
            assert torch.equal(ours.body(inputs), theirs.forward_features(inputs))


def test_weights_of_another_network_are_refused_by_the_first_key_that_does_not_fit():
    other = create("test_resnet").state_dict()
    with pytest.raises(UsageError, match=r"not of test_efficientnet: 'conv_stem\.weight' is missing; they begin with"):
        build("test_efficientnet", other)
    wider = create("test_efficientnet").state_dict() | {"bn1.bias": torch.zeros(5)}
    with pytest.raises(UsageError, match=r"'bn1\.bias' has shape \(5,\), expected"):
        build("test_efficientnet", wider)


def test_levels_are_those_of_the_weights():
    options = ARCHITECTURES.get("timm").options
    assert levels(options({})).mean == pytest.approx((123.675, 116.28, 103.53))
    assert levels(options({"backbone": "vit_base_patch16_224"})).std == (127.5, 127.5, 127.5)
    assert levels(options({"backbone": "vit_base_patch16_224.dino"})).std == pytest.approx((58.395, 57.12, 57.375))
    assert levels(options({"levels": "half"})).mean == (127.5, 127.5, 127.5)


def test_the_hub_s_failure_is_one_line(monkeypatch):
    def unreachable(*arguments: object, **options: object) -> object:
        raise OSError("no route\nto host")

    monkeypatch.setattr(import_timm(), "create_model", unreachable)
    options = ARCHITECTURES.get("timm").options
    with pytest.raises(
        DataError, match=r"cannot fetch the weights of efficientnet_b0 \(no route\); fetch them"
    ) as told:
        fetch_weights(options({}))
    assert "\n" not in str(told.value)
    with pytest.raises(UsageError, match="leave --with levels out"):
        fetch_weights(options({"levels": "half"}))


# ---- what is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": "efficientnet_b00"}, "no backbone 'efficientnet_b00'; did you mean efficientnet_b0"),
        ({"backbone": "qqqq"}, "no backbone 'qqqq'; timm.list_models"),
        ({"backbone": "vit_base_patch16_224.x"}, "no weights 'x' of vit_base_patch16_224; there are: augreg2_in21k"),
        ({"backbone": "levit_128s"}, "has no grid of features"),
        ({"backbone": "coat_lite_tiny"}, "cannot do without its own pooling"),
        ({"backbone": "test_resnet", "unfrozen": 99}, "unfrozen=99, expected 0 to 5"),
        ({"backbone": "poolformer_s12", "unfrozen": 1}, "unfrozen=1, expected 0 to 0"),
    ],
)
def test_what_is_no_backbone_is_one_line(options: dict, message: str):
    with torch.device("meta"), pytest.raises(UsageError, match=message):
        make_spec("timm", 2, 3, options).build()


def test_one_channel_is_refused():
    with pytest.raises(UsageError, match="leave --colour out"):
        make_spec("timm", 2, 1, {}).build()


def test_a_missing_timm_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtraError, match=r"'timm'.*pip install 'gonogo\[timm\]'"):
        create("test_resnet")


@pytest.mark.slow
def test_torchvision_comes_in_only_with_a_backbone_of_timm():
    done = python("""
import sys
import gonogo.models, gonogo.train.train
from gonogo.models import ARCHITECTURES
ARCHITECTURES.get("stump"), ARCHITECTURES.get("timm")
before = [name for name in ("timm", "torchvision") if name in sys.modules]
from gonogo.models.timm import import_timm
import_timm(), import_timm()
print(before, [name for name in ("timm", "torchvision") if name in sys.modules])
""")
    assert done.stdout.strip() == "[] ['timm', 'torchvision']", done.stderr
