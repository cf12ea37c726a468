"""What every entry of a registry must do, whatever it is."""

from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from gonogo.data.formats import FORMATS, read_dataset
from gonogo.data.geometry import Geometry
from gonogo.data.images import decode_photo
from gonogo.data.manifest import Manifest
from gonogo.data.task import Task
from gonogo.errors import ExportError, UsageError
from gonogo.evaluate.decision import Decision
from gonogo.export import EXPORTERS
from gonogo.export.parity import answer, check_parity
from gonogo.gauge.facts import METADATA_KEY, Facts
from gonogo.gauge.golden import compare, one_at_a_time
from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import Network, count_frozen, count_parameters, make_spec
from gonogo.models.cost import count_macs
from gonogo.models.deployed import Deployed
from gonogo.models.novelty import Novelty, pool
from gonogo.models.surgery import SURGERIES, costs_of
from gonogo.runtimes import RUNTIMES
from gonogo.train.novelty import spread_of
from tests.helpers import HEAVY, make_facts, need, noise, write_photos

COLOURS = {"grey": 1, "rgb": 3}
# Large networks as small ones of their family: the same layers in the same order, fewer and narrower. Their counts at
# full size are in the golden tests.
SMALL: dict[str, dict[str, object]] = {
    "resnet20": {"blocks": 1},
    "resnet56": {"blocks": 1},
    "resnet20-v2": {"blocks": 1},
    "resnet47-v2": {"blocks": 1},
    "resnet65-v2": {"blocks": 1},
    "vit-study": {"layers": 2, "hidden": (64, 32)},
    "nasnet-mobile": {"filters": 8, "cells": 1, "stem": 8},
    "vgg16-bn": {"pattern": "c8 P c8 c16 P c16", "hidden": 12},
    "densenet40": {"depth": 10, "growth": 4},
}
# Of a family whose members differ by a line of text or a number, one is exported and operated on in the quick tests.
SHEETS = {arch for arch in ARCHITECTURES if arch.startswith("sheet-")}
RESNETS = {arch for arch in ARCHITECTURES if arch.startswith("resnet")}
SIBLINGS = SHEETS - {"sheet-590k-dw"} | RESNETS - {"resnet20", "resnet20-v2"}
# Whose many layers or branches take the exporter long; a backbone of timm is exported in tests/train/test_timm.py.
LONG_TO_EXPORT = {
    *(*SIBLINGS, *SHEETS, *RESNETS, "nasnet-mobile", "vit-study", "densenet40", "vgg16-bn", "timm"),
    *("taper-wide", "taper-fine", "stump"),
}
QUICK = [pytest.param(arch, marks=pytest.mark.slow) if arch in SIBLINGS else arch for arch in ARCHITECTURES]
# Those that answer as the network does to the last digits; eight bits have a threshold of their own.
EXACT = [exporter for exporter in EXPORTERS if EXPORTERS.get(exporter).is_exact]
COARSE = [exporter for exporter in EXPORTERS if exporter not in EXACT]
# With exporters that begin with the ONNX graph, a few networks of all kinds of layers are quick tests; with those whose
# converter takes many seconds, one.
FEW_EXPORTED = {"taper", "taper-study"}


# What an exporter has no words for: the network is refused by the name of its layer.
REFUSED = {("ncnn", "vit-study"): "it has no layer for 'Tensor.reshape'"}


def quick_networks(exporter: str) -> set[str]:
    """Return the architectures that are exported in the quick tests."""
    if exporter in HEAVY:
        return {"taper"}
    return set(ARCHITECTURES) - LONG_TO_EXPORT if exporter == "onnx" else FEW_EXPORTED


EXPORTED = [
    pytest.param(
        exporter,
        arch,
        marks=[] if arch in quick_networks(exporter) else [pytest.mark.slow],
    )
    for exporter in EXACT
    for arch in ARCHITECTURES
]
# The others put in layers that some architecture has as well.
NEW_LAYERS = {"blurpool", "squeeze-excite"}


def colour_of(arch: str) -> str:
    return ARCHITECTURES.get(arch).colour or "grey"


def network_of(arch: str, classes: int = 2, **options: object):
    torch.manual_seed(0)
    return make_spec(arch, classes, COLOURS[colour_of(arch)], {**SMALL.get(arch, {}), **options}).build().eval()


def sizes_of(network: Network, *sizes: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Return the photos' sizes to try: the one that the network takes, where it takes no other."""
    return sizes if network.fixed_size is None else (network.fixed_size,)


def classes_of(arch: str) -> tuple[int, ...]:
    return (2,) if getattr(ARCHITECTURES.get(arch).defaults, "one_logit", False) else (2, 5)


# ---- dataset formats


def _target(name: str, manifest: Manifest, folder: Path) -> Path:
    """A table lies beside the photos it names; every other format writes a folder of its own."""
    return manifest.root / "written.csv" if name == "table" else folder / "written"


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("splits", [("",), ("train", "val", "test")], ids=["unsplit", "split"])
def test_a_format_reads_what_it_wrote(name: str, splits: tuple[str, ...], tmp_path: Path):
    entry = FORMATS.get(name)
    splits = splits if set(splits) <= set(entry.splits) else entry.splits
    source = tmp_path / "source"
    for seed, split in enumerate(splits):
        width, height = entry.size or (20, 24)
        counts = dict(zip(entry.classes or ("ok part", "crack, long"), (3, 2), strict=False))
        write_photos(source / split, counts, (height, width), first_seed=seed * 10)
    for folder in (source / "train", source / "test"):
        for number, path in enumerate(sorted(folder.rglob("*.png")) if folder.exists() else []):
            path.rename(path.with_name(f"{folder.name}{number}.png"))
    manifest = read_dataset(source, "imagefolder")
    target = _target(name, manifest, tmp_path)
    FORMATS.get(name).write(manifest, target)
    assert FORMATS.get(name).sniff(target) > 0.5
    found = read_dataset(target)
    assert found.classes == manifest.classes == tuple(sorted(counts))

    def content(table: Manifest) -> list[tuple[str, str, bytes]]:
        return sorted(
            (s.label, s.split, decode_photo(table.read_bytes(s), channels=1).tobytes()) for s in table.samples
        )

    assert content(found) == content(manifest)
    assert len(content(found)) == 5 * len(splits)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_does_not_claim_what_is_not_there(name: str, tmp_path: Path):
    (tmp_path / "text.txt").write_text("x")
    for path in (tmp_path, tmp_path / "text.txt", tmp_path / "gone"):
        assert FORMATS.get(name).sniff(path) == 0


# ---- architectures


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_an_architecture_answers_any_size_and_batch(arch: str):
    for classes in classes_of(arch):
        network = network_of(arch, classes)
        for n, (height, width) in zip((1, 3), sizes_of(network, (64, 64), (100, 75)), strict=False):
            features = network.body(torch.randn(n, COLOURS[colour_of(arch)], height, width))
            logits, maps = network.head(features), network.head.maps(features)
            assert logits.shape == (n, classes)
            assert maps.shape[:2] == (n, classes)
            assert maps.shape[2] >= 1
            assert torch.isfinite(maps).all()


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_an_architecture_answers_each_photo_alone(arch: str):
    network = network_of(arch)
    photos = torch.randn(4, COLOURS[colour_of(arch)], *sizes_of(network, (64, 64))[0])
    with torch.no_grad():
        together = network(photos)
        alone = torch.cat([network(photo[None]) for photo in photos])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_weight_of_an_architecture_learns(arch: str):
    network = network_of(arch).train()
    network(torch.randn(8, COLOURS[colour_of(arch)], *sizes_of(network, (64, 64))[0])).square().sum().backward()
    learning = [(name, p.grad) for name, p in network.named_parameters() if p.requires_grad]
    assert learning
    assert [name for name, grad in learning if grad is None or not torch.isfinite(grad).all()] == []


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_an_architecture_says_where_the_cells_of_its_map_look(arch: str):
    network = network_of(arch)
    stride, first = network.map_grid()
    # Every pixel that counts must count in some photo: a narrow network needs more of them to be sure.
    photos = 32 if sum(count_parameters(network)) < 10_000 else 3
    inputs = torch.rand((photos, COLOURS[colour_of(arch)], *sizes_of(network, (160, 176))[0]), requires_grad=True)
    features = network.body(inputs)
    for row, column in ((features.shape[2] // 2, features.shape[3] // 2), (features.shape[2] // 2 + 1, 3)):
        (seen,) = torch.autograd.grad(features[:, :, row, column].abs().sum(), inputs, retain_graph=True)
        for axis, cell in ((2, row), (3, column)):
            touched = torch.nonzero(seen.abs().amax((0, 1, 5 - axis))).flatten()
            low, high = int(touched.min()), int(touched.max())
            if low > 0:  # a cell at the border sees only part of what it could
                assert abs((low + high) / 2 - (first + cell * stride)) <= 1, (axis, cell)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_same_seed_builds_the_same_network_from_its_written_spec(arch: str):
    spec = make_spec(arch, 2, COLOURS[colour_of(arch)], SMALL.get(arch, {}))
    again = type(spec)(**json.loads(json.dumps(spec.__dict__)))
    states = []
    for one in (spec, again):
        torch.manual_seed(3)
        states.append(one.build().state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_costs_are_whole_numbers_that_grow_with_the_photo(arch: str):
    network = network_of(arch)
    trainable, statistics = count_parameters(network)
    assert trainable == sum(p.numel() for p in network.parameters() if p.requires_grad)
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert statistics == sum(2 * norm.num_features for norm in norms)
    macs = [count_macs(network, COLOURS[colour_of(arch)], size) for size in sizes_of(network, (64, 64), (128, 128))]
    assert macs == sorted(set(macs))
    assert macs[0] > 0


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_an_architecture_names_its_source_and_a_recipe_that_holds(arch: str):
    from gonogo.train.recipe import resolve_recipe

    entry = ARCHITECTURES.get(arch)
    assert entry.source
    assert resolve_recipe(entry.recipe).epochs >= 1


# ---- surgeries

# What a network has already, or has nothing of.
NOTHING_TO_DO = {
    "blurpool": {"vit-study", "densenet40"},
    "squeeze-excite": {"vit-study"},
    "separable": {"stump", "vit-study", "nasnet-mobile"},
    "average-pooling": {*SHEETS, *RESNETS, "nasnet-mobile", "densenet40", "timm"},
    "norm-first": set(ARCHITECTURES) - {"taper-study", *SHEETS},
    "relu-first": {"taper-study", *SHEETS, "vit-study", "densenet40"},
}


@pytest.mark.parametrize("arch", QUICK)
@pytest.mark.parametrize("surgery", SURGERIES)
def test_a_surgery_changes_a_network_that_works_on_or_says_that_there_is_nothing_to_do(surgery: str, arch: str):
    options = {"backbone": "test_efficientnet"} if arch == "timm" else SMALL.get(arch, {})
    channels = COLOURS[colour_of(arch)]
    spec = make_spec(arch, 2, channels, options, (surgery,))
    if arch in NOTHING_TO_DO.get(surgery, ()):
        with (
            torch.device("meta"),
            pytest.raises(UsageError, match=f"surgery '{surgery}' changes nothing: '{arch}' has"),
        ):
            spec.build()
        return
    torch.manual_seed(0)
    network, plain = spec.build().eval(), network_of(arch, **options)
    ((height, width),) = sizes_of(network, (64, 80))
    with torch.no_grad():
        features = network.body(torch.randn(2, channels, height, width))
    assert network.head(features).shape == (2, 2)
    assert torch.isfinite(network.head.maps(features)).all()
    assert network.map_grid()[0] == plain.map_grid()[0]
    (cost,) = costs_of(spec, (height, width))
    assert cost.layers > 0
    assert (cost.params_after, cost.macs_after) == (
        count_parameters(network)[0] + count_frozen(network),
        count_macs(network, channels, (height, width)),
    )
    assert network.load_state_dict(spec.build().state_dict()).missing_keys == []


@pytest.mark.parametrize(
    "surgery", [name if name in NEW_LAYERS else pytest.param(name, marks=pytest.mark.slow) for name in SURGERIES]
)
def test_a_network_exports_after_every_surgery(surgery: str, tmp_path: Path):
    arch = "taper-study" if surgery == "norm-first" else "taper"
    n = COLOURS[colour_of(arch)]
    geometry = Geometry(64, 72, colour=colour_of(arch), mean=(120.0,) * n, std=(60.0,) * n)  # type: ignore[arg-type]
    facts = facts_of(geometry, 2, "b")
    torch.manual_seed(0)
    network = make_spec(arch, 2, geometry.network_channels, {}, (surgery,)).build().eval()
    deployed = Deployed(network, geometry, facts.decision.task).eval()
    pixels = np.stack([noise(64, 72, 1, seed) for seed in range(4)])
    entry = EXPORTERS.get("onnx")
    entry.write(deployed, facts, pixels, tmp_path / entry.filename)
    assert check_parity(tmp_path / entry.filename, entry.runtime, facts.decision, deployed, pixels).holds


# ---- exporters and runtimes

# How far probabilities of random networks may move in eight bits.
COARSE_BAR = 0.05


def facts_of(geometry: Geometry, classes: int, good: str | None) -> Facts:
    return make_facts(geometry, tuple("abcdefgh"[:classes]), good)


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_an_exporter_names_a_runtime_that_exists(exporter: str):
    entry = EXPORTERS.get(exporter)
    assert entry.runtime in RUNTIMES
    for name in (entry.filename, *entry.companions):
        assert Path(name).name == name
        assert Path(name).stem == Path(entry.filename).stem
    assert entry.precision


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_runtime_states_its_version(runtime: str):
    need(runtime)
    assert RUNTIMES.get(runtime).version()[0].isdigit()


@pytest.mark.parametrize(("exporter", "arch"), EXPORTED)
def test_every_architecture_exports_with_every_exporter(exporter: str, arch: str, tmp_path: Path):
    need(exporter)
    entry = EXPORTERS.get(exporter)
    classes = max(classes_of(arch))
    colour = colour_of(arch)
    n = COLOURS[colour]
    bare = network_of(arch, classes)
    ((height, width),) = sizes_of(bare, (90, 75))
    geometry = Geometry(height, width, 3, None, 1, colour, (120.0,) * n, (60.0,) * n)  # type: ignore[arg-type]
    facts = facts_of(geometry, classes, "b")
    network = Deployed(bare, geometry, facts.decision.task).eval()
    pixels = np.stack([noise(height, width, 3, seed) for seed in range(8)])
    path = tmp_path / entry.filename
    if (exporter, arch) in REFUSED:
        with pytest.raises(ExportError, match=REFUSED[exporter, arch]):
            entry.write(network, facts, pixels, path)
        assert list(tmp_path.iterdir()) == []
        return
    entry.write(network, facts, pixels, path)
    parity = check_parity(path, entry.runtime, facts.decision, network, pixels)
    assert parity.images == 8
    assert parity.max_abs_diff <= 1e-4
    assert parity.verdicts_equal
    session = RUNTIMES.get(entry.runtime).open(path, 1)
    assert Facts.from_json(json.loads(session.metadata[METADATA_KEY]), "file") == facts
    assert sorted(name.name for name in tmp_path.iterdir()) == sorted(entry.names)


@pytest.mark.parametrize(
    "arch", [pytest.param(a, marks=() if a in ("taper", "taper-study") else pytest.mark.slow) for a in ARCHITECTURES]
)
@pytest.mark.parametrize("exporter", COARSE)
def test_every_architecture_exports_in_eight_bits(exporter: str, arch: str, tmp_path: Path):
    need(exporter)
    entry, colour = EXPORTERS.get(exporter), colour_of(arch)
    n = COLOURS[colour]
    bare = network_of(arch, 2)
    ((height, width),) = sizes_of(bare, (90, 75))
    geometry = Geometry(height, width, 3, None, 1, colour, (120.0,) * n, (60.0,) * n)  # type: ignore[arg-type]
    facts = facts_of(geometry, 2, "b")
    network = Deployed(bare, geometry, facts.decision.task).eval()
    pixels = np.stack([noise(height, width, 3, seed) for seed in range(8)])
    path = tmp_path / entry.filename
    entry.write(network, facts, pixels, path)
    session = RUNTIMES.get(entry.runtime).open(path, 1)
    assert compare(facts.decision, answer(network, pixels), one_at_a_time(session, pixels)).max_abs_diff <= COARSE_BAR
    assert Facts.from_json(json.loads(session.metadata[METADATA_KEY]), "file") == facts
    assert sorted(name.name for name in tmp_path.iterdir()) == sorted(entry.names)


GEOMETRIES = {
    "grey camera, grey network": Geometry(48, 60),
    "colour camera, grey network": Geometry(48, 60, 3),
    "grey camera, colour network": Geometry(48, 60, 1, colour="rgb", mean=(1.0, 2.0, 3.0), std=(50.0, 60.0, 70.0)),
    "cropped and reduced": Geometry(97, 130, 3, (5, 7, 100, 80), 2),
    "blocks that do not fill": Geometry(101, 131, 1, None, 3),
    "reduced and resized": Geometry(95, 130, 3, None, 2, size=(50, 41)),
    "any size that holds the crop": Geometry(None, None, 1, (3, 2, 60, 50)),
}


FEW_GEOMETRIES = {"cropped and reduced"}
QUICK_GEOMETRIES = {*FEW_GEOMETRIES, "reduced and resized", "any size that holds the crop"}
# With the others a quick test is that one network is exported; what else they must do takes many seconds each.
QUICK_EXPORTERS = {"onnx", "ncnn", "c"}


def quick_geometries(exporter: str) -> set[str]:
    if exporter not in QUICK_EXPORTERS:
        return set()
    return QUICK_GEOMETRIES if exporter == "onnx" else FEW_GEOMETRIES


@pytest.mark.parametrize(
    ("exporter", "name"),
    [
        pytest.param(
            exporter,
            name,
            marks=() if name in quick_geometries(exporter) else pytest.mark.slow,
        )
        for exporter in EXACT
        for name in GEOMETRIES
    ],
)
def test_an_exported_file_takes_raw_pixels_of_every_geometry(exporter: str, name: str, tmp_path: Path):
    need(exporter)
    entry, geometry = EXPORTERS.get(exporter), GEOMETRIES[name]
    facts = facts_of(geometry, 3, None)
    torch.manual_seed(0)
    network = make_spec("taper", 3, geometry.network_channels, {}).build().eval()
    deployed = Deployed(network, geometry, facts.decision.task).eval()
    height, width = geometry.height or 52, geometry.width or 63
    pixels = np.stack([noise(height, width, geometry.channels, seed) for seed in range(4)])
    path = tmp_path / entry.filename
    entry.write(deployed, facts, pixels, path)
    assert check_parity(path, entry.runtime, facts.decision, deployed, pixels).holds
    if geometry.height is None:
        larger = np.stack([noise(90, 80, geometry.channels, seed) for seed in range(2)])
        assert check_parity(path, entry.runtime, facts.decision, deployed, larger).holds


class Transparent(torch.nn.Module):
    """A network that shows its input: the map of class b over class a is the grey level itself."""

    def watch(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return inputs, torch.cat([torch.zeros_like(inputs), inputs], 1)

    class Head(torch.nn.Module):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return features.mean((2, 3)) / 255

        def maps(self, features: torch.Tensor) -> torch.Tensor:
            return features

    head = Head()


# A reduction that is a convolution, and with ONNX one that is not.
QUICK_REDUCTIONS = {(3, 3)}


@pytest.mark.parametrize(
    ("exporter", "channels", "reduce"),
    [
        pytest.param(
            exporter,
            *case,
            marks=()
            if (case in QUICK_REDUCTIONS and exporter in QUICK_EXPORTERS) or (exporter, *case) == ("onnx", 1, 7)
            else pytest.mark.slow,
        )
        for exporter in EXACT
        for case in product((1, 3), range(1, 8))
    ],
)
def test_an_exported_file_reduces_to_the_very_levels_of_geometry(
    exporter: str, channels: int, reduce: int, tmp_path: Path
):
    need(exporter)
    entry = EXPORTERS.get(exporter)
    geometry = Geometry(44, 59, channels, (1, 2, 57, 41), reduce, mean=(0.0,), std=(1.0,))
    facts = facts_of(geometry, 2, "a")
    pixels = np.stack([noise(44, 59, channels, seed) for seed in range(6)])
    entry.write(Deployed(Transparent(), geometry, facts.decision.task).eval(), facts, pixels, tmp_path / entry.filename)  # type: ignore[arg-type]
    heat = RUNTIMES.get(entry.runtime).open(tmp_path / entry.filename, 1)(pixels).heatmap
    assert np.array_equal(heat, geometry.apply(pixels)[..., 0].astype(np.float32))


@pytest.mark.parametrize(
    "exporter",
    [name if name in QUICK_EXPORTERS else pytest.param(name, marks=pytest.mark.slow) for name in EXACT],
)
def test_an_exported_file_resizes_to_the_very_levels_of_geometry(exporter: str, tmp_path: Path):
    need(exporter)
    entry = EXPORTERS.get(exporter)
    # From 3 pixels to 2: many levels lie in the middle between two whole ones.
    geometry = Geometry(60, 90, 1, None, 1, mean=(0.0,), std=(1.0,), size=(40, 60))
    facts = facts_of(geometry, 2, "a")
    pixels = np.stack([noise(60, 90, 1, seed) for seed in range(6)])
    entry.write(Deployed(Transparent(), geometry, facts.decision.task).eval(), facts, pixels, tmp_path / entry.filename)  # type: ignore[arg-type]
    heat = RUNTIMES.get(entry.runtime).open(tmp_path / entry.filename, 1)(pixels).heatmap
    assert np.array_equal(heat, geometry.apply(pixels)[..., 0].astype(np.float32))


@pytest.mark.parametrize(
    ("exporter", "good"),
    [
        pytest.param(exporter, good, marks=pytest.mark.slow if good is None or exporter not in QUICK_EXPORTERS else ())
        for exporter in EXACT
        for good in ("a", None)
    ],
)
def test_a_file_answers_batches_as_it_answers_single_photos(exporter: str, good: str | None, tmp_path: Path):
    need(exporter)
    entry, geometry = EXPORTERS.get(exporter), Geometry(64, 64)
    facts = facts_of(geometry, 3, good)
    network, many = network_of("taper", 3), np.stack([noise(64, 64, 1, seed) for seed in range(40)])
    with torch.no_grad():
        seen = pool(network.watch(torch.from_numpy(geometry.normalise(geometry.apply(many))))[0]).double().numpy()
    novelty, pixels = Novelty.of(spread_of(seen, np.arange(40)), 1.0), many[:5]
    deployed = Deployed(network, geometry, facts.decision.task, novelty).eval()
    entry.write(deployed, facts, pixels, tmp_path / entry.filename)
    session = RUNTIMES.get(entry.runtime).open(tmp_path / entry.filename, 1)
    found, expected = session(pixels), answer(deployed, pixels)
    assert found.pred_probs.shape == (5, 3)
    assert found.novelty is not None
    assert found.novelty.shape == (5,)
    single = one_at_a_time(session, pixels)
    for one, whole, other in zip(found, expected, single, strict=True):
        assert one.shape == whole.shape
        assert np.allclose(one, whole, atol=1e-4, rtol=1e-4)
        assert np.allclose(one, other, atol=1e-5, rtol=1e-5)
    assert np.abs(single.pred_probs - found.pred_probs).max() <= 1e-6
    assert np.abs(found.pred_probs - expected.pred_probs).max() <= 1e-4


def test_the_exported_file_is_a_few_kilobytes(tmp_path: Path):
    geometry = Geometry(300, 300, reduce=3)
    facts = facts_of(geometry, 2, "a")
    deployed = Deployed(network_of("taper"), geometry, facts.decision.task).eval()
    EXPORTERS.get("onnx").write(deployed, facts, np.stack([noise(300, 300)] * 2), tmp_path / "m.onnx")
    weights = 4 * sum(count_parameters(deployed.network))
    assert weights < (tmp_path / "m.onnx").stat().st_size < weights + 16_000
    assert math.isclose(weights, 24_056, rel_tol=0.01)


def test_decisions_of_the_contracts_are_what_they_say():
    assert facts_of(Geometry(10, 10), 2, "a").decision == Decision(Task(("a", "b"), "a"), 0.5, "test")
