"""The interpreter for microcontrollers answers a TFLite file as LiteRT does, in an arena whose size is measured."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from gonogo.compress.quantize.quantize import QuantizeRequest, quantize
from gonogo.gauge.gauge import Gauge
from gonogo.gauge.golden import Golden, check_golden, one_at_a_time
from gonogo.train.run import Run
from gonogo.types import Answer
from tests.helpers import need

# Kernels round the last step of eight bits differently: what that may move a probability by.
STEPS = {"int8": 0.01, "fp32": 1e-4}


@pytest.fixture(scope="module")
def gauge(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Gauge:
    need("litert-int8")
    need("tflite-micro")
    out = tmp_path_factory.mktemp("micro") / "gauge"
    # On this processor integers are slower for so small a network, which is no concern of a microcontroller's.
    request = QuantizeRequest(Run.open(run_folder), out, ("litert-int8",), max_drop=100, min_speedup=1e-6, repeats=10)
    made = quantize(request).gauge
    assert made is not None
    return made


@pytest.mark.slow
@pytest.mark.parametrize("precision", STEPS)
def test_a_microcontroller_answers_as_litert(precision: str, gauge: Gauge, capfd: pytest.CaptureFixture[str]):
    from tflite_micro.python.tflite_micro import runtime

    (file,) = (file for file in gauge.files if file.precision == precision)
    pixels = Golden.load(check_golden(gauge)).pixels
    expected = one_at_a_time(gauge.open(file), pixels)
    micro = runtime.Interpreter.from_bytes(gauge.file_path(file).read_bytes())
    answers = []
    for photo in pixels:
        micro.set_input(photo[None], 0)
        micro.invoke()
        answers.append(Answer(*(micro.get_output(place).copy() for place in range(3))))
    found = Answer.join(answers)
    decision = gauge.facts_of(file).decision
    assert decision.verdicts(found.pred_probs, found.novelty) == decision.verdicts(
        expected.pred_probs, expected.novelty
    )
    assert np.abs(found.pred_probs - expected.pred_probs).max() < STEPS[precision]
    assert found.heatmap is not None
    assert np.corrcoef(found.heatmap.ravel(), expected.heatmap.ravel())[0, 1] > 0.999
    capfd.readouterr()
    micro.print_allocations()
    (arena,) = re.findall(r"Arena allocation total (\d+) bytes", capfd.readouterr().err)
    # 64x64 pixels of one byte become floats, 16 kB; two such planes are alive at a time, and what keeps the books.
    assert 2 * 64 * 64 * 4 < int(arena) < 80_000
