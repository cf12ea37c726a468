"""Surgery: what is put in the place of what, against values worked by hand, and that it survives saving."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from gonogo.errors import UsageError
from gonogo.models.architecture import ModelSpec, count_frozen, count_parameters, make_spec
from gonogo.models.cost import count_macs
from gonogo.models.layers.blurpool import BlurPool
from gonogo.models.layers.separable import SeparableConv2d
from gonogo.models.layers.squeeze_excite import SqueezeExcite
from gonogo.models.pretrained import PretrainedNetwork
from gonogo.models.surgery import costs_of, read_surgeries
from gonogo.train.run import Run
from gonogo.train.train import TrainRequest, plan, train
from gonogo.train.transfer import put_weights
from tests.helpers_weights import random_state


def operated(arch: str, *surgery: str, channels: int = 1, **options: object):
    torch.manual_seed(0)
    return make_spec(arch, 2, channels, options, surgery).build().eval()


# ---- the mathematics, by hand


def test_blurpool_by_hand():
    # arXiv 1904.11486, section 3.2: Triangle-3 is 1 2 1 in both directions, over 16; the border is mirrored, so that
    # the row before the first one is the second one.
    photo = np.arange(20, dtype=np.float64).reshape(4, 5) ** 1.5
    mirrored = np.pad(photo, 1, mode="reflect")
    line = np.array([1.0, 2.0, 1.0]) / 4
    blurred = np.array(
        [[(np.outer(line, line) * mirrored[r : r + 3, c : c + 3]).sum() for c in range(5)] for r in range(4)]
    )
    inputs = torch.from_numpy(photo).float()[None, None].repeat(2, 3, 1, 1)
    found = BlurPool(2, 2)(inputs)
    assert found.shape == (2, 3, 2, 3)
    assert np.allclose(found[1, 2].numpy(), blurred[::2, ::2], rtol=1e-6, atol=1e-6)
    assert np.allclose(BlurPool(2, 1)(inputs)[0, 1].numpy(), blurred, rtol=1e-6, atol=1e-6)
    corner = (4 * photo[0, 0] + 4 * photo[0, 1] + 4 * photo[1, 0] + 4 * photo[1, 1]) / 16
    assert found[0, 0, 0, 0].item() == pytest.approx(corner, rel=1e-6)


def test_the_filter_is_as_wide_as_the_step():
    assert torch.equal(BlurPool(2, 2).kernel[0, 0] * 16, torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]))
    assert torch.allclose(BlurPool(4, 1).kernel[0, 0, 3] * 64, torch.tensor([1.0, 2, 3, 4, 3, 2, 1]))
    for step in (2, 3, 4):
        assert BlurPool(step, 1).kernel.sum().item() == pytest.approx(1, abs=1e-6)


def test_blurring_before_a_strided_convolution_is_the_paper_s_blurring_after_it():
    # Both are linear, and the blur is the same for each channel, so they may change places away from the border; before
    # the stride it costs a blur of the input, after it the convolution of every pixel.
    network = nn.Sequential(nn.Conv2d(3, 5, 3, 2, 1, bias=False))
    inputs = torch.randn(1, 3, 16, 16)
    after = BlurPool(2, 2)(nn.functional.conv2d(inputs, network[0].weight, padding=1))
    before = nn.Sequential(BlurPool(2, 1), network[0])(inputs)
    assert torch.allclose(before[:, :, 1:-1, 1:-1], after[:, :, 1:-1, 1:-1], atol=1e-6)


def test_a_shifted_edge_changes_a_blurred_pooling_less():
    edge = torch.zeros(1, 1, 16, 16)
    edge[..., 7:] = 1
    pooling = nn.MaxPool2d(2)
    blurred = nn.Sequential(nn.MaxPool2d(2, 1), BlurPool(2, 2))

    def moved(layer: nn.Module) -> float:
        return float((layer(edge) - layer(edge.roll(1, 3)))[..., 2:6].abs().max())

    assert moved(pooling) == 1
    assert moved(blurred) == pytest.approx(0.5)


def test_squeeze_and_excitation_by_hand():
    # arXiv 1709.01507, equations 2 to 4: average, dense, ReLU, dense, sigmoid, times the features.
    torch.manual_seed(0)
    layer, features = SqueezeExcite(96), torch.randn(2, 96, 5, 7)
    squeeze, excite = (w.detach().double().numpy() for w in (layer.squeeze.weight, layer.excite.weight))
    assert squeeze.shape == (96 // 16, 96)
    values = features.double().numpy()
    hidden = np.maximum(values.mean((2, 3)) @ squeeze.T, 0)
    weights = 1 / (1 + np.exp(-hidden @ excite.T))
    assert np.allclose(layer(features).detach().numpy(), values * weights[:, :, None, None], rtol=1e-6, atol=1e-6)
    # Section 3.1 of its last version: 2 C^2 / r parameters for C channels.
    assert sum(p.numel() for p in layer.parameters()) == 2 * 96 * 96 // 16


def test_a_separable_convolution_is_a_dense_one_of_rank_one():
    torch.manual_seed(0)
    layer = SeparableConv2d(4, 6, 3, 2, 1)
    depthwise, pointwise = layer[0].weight, layer[1].weight
    dense = pointwise[:, :, 0, 0, None, None] * depthwise[:, 0][None]
    inputs = torch.randn(2, 4, 9, 8)
    expected = nn.functional.conv2d(inputs, dense, layer[1].bias, 2, 1)
    assert torch.allclose(layer(inputs), expected, atol=1e-6)


# ---- what it does to networks


def test_a_network_keeps_its_maps_size_and_knows_where_its_cells_look():
    for arch in ("taper", "taper-study", "sheet-590k-dw", "resnet20"):
        plain, blurred = operated(arch, channels=3), operated(arch, "blurpool", channels=3)
        inputs = torch.randn(2, 3, 83, 70)
        assert blurred.body(inputs).shape == plain.body(inputs).shape
        stride, first = plain.map_grid()
        assert blurred.map_grid() == (stride, pytest.approx(first, abs=stride / 2))


def test_squeeze_and_excitation_stands_after_the_activation():
    network = operated("sheet-140k", "squeeze-excite")
    kinds = [[type(m).__name__ for m in stage.modules() if not list(m.children())] for stage in network.body[:2]]
    assert kinds[0] == ["Conv2d", "ReLU", "BatchNorm2d", "Linear", "Linear"]
    assert sum(isinstance(m, SqueezeExcite) for m in network.modules()) == 7


@pytest.mark.parametrize(
    ("arch", "surgery", "option"),
    [
        ("sheet-590k-dw", "norm-first", {"order": "conv-bn-relu"}),
        ("taper", "relu-first", {"order": "conv-relu-bn"}),
        ("vgg16-bn", "average-pooling", {"hidden": 0}),
        ("taper", "average-pooling", {"pool": "avg"}),
    ],
)
def test_surgery_is_what_the_option_of_that_name_builds(arch: str, surgery: str, option: dict):
    with torch.device("meta"):
        changed, built = operated(arch, surgery), operated(arch, **option)
    shapes = [[tuple(p.shape) for p in network.parameters()] for network in (changed, built)]
    assert sorted(shapes[0]) == sorted(shapes[1])
    names = [[type(m).__name__ for m in network.body.modules()] for network in (changed, built)]
    assert names[0] == names[1]


def test_the_order_may_be_exchanged_back():
    once = operated("sheet-340k", "norm-first", "relu-first")
    assert repr(once.body) == repr(operated("sheet-340k").body)


def test_the_cost_is_counted_surgery_by_surgery():
    spec = make_spec("sheet-590k-dw", 10, 1, {}, ("blurpool", "squeeze-excite"))
    blur, excite = costs_of(spec, (32, 32))
    plain, whole = replace(spec, surgery=()).build(), spec.build()
    assert blur.layers == 3  # its poolings: no convolution of it is strided
    assert blur.params_before == count_parameters(plain)[0]
    assert blur.params_after - blur.params_before == 3 * 9
    assert excite.params_after == count_parameters(whole)[0] + count_frozen(whole)
    assert (blur.macs_before, excite.macs_after) == (count_macs(plain, 1, (32, 32)), count_macs(whole, 1, (32, 32)))
    assert blur.macs_after == excite.macs_before > blur.macs_before
    assert blur.in_words().startswith("surgery blurpool: 3 layers; parameters 598,163 -> 598,190 (+0.0 %)")


@pytest.mark.parametrize(
    ("arch", "surgery", "message"),
    [
        ("densenet40", "blurpool", "'blurpool' changes nothing: 'densenet40' has no strided convolution"),
        ("taper", "norm-first", "no convolution, ReLU and BatchNorm in this order; leave it out"),
        ("sheet-140k", "average-pooling", "a head that is nothing else already"),
        ("stump", "separable", "no dense convolution"),
        ("taper", "blurpol", "unknown surgery 'blurpol'; did you mean"),
    ],
)
def test_surgery_that_changes_nothing_is_one_line(arch: str, surgery: str, message: str):
    with torch.device("meta"), pytest.raises(UsageError, match=message) as told:
        operated(arch, surgery)
    assert "\n" not in str(told.value)


def test_names_are_read_with_commas_between_them():
    assert read_surgeries(None) == ()
    assert read_surgeries("blurpool, squeeze-excite") == ("blurpool", "squeeze-excite")
    for text in ("", "blurpool,blurpool"):
        with pytest.raises(UsageError, match="expected each once"):
            read_surgeries(text)


# ---- pretrained weights, saving and training


def test_pretrained_weights_stay_where_their_layers_stay():
    spec = make_spec("stump", 2, 1, {"cut": 4}, ("squeeze-excite", "blurpool"))
    network, weights = spec.build(), random_state()
    assert isinstance(network, PretrainedNetwork)
    put_weights(network, spec, weights)
    plain = replace(spec, surgery=())
    untouched = plain.build()
    put_weights(untouched, plain, weights)
    kernels = {id(m.kernel) for m in network.body.modules() if isinstance(m, BlurPool)}
    kept = [p for p in network.body.parameters() if not p.requires_grad and id(p) not in kernels]
    assert len(kernels) == 3
    assert all(torch.equal(a, b) for a, b in zip(kept, untouched.body.parameters(), strict=True))
    learning = {name.split(".")[-2] for name, p in network.body.named_parameters() if p.requires_grad}
    assert learning == {"squeeze", "excite"}


def test_a_run_builds_its_surgery_again(plates: Path, tmp_path: Path):
    notes: list[str] = []
    request = TrainRequest(
        plates, tmp_path / "run", surgery=("blurpool", "squeeze-excite"), recipe={"epochs": 1}, reject_unknown=False
    )
    run = train(request, note=notes.append)
    assert [note.split(":")[0] for note in notes if note.startswith("surgery")] == [
        "surgery blurpool",
        "surgery squeeze-excite",
    ]
    model = json.loads((run.path / "model.json").read_text())
    assert model["surgery"] == ["blurpool", "squeeze-excite"]
    opened = Run.open(tmp_path / "run")
    network = opened.load_network()
    assert sum(isinstance(m, BlurPool) for m in network.modules()) == 2
    assert sum(isinstance(m, SqueezeExcite) for m in network.modules()) == 4
    assert opened.config.model.surgery == ("blurpool", "squeeze-excite")
    assert [row["surgery"] for row in run.metrics["surgery"]] == ["blurpool", "squeeze-excite"]


def test_surgery_beside_what_cannot_learn_is_refused(plates: Path, tmp_path: Path):
    for changes, message in (
        ({"arch": "stump", "arch_options": {"cut": "auto"}}, "found 'auto'"),
        ({"surgery": ("norm-first",)}, "changes nothing"),
    ):
        with pytest.raises(UsageError, match=message):
            plan(TrainRequest(plates, tmp_path / "run", **{"surgery": ("blurpool",), **changes}))
    assert not (tmp_path / "run").exists()


def test_a_spec_without_surgery_reads_as_before():
    spec = make_spec("taper", 2, 1, {})
    assert asdict(spec)["surgery"] == ()
    facts = {name: value for name, value in asdict(spec).items() if name != "surgery"}
    assert ModelSpec(**facts) == spec
