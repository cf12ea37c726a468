"""int8 of the casting study's own network under ONNX Runtime is slower, and so it is refused with both figures."""

from __future__ import annotations

import json
import re
from subprocess import CompletedProcess

import pytest

from gonogo.data.geometry import Geometry
from gonogo.train.prepare import DataOptions
from gonogo.train.run import Run
from gonogo.train.train import TrainRequest, train
from tests.helpers import in_process, tree

SIDE = 300


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    from gonogo.data.synthetic import write_castings

    folder = tmp_path_factory.mktemp("study")
    write_castings(folder / "castings", parts=12, views=1, difficulty=0.0, size=SIDE, seed=3)
    request = TrainRequest(
        folder / "castings",
        folder / "run",
        "taper-study",
        options=DataOptions(reduce=1, find_copies=False, val=0.4, test=0.1),
        recipe={"epochs": 1, "batch_size": 4},
        reject_unknown=False,
    )
    return train(request)


@pytest.fixture(scope="module")
def refused(run: Run) -> tuple[CompletedProcess[str], dict[str, bytes]]:
    before = tree(run.path)
    out = run.path.parent / "gauge"
    done = in_process("quantize", run.path, "--out", out, "--max-drop", 100, "--repeats", 30, "--json")
    return done, before


@pytest.mark.slow
def test_the_network_is_the_study_s_on_photos_of_its_size(run: Run):
    geometry = run.config.geometry
    assert (geometry.input_size, geometry.colour, run.metrics["params"]) == ((SIDE, SIDE), "rgb", 5865)
    assert Geometry(SIDE, SIDE, reduce=1).input_size == geometry.input_size
    assert run.metrics["macs"] == pytest.approx(95e6, rel=0.01)


@pytest.mark.slow
def test_it_is_refused_with_its_measured_latency(refused: tuple[CompletedProcess[str], dict[str, bytes]]):
    done, _ = refused
    assert done.returncode == 1
    found = re.search(
        r"error: int8 under onnxruntime takes ([\d.]+) ms where fp32 takes ([\d.]+): .*(slower|as fast)", done.stderr
    )
    assert found, done.stderr
    slow, quick = map(float, found.groups()[:2])
    document = json.loads(done.stdout)
    reference, row = document["rows"]
    assert (row["accepted"], document["gauge"]) == (False, None)
    assert row["p50_ms"] == pytest.approx(slow, rel=0.01)
    assert reference["p50_ms"] == row["p50_ms_before"] == pytest.approx(quick, rel=0.01)
    assert row["speedup"]["undisturbed"] < 0.9
    assert document["refused"] == row["reason"]


@pytest.mark.slow
def test_nothing_was_written_and_the_run_is_as_it_was(
    run: Run, refused: tuple[CompletedProcess[str], dict[str, bytes]]
):
    assert tree(run.path) == refused[1]
    assert {path.name for path in run.path.parent.iterdir()} == {"castings", "run"}
