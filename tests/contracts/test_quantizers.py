"""What every quantizer must do, whatever it is, with small networks of all kinds of layers."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import onnx
import pytest
import torch

from gonogo.compress.quantize import QUANTIZERS, Quantizer, Source
from gonogo.compress.quantize.graph import Body
from gonogo.compress.quantize.layers import noise_of
from gonogo.data.geometry import Geometry
from gonogo.export import EXPORTERS
from gonogo.export.parity import answer
from gonogo.gauge.facts import METADATA_KEY, Facts
from gonogo.gauge.golden import TOLERANCE, one_at_a_time
from gonogo.models.architecture import make_spec
from gonogo.models.deployed import Deployed
from gonogo.runtimes import RUNTIMES
from gonogo.types import Answer
from tests.helpers import HEAVY, make_facts, need, noise

ARCHS: dict[str, dict[str, object]] = {
    "taper": {},
    "taper-study": {},
    "stump": {"cut": 3},
    "resnet20": {"blocks": 1},
    "densenet40": {"depth": 10, "growth": 4},
    "vit-study": {"layers": 2, "hidden": (64, 32)},
}
SLOW = {"densenet40", "vit-study", "stump", "resnet20", "taper-study"}
NETWORKS = [pytest.param(arch, marks=pytest.mark.slow) if arch in SLOW else arch for arch in ARCHS]
CASES = [
    pytest.param(name, arch, marks=pytest.mark.slow if arch in SLOW or (name in HEAVY and arch != "taper") else ())
    for name in QUANTIZERS
    for arch in ARCHS
]


@dataclass(frozen=True)
class Subject:
    """A network that is quantized, and what it answers."""

    source: Source
    pixels: np.ndarray
    expected: Answer


@cache
def subject(arch: str) -> Subject:
    torch.manual_seed(0)
    side = 32 if arch == "vit-study" else 64
    colour = "rgb" if arch in ("taper-study", "resnet20", "densenet40", "vit-study") else "grey"
    channels = 3 if colour == "rgb" else 1
    geometry = Geometry(side * 2, side * 2, 1, None, 2, colour, (120.0,) * channels, (60.0,) * channels)  # type: ignore[arg-type]
    network = make_spec(arch, 2, channels, ARCHS[arch]).build().eval()
    facts = make_facts(geometry)
    deployed = Deployed(network, geometry, facts.decision.task).eval()
    pixels = np.stack([noise(side * 2, side * 2, 1, seed) // (1 + seed % 3) for seed in range(12)])
    source = Source(deployed, facts, pixels[:8], Path(mkdtemp(prefix="gonogo-test-")))
    return Subject(source, pixels[8:], answer(deployed, pixels[8:]))


def able(name: str) -> Quantizer:
    need(name)
    entry = QUANTIZERS.get(name)
    why = entry.why_not()
    if why:
        pytest.skip(why)
    return entry


@pytest.mark.parametrize("name", QUANTIZERS)
def test_a_quantizer_names_an_exporter_and_a_file_of_its_own(name: str):
    entry = QUANTIZERS.get(name)
    assert entry.exporter in EXPORTERS
    whole = EXPORTERS.get(entry.exporter)
    assert set(whole.named(entry.filename, entry.precision).names).isdisjoint(whole.names)
    assert entry.precision != whole.precision
    assert entry.precision in entry.filename


@pytest.mark.parametrize(("name", "arch"), CASES)
def test_a_quantized_file_answers_raw_pixels_nearly_as_the_network(name: str, arch: str, tmp_path: Path):
    entry, one = able(name), subject(arch)
    path, runtime = tmp_path / entry.filename, RUNTIMES.get(EXPORTERS.get(entry.exporter).runtime)
    entry.prepare(one.source).write(path, ())
    found = one_at_a_time(runtime.open(path, 1), one.pixels)
    assert found.pred_probs.shape == one.expected.pred_probs.shape
    assert np.allclose(found.pred_probs.sum(axis=1), 1, atol=1e-6)
    assert found.heatmap.shape == one.expected.heatmap.shape
    # Weights that were never trained: what is asked is that nothing is upside down, not that nothing is lost.
    assert 0 < np.abs(found.pred_probs - one.expected.pred_probs).max() < 0.1
    assert np.corrcoef(found.heatmap.ravel(), one.expected.heatmap.ravel())[0, 1] > 0.9
    batch = runtime.open(path, 1)(one.pixels)
    assert np.abs(batch.pred_probs - found.pred_probs).max() < 1e-5


@pytest.mark.parametrize(("name", "arch"), CASES)
def test_with_all_layers_in_float_the_file_is_the_network(name: str, arch: str, tmp_path: Path):
    entry, one = able(name), subject(arch)
    prepared = entry.prepare(one.source)
    if not prepared.layers:
        assert entry.precision == "bf16"
        return
    path = tmp_path / entry.filename
    prepared.write(path, prepared.layers)
    found = one_at_a_time(RUNTIMES.get(EXPORTERS.get(entry.exporter).runtime).open(path, 1), one.pixels)
    assert np.abs(found.pred_probs - one.expected.pred_probs).max() <= TOLERANCE
    before = noise_of(one.expected, found).log_odds
    prepared.write(path, prepared.layers[1:])
    alone = one_at_a_time(RUNTIMES.get(EXPORTERS.get(entry.exporter).runtime).open(path, 1), one.pixels)
    assert noise_of(one.expected, alone).log_odds > before


@pytest.mark.parametrize("name", QUANTIZERS)
def test_a_file_carries_the_facts_it_was_signed_with_and_answers_as_before(name: str, tmp_path: Path):
    entry, one = able(name), subject("taper")
    path, runtime = tmp_path / entry.filename, RUNTIMES.get(EXPORTERS.get(entry.exporter).runtime)
    entry.prepare(one.source).write(path, ())
    before = one_at_a_time(runtime.open(path, 1), one.pixels)
    facts = replace(one.source.facts, about={"said": 'by "quantize" <&>\n', "threshold": 1 / 3})
    entry.sign(path, facts)
    session = runtime.open(path, 1)
    assert Facts.from_json(json.loads(session.metadata[METADATA_KEY]), "file") == facts
    after = one_at_a_time(session, one.pixels)
    assert np.array_equal(before.pred_probs, after.pred_probs)


@pytest.mark.parametrize("arch", NETWORKS)
def test_only_the_body_is_computed_in_integers(arch: str):
    graph = subject(arch).source.graph
    body, nodes = Body.of_onnx(graph), {node.name: node for node in graph.graph.node}
    assert set(body.in_integers(())) <= body.names
    assert body.layers
    weights = [nodes[name].input[1] for name in body.layers]
    assert not [name for name in weights if name.startswith(("network.head.", "preprocess.", "novelty."))]
    # Whatever goes into the first layer is exact, and whatever comes after the features is float.
    outside = [node for node in graph.graph.node if node.name not in body.names]
    assert {"Cast", "Softmax"} <= {node.op_type for node in outside}
    assert set(body.in_integers(body.layers)).isdisjoint(body.layers)


def test_what_joins_nothing_but_floats_is_in_float():
    body = Body.of_onnx(subject("resnet20").source.graph)
    whole = set(body.in_integers(()))
    joins = {name for name in whole if "add" in name}
    assert joins
    one = body.layers[2]  # its result is added to the first layer's, which stays in integers
    assert whole - set(body.in_integers((one,))) == {one}
    both = set(body.in_integers((body.layers[0], one)))
    assert len(joins - both) == 1
    assert not joins & set(body.in_integers(body.layers))


def test_onnx_files_hold_weights_of_seven_bits_a_scale_for_each_channel(tmp_path: Path):
    entry, one = able("onnx-int8"), subject("taper")
    entry.prepare(one.source).write(tmp_path / "m.onnx", ())
    model = onnx.load(tmp_path / "m.onnx")
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    weights = {name: array for name, array in values.items() if name.endswith("weight_quantized")}
    assert len(weights) == 4
    for name, array in weights.items():
        assert array.dtype == np.int8
        assert np.abs(array).max() == 64
        assert values[name.replace("_quantized", "_scale")].shape == (len(array),)
    head = values["network.head.classifier.weight"]
    assert head.dtype == np.float32
    assert {node.op_type for node in model.graph.node} >= {"QuantizeLinear", "DequantizeLinear", "Gemm", "Softmax"}
