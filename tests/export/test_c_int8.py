"""Eight bits in C: every quantized number is the numpy reference's, and a gauge has a threshold of its own."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gonogo.data.geometry import Geometry
from gonogo.errors import ExportError, UsageError
from gonogo.export.anew import facts_anew
from gonogo.export.c import write_files
from gonogo.export.c.fold import fold
from gonogo.export.c.graph import Graph, ordered, read_graph
from gonogo.export.c.operators import mapped, viewed
from gonogo.export.c.quantize import quantize
from gonogo.export.c.reference import evaluate, rounded
from gonogo.export.gauge import export_gauge, gauge_facts
from gonogo.export.parity import answer
from gonogo.gauge.gauge import Gauge
from gonogo.gauge.golden import verify
from gonogo.runtimes import native
from gonogo.runtimes.native import NativeSession
from gonogo.train.run import Run
from tests.helpers_c import COMPILERS, STRICT, network_as_c, photos_of, run_compiler

KINDS_OF_VECTORS = [(), ("-DGONOGO_PLAIN_C",), *([("-mno-avx",)] if platform.machine() == "x86_64" else [])]
WHOLE = ("q_map", "q_conv", "q_max_pool")


@pytest.fixture(autouse=True)
def _quick_compiler(monkeypatch: pytest.MonkeyPatch):
    """Speed is not the subject here."""
    monkeypatch.setattr(native, "FLAGS", tuple("-O1" if flag == "-O3" else flag for flag in native.FLAGS))


def quantized(folder: Path, arch: str, geometry: Geometry, **options: object) -> tuple[Graph, Graph, object, object]:
    deployed, facts, _ = network_as_c(folder, arch, geometry, **options)  # type: ignore[arg-type]
    folded = fold(read_graph(deployed))
    return folded, quantize(folded, geometry, photos_of(geometry, 4)), deployed, facts


def differing_bits(graph: Graph, facts: object, geometry: Geometry, folder: Path) -> int:
    """Return how many numbers of all quantized tensors differ between C and numpy, all of them asked for at once."""
    pixels = photos_of(geometry, 3)[2:]
    known = evaluate(graph, geometry.apply(pixels).transpose(0, 3, 1, 2))
    nodes = [node for node in graph.nodes if node.kind in WHOLE]
    lines = []
    for node in nodes:
        count = int(np.prod(node.shape))
        lines.append(viewed((1, count), mapped(node.shape, "(float){0}", node), "reshape"))
    total = sum(line.shape[1] for line in lines)
    joined = lines[0].having((), dim=1)
    joined.kind, joined.inputs, joined.shape = "cat", tuple(lines), (1, total)
    shown = {**graph.outputs, "heatmap": viewed((1, 1, total), joined, "reshape")}
    write_files(ordered(shown), facts, folder / "shown.c")  # type: ignore[arg-type]
    found = NativeSession(folder / "shown.c")(pixels).heatmap
    assert found is not None
    expected = np.concatenate([known[node].ravel() for node in nodes])
    assert len(np.unique(expected)) > 50
    return int((found.ravel() != expected).sum())


@pytest.mark.parametrize("flags", KINDS_OF_VECTORS, ids=" ".join)
@pytest.mark.parametrize(
    ("arch", "options"),
    [
        ("taper", {}),
        ("taper-study", {}),
        pytest.param("stump", {"cut": 2}, marks=pytest.mark.slow),
        pytest.param("stump", {"cut": 7}, marks=pytest.mark.slow),
        pytest.param("resnet20", {"blocks": 1}, marks=pytest.mark.slow),
        pytest.param("sheet-140k-dw", {}, marks=pytest.mark.slow),
        pytest.param("resnet20-v2", {"blocks": 1}, marks=pytest.mark.slow),
    ],
)
def test_every_quantized_number_is_that_of_the_reference(
    arch: str, options: dict[str, object], flags: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(native, "FLAGS", (*native.FLAGS, *flags))
    colour = (
        {"colour": "rgb", "mean": (120.0,) * 3, "std": (60.0,) * 3} if arch.startswith(("resnet", "taper-s")) else {}
    )
    geometry = Geometry(64, 72, 3, **colour)  # type: ignore[arg-type]
    _, graph, _, facts = quantized(tmp_path, arch, geometry, **options)
    assert differing_bits(graph, facts, geometry, tmp_path) == 0


def test_the_float_reference_answers_as_pytorch_does(tmp_path: Path):
    geometry = Geometry(64, 72)
    folded, _, deployed, _ = quantized(tmp_path, "stump", geometry, cut=4, novelty=True)
    pixels = photos_of(geometry, 1)
    known = evaluate(folded, geometry.apply(pixels).transpose(0, 3, 1, 2))
    for node, expected in zip(folded.outputs.values(), answer(deployed, pixels), strict=True):  # type: ignore[arg-type]
        assert expected is not None
        assert np.allclose(known[node], expected, rtol=1e-4, atol=1e-5)


def test_eight_bits_answer_nearly_as_the_network(tmp_path: Path):
    geometry = Geometry(64, 72)
    deployed, _, path = network_as_c(tmp_path, "taper", geometry, int8=True)
    pixels = photos_of(geometry, 6)
    expected, found = answer(deployed, pixels), NativeSession(path)(pixels)
    assert np.abs(expected.pred_probs - found.pred_probs).max() < 0.01
    assert found.heatmap is not None
    assert np.corrcoef(expected.heatmap.ravel(), found.heatmap.ravel())[0, 1] > 0.98  # type: ignore[union-attr]
    assert path.stat().st_size < 70_000


@pytest.mark.parametrize("plain", [(), ("-DGONOGO_PLAIN_C",)], ids=["vectors", "plain"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_file_in_eight_bits_is_strict_c99(compiler: str, plain: tuple[str, ...], tmp_path: Path):
    _, _, path = network_as_c(tmp_path, "stump", Geometry(60, 64, size=(48, 48)), novelty=True, int8=True, cut=3)
    done = run_compiler([compiler, *STRICT, *plain, "-O1", "-c", path, "-o", tmp_path / "gauge.o"])
    assert (done.returncode, done.stderr) == (0, "")


def test_rounding_is_half_to_even():
    assert rounded(np.float32([0.5, 1.5, 2.5, -0.5, -1.5, 1e9])).tolist() == [0, 2, 2, 0, -2, 2**21]


def test_a_gauge_in_eight_bits_has_a_threshold_and_figures_of_its_own(run_folder: Path, tmp_path: Path):
    run = Run.open(run_folder)
    exported = export_gauge(run, tmp_path / "gauge", ["c-int8"])
    (file,) = exported.gauge.files
    assert (file.precision, list(file.companions)) == ("int8", ["gauge_int8.h"])
    facts = exported.gauge.facts
    session = exported.gauge.open()
    assert facts == facts_anew(run, gauge_facts(run), session, file.path)
    assert facts.decision.threshold != run.decision.threshold
    assert facts.about["val"]["n"] == run.metrics["val"]["n"]
    assert 0 < exported.parities[0].max_abs_diff < 0.05
    ((_, parity),) = verify(Gauge.load(tmp_path / "gauge"))
    assert parity.max_abs_diff == 0


def test_a_broken_promise_or_ranking_is_not_written(run_folder: Path, tmp_path: Path):
    run = Run.open(run_folder)
    exported = export_gauge(run, tmp_path / "gauge", ["c-int8"])
    facts, session = gauge_facts(run), exported.gauge.open()

    def confused(pixels: np.ndarray):
        told = session(pixels)
        return told._replace(pred_probs=told.pred_probs[:, ::-1].copy())

    with pytest.raises(ExportError, match=r"below the interval of the network's own|is of no use"):
        facts_anew(run, facts, confused, "gauge_int8.c")  # type: ignore[arg-type]
    asked = replace(run.config, decision={"max_escape": "0.1%"})
    promising = Run(run.path)
    promising.__dict__["config"] = asked
    with pytest.raises(ExportError, match="does not keep the network's promise"):
        facts_anew(promising, facts, session, "gauge_int8.c")


def test_eight_bits_do_not_share_a_gauge(run_folder: Path, tmp_path: Path):
    with pytest.raises(UsageError, match=r"'c-int8' has a threshold of its own.*--format c-int8 alone"):
        export_gauge(Run.open(run_folder), tmp_path / "gauge", ["onnx", "c-int8"])
    assert list(tmp_path.iterdir()) == []
