"""ONNX Runtime opens gauges and refuses everything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from gonogo.errors import DataError, GaugeError
from gonogo.runtimes import RUNTIMES
from tests.helpers import noise


def _identity_model(path: Path, input_name: str) -> Path:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in (input_name, "pred_probs")]
    graph = helper.make_graph([helper.make_node("Identity", [input_name], ["pred_probs"])], "g", value[:1], value[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def test_a_model_that_takes_no_pixels_is_no_gauge_s(tmp_path: Path):
    with pytest.raises(GaugeError, match="does not take 'pixels'"):
        RUNTIMES.get("onnxruntime").open(_identity_model(tmp_path / "m.onnx", "x"), 1)


@pytest.mark.parametrize("data", [b"", b"text", b"\x08\x07"])
def test_what_is_no_model_is_refused_in_one_line(data: bytes, tmp_path: Path):
    (tmp_path / "m.onnx").write_bytes(data)
    with pytest.raises(GaugeError, match=r"m\.onnx") as caught:
        RUNTIMES.get("onnxruntime").open(tmp_path / "m.onnx", 1)
    assert "\n" not in str(caught.value)


def test_pixels_of_another_shape_are_refused(gauge_folder: Path):
    session = RUNTIMES.get("onnxruntime").open(gauge_folder / "model.onnx", 1)
    with pytest.raises(DataError, match=r"shape \(1, 9, 9, 1\)"):
        session(noise(9, 9)[None])


def test_answers_do_not_depend_on_threads_or_batch(gauge_folder: Path):
    pixels = np.stack([noise(64, 64, seed=n) for n in range(4)])
    one = RUNTIMES.get("onnxruntime").open(gauge_folder / "model.onnx", 1)
    two = RUNTIMES.get("onnxruntime").open(gauge_folder / "model.onnx", 2)
    alone = np.concatenate([one(photo[None])[0] for photo in pixels])
    assert alone.shape == (4, 2)
    assert np.allclose(alone.sum(axis=1), 1, atol=1e-6)
    for found in (one(pixels)[0], two(pixels)[0]):
        assert np.abs(found - alone).max() <= 1e-6


def test_the_version_is_that_of_the_library():
    import onnxruntime

    assert RUNTIMES.get("onnxruntime").version() == onnxruntime.__version__
