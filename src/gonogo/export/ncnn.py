"""ncnn's graph and weights, by PNNX, with the facts of the gauge below the graph's last layer."""

from __future__ import annotations

import json
import subprocess
import tempfile
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from gonogo.data.geometry import LUMA_HALF, LUMA_SCALE, TAP_SCALE
from gonogo.errors import ExportError, MissingExtraError
from gonogo.export import Exporter
from gonogo.gauge.facts import Facts
from gonogo.models.deployed import Deployed
from gonogo.runtimes.ncnn import EXTRA, INPUT_MARK, MARK, WEIGHTS, load_ncnn, pixel_type
from gonogo.types import UInt8Array

SECONDS = 300
# Layers that PNNX leaves under PyTorch's name, because ncnn has none for them.
EXPAND = "Tensor.expand_as"


class FromPixels(nn.Module):
    """The deployed network from what ncnn's `Mat::from_pixels` gives: one photo as floats from 0 to 255."""

    def __init__(self, network: Deployed) -> None:
        super().__init__()
        self.network = network

    def forward(self, values: Tensor) -> tuple[Tensor, ...]:
        """Answer (1, C, H, W) float32 grey levels; returns as `Deployed.forward`."""
        preprocess = self.network.preprocess
        geometry = preprocess.geometry
        x, y, _, _ = geometry.region
        (rows, columns), r = geometry.reduced_size, geometry.reduce
        # Products by powers of two: ncnn divides by an approximate reciprocal, and halves would come out too low.
        values = values[:, :, y : y + rows * r, x : x + columns * r]
        if geometry.colour == "grey" and geometry.channels == 3:
            values = torch.floor(((values * preprocess.luma).sum(1, keepdim=True) + LUMA_HALF) * (1 / LUMA_SCALE))
        # Pooled also where nothing is reduced: PNNX tells by it which axis is the batch, and where nothing tells, it
        # counts axes off by one. A mean is a whole number of 1/r^2; a quarter of one more rounds halves up for sure.
        pooled = nn.functional.avg_pool2d(values, r, r)
        values = torch.floor(pooled + (0.5 + 0.25 / r**2)) if r > 1 else pooled
        if geometry.size is not None:
            resized = preprocess.down @ (values @ preprocess.across)
            values = torch.floor((resized + TAP_SCALE**2 // 2) * (1 / TAP_SCALE**2))
        return self.network.answer(preprocess.normalise(values))


def write(network: Deployed, facts: Facts, calibration: UInt8Array, path: Path) -> None:
    """Write the deployed network as two files: the graph under `path`, its weights beside it.

    Args:
        network: in evaluation mode, on the CPU.
        facts: what is written below the graph.
        calibration: (N, H, W, C) uint8; an example of the input.
        path: of the graph.

    Raises:
        ExportError: the network holds something that ncnn cannot say.
        MissingExtraError: ncnn or PNNX is not installed.
    """
    load_ncnn()
    geometry = facts.geometry
    x, y, width, height = geometry.region
    far = (y + height, x + width) if geometry.height is None else calibration.shape[1:3]
    example = torch.from_numpy(calibration[:1, : far[0], : far[1]].copy()).permute(0, 3, 1, 2).float()
    with tempfile.TemporaryDirectory(prefix="gonogo-") as folder:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # tracing speaks of sizes that are the same for every photo
            traced = torch.jit.trace(FromPixels(network).eval(), example, check_trace=False)  # type: ignore[no-untyped-call]
        traced.save(f"{folder}/model.pt")
        _convert(Path(folder), tuple(example.shape))
        graph = _known_layers((Path(folder) / "model.ncnn.param").read_text(encoding="utf-8"))
        said = f"{MARK}{json.dumps(facts.to_json(), sort_keys=True)}\n{INPUT_MARK}{pixel_type(geometry.channels)}\n"
        path.write_text(graph + said, encoding="utf-8")
        path.with_suffix(WEIGHTS).write_bytes((Path(folder) / "model.ncnn.bin").read_bytes())


def _convert(folder: Path, shape: tuple[int, ...]) -> None:
    """Run PNNX, a program of its own, which leaves its files beside the traced network."""
    try:
        import pnnx
    except ImportError as error:
        raise MissingExtraError("pnnx", EXTRA) from error
    command = [pnnx.EXEC_PATH, "model.pt", f"inputshape=[{','.join(map(str, shape))}]f32", "fp16=0"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode != 0 or not (folder / "model.ncnn.param").is_file():
        said = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise ExportError(f"this network cannot be written for ncnn ({said})")


def _known_layers(graph: str) -> str:
    """Write what ncnn has no layer for with layers that it has.

    Raises:
        ExportError: it holds another layer that ncnn does not have; PNNX leaves such under PyTorch's own name.
    """
    magic, counts, *lines = graph.splitlines()
    layers, blobs = map(int, counts.split())
    written = []
    for line in lines:
        kind, name, inputs, _, *rest = line.split()
        if kind == EXPAND:
            value, like, made = rest[int(inputs) - 2], rest[1], rest[2]
            written.append(f"BinaryOp {name}_zero 1 1 {like} {name}_zero 0=2 1=1 2=0.0")
            written.append(f"BinaryOp {name} 2 1 {name}_zero {value} {made} 0=0")
            layers, blobs = layers + 1, blobs + 1
        elif "." in kind or "::" in kind or kind.startswith(("aten", "prim", "torch", "F", "nn")):
            raise ExportError(f"this network cannot be written for ncnn: it has no layer for '{kind}'")
        else:
            written.append(line)
    return "\n".join([magic, f"{layers} {blobs}", *written]) + "\n"


EXPORTER = Exporter("model.param", "ncnn", "fp32", write, ("model.bin",))
