"""Stumps: published counts, the folded stem, what is frozen, what the head pools, and what weights files may hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from gonogo.data.geometry import Geometry
from gonogo.errors import ConfigError, DataError, UsageError
from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import count_frozen, count_parameters, make_spec
from gonogo.models.deployed import Preprocess
from gonogo.models.layers.statistics_head import StatisticsHead
from gonogo.models.mobilenet import LAST_BLOCK, mobilenet_v2_features
from gonogo.models.stump import Stump, load_backbone
from gonogo.models.weights import match_weights, read_weights
from tests.helpers import noise
from tests.helpers_weights import random_state, write_weights


def build(channels: int = 1, classes: int = 2, weights: dict | None = None, **options: object) -> Stump:
    torch.manual_seed(0)
    network = make_spec("stump", classes, channels, options).build().eval()
    assert isinstance(network, Stump)
    if weights is not None:
        load_backbone(network, ARCHITECTURES.get("stump").options(options), weights)
    return network


# ---- the backbone


def test_the_whole_backbone_has_the_published_counts():
    # torchvision's MobileNetV2: 3,504,872 parameters, of which 1,281,000 are its classifier's.
    network = build(3, cut=LAST_BLOCK, statistics="avg")
    assert count_frozen(network) == 3_504_872 - 1_281_000
    assert count_parameters(network) == (2 * 1280 + 2, 34_112)


@pytest.mark.parametrize(("cut", "frozen", "channels"), [(4, 25_216, 32), (7, 75_968, 64), (12, 423_680, 96)])
def test_stumps_have_the_counts_of_their_blocks(cut: int, frozen: int, channels: int):
    network = build(1, cut=cut)
    assert count_frozen(network) == frozen
    assert count_parameters(network)[0] == 2 * 3 * channels + 2
    assert network.head.classifier.in_features == 3 * channels


def test_folding_the_stem_saves_two_of_its_three_channels():
    assert count_frozen(build(3)) - count_frozen(build(1)) == 2 * 9 * 32


def fold_error(weights: dict, cut: int, dtype: torch.dtype) -> float:
    """Return how far the grey and the colour network are apart on grey photos, as a share of the largest feature."""
    grey, colour = (build(channels, weights=weights, cut=cut).to(dtype) for channels in (1, 3))
    photos = torch.from_numpy(np.stack([noise(70, 61, 1, seed) for seed in range(3)]))
    levels = {"mean": (127.5,), "std": (127.5,)}
    one = Preprocess(Geometry(70, 61, **levels))(photos).to(dtype)
    three = Preprocess(Geometry(70, 61, colour="rgb", **{k: v * 3 for k, v in levels.items()}))(photos).to(dtype)
    with torch.no_grad():
        features = [grey.body(one), colour.body(three)]  # with the border, where both pad with the same grey level
    return float((features[0] - features[1]).abs().max() / features[1].abs().max())


@pytest.mark.parametrize("cut", [0, 1, 3, 7])
def test_grey_photos_are_answered_as_by_the_colour_network(cut: int):
    # The folded weights are rounded to float32 once more; deep down, random weights make much of that.
    assert fold_error(random_state(), cut, torch.float64) <= 1e-5


def test_levels_that_differ_by_colour_are_not_folded():
    with pytest.raises(UsageError, match=r"levels=imagenet .* give --colour rgb"):
        build(1, weights=random_state(), levels="imagenet")
    build(3, weights=random_state(), levels="imagenet")


def test_only_unfrozen_blocks_learn_and_frozen_ones_keep_their_statistics():
    network = build(1, cut=4, unfrozen=2).train()
    learning = {name.split(".")[1] for name, p in network.named_parameters() if p.requires_grad}
    assert learning == {"3", "4", "classifier"}
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    network(torch.randn(4, 1, 32, 32)).sum().backward()
    moved = {name.split(".")[1] for name, buffer in network.named_buffers() if not torch.equal(buffer, before[name])}
    assert moved == {"3", "4"}
    network.eval()
    assert not any(module.training for module in network.modules())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cut": 19}, "cut=19, expected 0 to 18"),
        ({"cut": -1}, "cut=-1"),
        ({"cut": 3, "unfrozen": 5}, "unfrozen=5, expected 0 to 4"),
        ({"statistics": "std"}, "expected avg or max"),
        ({"statistics": "avg,avg"}, "each once"),
    ],
)
def test_options_that_make_no_stump_are_refused(options: dict, message: str):
    with pytest.raises(UsageError, match=message):
        build(1, **options)


@pytest.mark.parametrize("options", [{"cut": "deep"}, {"statistics": "avg,median"}, {"levels": "grey"}, {"cuts": 3}])
def test_options_of_another_kind_are_refused(options: dict):
    with pytest.raises(ConfigError):
        build(1, **options)


# ---- the head


def test_the_head_pools_what_it_says():
    features = torch.randn(3, 4, 5, 6)
    pooled = StatisticsHead(4, 2, ("avg", "max", "std")).pool(features)
    expected = [features.mean((2, 3)), features.amax((2, 3)), features.flatten(2).std(2, correction=0)]
    assert torch.allclose(pooled, torch.cat(expected, 1), atol=1e-6)
    swapped = StatisticsHead(4, 2, ("std", "avg")).pool(features)
    assert torch.equal(swapped, torch.cat([pooled[:, 8:], pooled[:, :4]], 1))


def test_a_photo_that_looks_alike_everywhere_is_answered_by_each_of_its_places():
    head = StatisticsHead(4, 3, ("avg", "max", "std"))
    features = torch.randn(2, 4, 1, 1).expand(2, 4, 5, 6)
    logits, maps = head(features), head.maps(features)
    assert torch.allclose(maps, logits[:, :, None, None].expand_as(maps), atol=1e-3)


def test_the_map_of_averages_averages_to_the_answer():
    head = StatisticsHead(4, 3, ("avg",))
    features = torch.randn(2, 4, 5, 6)
    assert torch.allclose(head.maps(features).mean((2, 3)), head(features), atol=1e-5)


def test_a_deviation_of_nothing_has_a_gradient():
    features = torch.ones(1, 2, 3, 3, requires_grad=True)
    StatisticsHead(2, 2, ("avg", "std"))(features).sum().backward()
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()


# ---- weights files


def test_a_file_is_read_into_float32_whatever_it_is_wrapped_in(tmp_path: Path):
    state = random_state()
    half = {name: tensor.half() if tensor.ndim == 4 else tensor for name, tensor in state.items()}
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in half.items()}, "epoch": 3}, tmp_path / "a")
    save_file(half, tmp_path / "a.safetensors")
    for path in (tmp_path / "a", tmp_path / "a.safetensors"):
        found = read_weights(path)
        assert set(found) == set(state)
        assert all(t.dtype == torch.float32 for n, t in found.items() if not n.endswith("tracked"))
        assert torch.equal(found["features.3.conv.2.weight"], state["features.3.conv.2.weight"].half().float())
        assert torch.isfinite(build(1, weights=found)(torch.randn(1, 1, 40, 40))).all()


class Harmful:
    """What a pickle may hold: a call."""

    def __reduce__(self):
        return (Path("harm").touch, ())


@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04 cut", None])
def test_a_file_that_holds_no_weights_is_one_line(content: bytes | None, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if content is None:
        torch.save({"weight": Harmful()}, tmp_path / "weights.pth")
    else:
        (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(DataError, match=r"weights\.pth cannot be read as weights") as caught:
        read_weights(tmp_path / "weights.pth")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "harm").exists()
    (tmp_path / "weights.safetensors").write_bytes(content or b"x")
    with pytest.raises(DataError, match="cannot be read as weights"):
        read_weights(tmp_path / "weights.safetensors")


def test_what_is_no_table_of_tensors_is_one_line(tmp_path: Path):
    torch.save([torch.zeros(3)], tmp_path / "list.pth")
    with pytest.raises(DataError, match="no table of tensors"):
        read_weights(tmp_path / "list.pth")
    with pytest.raises(DataError, match=r"no file .*gone\.pth; give --weights"):
        read_weights(tmp_path / "gone.pth")


def test_weights_of_another_network_are_refused_by_the_first_key_that_does_not_fit(tmp_path: Path):
    state = random_state()
    lacking = {name: tensor for name, tensor in state.items() if not name.startswith("features.3.conv.0.1")}
    with pytest.raises(UsageError, match=r"not of MobileNetV2: 'features\.3\.conv\.0\.1\.weight' is missing"):
        build(1, weights=lacking)
    wider = state | {"features.5.conv.2.weight": torch.zeros(40, 192, 1, 1)}
    with pytest.raises(UsageError, match=r"'features\.5\.conv\.2\.weight' has shape \(40, 192, 1, 1\), expected \(32,"):
        build(1, weights=wider)
    with pytest.raises(UsageError, match=r"it has no 'features\.19\.0\.weight'"):
        build(1, weights=state | {"features.19.0.weight": torch.zeros(1)})
    other = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).state_dict()
    with pytest.raises(UsageError, match=r"'features\.0\.0\.weight' is missing; they begin with '0\.weight'"):
        build(1, weights=dict(other))
    with pytest.raises(UsageError, match="nothing but a classifier"):
        build(1, weights={"classifier.1.bias": torch.zeros(3)})


def timm_names(state: dict) -> dict:
    """Return the state under other names in the same order, as timm has them."""
    return {f"blocks.{index}.{name.rpartition('.')[2]}": tensor for index, (name, tensor) in enumerate(state.items())}


def test_the_same_network_under_other_names_fits_by_its_order():
    state = {name: tensor for name, tensor in random_state().items() if not name.startswith("classifier")}
    renamed = timm_names(state)
    answers = [build(1, weights=weights)(torch.ones(1, 1, 40, 40)) for weights in (state, renamed)]
    assert torch.equal(*answers)
    # In another order it is another network.
    mixed = dict(sorted(renamed.items()))
    with pytest.raises(UsageError, match="is missing"):
        build(1, weights=mixed)


def test_counters_of_batches_need_not_be_there():
    expected = {f"features.{n}": t for n, t in mobilenet_v2_features(3, 2).state_dict().items()}
    given = {name: tensor for name, tensor in expected.items() if not name.endswith("tracked")}
    assert set(match_weights(expected, given, "it", classifier="classifier.")) == set(given)


def test_the_real_weights_fit(real_data: Path):
    weights = read_weights(real_data / "weights" / "mobilenet_v2_imagenet_qat_dequant_w16.pth")
    network = build(3, weights=weights, cut=LAST_BLOCK, statistics="avg")
    with torch.no_grad():
        features = network.body(torch.zeros(1, 3, 64, 64))
    assert features.shape == (1, 1280, 2, 2)
    assert 0 < float(features.mean()) < 6
    for cut in (0, 7, 12, 18):
        assert fold_error(weights, cut, torch.float32) <= 1e-5


def test_files_of_other_real_networks_are_refused(real_data: Path):
    for name in ("resnet56-4bfd9763.th", "resnet20-12fca82f.th"):
        with pytest.raises(UsageError, match=r"'features\.0\.0\.weight' is missing; they begin with 'conv1\.weight'"):
            build(1, weights=read_weights(real_data / "weights" / name))


def test_a_written_file_is_what_was_written(tmp_path: Path):
    found = read_weights(write_weights(tmp_path / "w.pth", seed=3))
    assert torch.equal(found["features.0.0.weight"], random_state(3)["features.0.0.weight"])
