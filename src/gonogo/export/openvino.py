"""OpenVINO's IR, made from the ONNX graph, with the facts of the gauge in the file's own run-time information."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import onnx

from gonogo.errors import ExportError
from gonogo.export import Exporter
from gonogo.export.onnx import strip, to_model
from gonogo.gauge.facts import METADATA_KEY, Facts
from gonogo.models.deployed import Deployed
from gonogo.runtimes.openvino import WEIGHTS, core, load_openvino, read_file
from gonogo.types import UInt8Array


def write(network: Deployed, facts: Facts, calibration: UInt8Array, path: Path) -> None:
    """Write the deployed network as two files: the graph under `path`, its weights beside it.

    Args:
        network: in evaluation mode, on the CPU.
        facts: what the file's run-time information says.
        calibration: (N, H, W, C) uint8, N at least 2; an example of the input.
        path: of the graph.

    Raises:
        ExportError: the network holds something that ONNX or OpenVINO cannot say.
        MissingExtraError: OpenVINO is not installed.
    """
    load_openvino()
    graph = to_model(network, facts, calibration)
    strip(graph)
    model = from_onnx(graph)
    sign(model, facts)
    save(model, path)


def from_onnx(graph: onnx.ModelProto) -> Any:
    """Turn an ONNX graph into OpenVINO's.

    Raises:
        ExportError: it holds an operator that OpenVINO does not know.
    """
    try:
        return core().read_model(model=graph.SerializeToString(), weights=b"")
    except RuntimeError as error:
        raise ExportError(f"this network cannot be written for OpenVINO ({str(error).splitlines()[-1]})") from error


def sign(model: Any, facts: Facts) -> None:
    """Put the facts into the run-time information."""
    model.set_rt_info(json.dumps(facts.to_json(), sort_keys=True), [METADATA_KEY])


def save(model: Any, path: Path) -> None:
    """Write graph and weights; OpenVINO itself would refuse a name that does not end in .xml."""
    with tempfile.TemporaryDirectory(prefix="gonogo-") as folder:
        graph, weights = Path(folder) / "model.xml", Path(folder) / "model.bin"
        load_openvino().serialize(model, str(graph), str(weights))
        path.write_bytes(graph.read_bytes())
        path.with_suffix(WEIGHTS).write_bytes(weights.read_bytes())


def sign_file(path: Path, facts: Facts) -> None:
    """Put the facts into a file that was written."""
    model = read_file(path)
    sign(model, facts)
    save(model, path)


EXPORTER = Exporter("model.xml", "openvino", "fp32", write, ("model.bin",))
