"""TFLite files for LiteRT, by LiteRT Torch, with the facts of the gauge in a metadata buffer of the file."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gonogo.errors import ExportError, MissingExtraError
from gonogo.export import Exporter
from gonogo.export.litert_graph import KEPT, tidied
from gonogo.gauge.facts import METADATA_KEY, Facts
from gonogo.models.architecture import Network
from gonogo.models.deployed import Deployed
from gonogo.runtimes.quiet import quiet
from gonogo.types import UInt8Array

EXTRA = "litert-export"
PACKAGE = "litert-torch"


class Body(nn.Module):
    """What computes the features, in a module of its own: the converter names operators after modules' classes."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `Network.watch` does."""
        return self.network.watch(inputs)


class Named(nn.Module):
    """The deployed network with names for its outputs, which LiteRT keeps in the file's signature."""

    def __init__(self, deployed: Deployed) -> None:
        super().__init__()
        self.deployed, self.body = deployed, Body(deployed.network)

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """Turn (1, H, W, C) uint8 into the answers by name."""
        told = self.deployed.conclude(*self.body(self.deployed.preprocess(pixels)))
        return dict(zip(self.deployed.outputs, told, strict=True))


# How the converter's names say that an operator is the body's.
BODY_SCOPE = f"{Body.__module__}.{Body.__qualname__}_body/"


def write(network: Deployed, facts: Facts, calibration: UInt8Array, path: Path) -> None:
    """Write the deployed network: (1, H, W, C) uint8 `pixels` to `pred_probs`, `heatmap` and perhaps `novelty`.

    Args:
        network: in evaluation mode, on the CPU.
        facts: what the file's metadata says.
        calibration: (N, H, W, C) uint8; an example of the input.
        path: the file to write.

    Raises:
        ExportError: the network holds something that LiteRT cannot say.
        MissingExtraError: LiteRT Torch is not installed.
    """
    path.write_bytes(to_tflite(network, facts, calibration))
    sign_file(path, facts)


def to_tflite(network: Deployed, facts: Facts, calibration: UInt8Array) -> bytes:
    """Return the file without facts; arguments and errors as of `write`."""
    litert_torch = load_converter()
    geometry = facts.geometry
    x, y, width, height = geometry.region
    # A file for photos of any size takes what the crop reaches: one size, which every TFLite runtime can plan for.
    far = (y + height, x + width) if geometry.height is None else calibration.shape[1:3]
    pixels = torch.from_numpy(calibration[:1, : far[0], : far[1]].copy())
    try:
        with hushed(), torch.no_grad():
            model = litert_torch.convert(Named(network).eval(), sample_kwargs={"pixels": pixels})
            content = model.model_content()
    except (RuntimeError, ValueError, NotImplementedError, torch._dynamo.exc.TorchDynamoException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ExportError(f"this network cannot be written for LiteRT ({reason}); --debug shows where") from error
    return tidied(content, BODY_SCOPE)


def load_converter() -> Any:
    """Import LiteRT Torch, which takes seconds and speaks of its own parts.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        with hushed():
            import litert_torch
    except ImportError as error:
        raise MissingExtraError(PACKAGE, EXTRA) from error
    return litert_torch


@contextmanager
def hushed() -> Iterator[None]:
    """Keep the converter's progress and its warnings of its own internals from the user."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()), quiet():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def sign_file(path: Path, facts: Facts) -> None:
    """Put the facts into a file that was written, in the place of those that are there."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(path.read_bytes()))
    for old in model.metadata or []:
        if old.name.decode() not in KEPT:
            model.buffers[old.buffer].data = None
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(json.dumps(facts.to_json(), sort_keys=True).encode())
    entry.name, entry.buffer = METADATA_KEY, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [old for old in model.metadata or [] if old.name.decode() in KEPT] + [entry]
    model.description = "gonogo"
    path.write_bytes(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))


EXPORTER = Exporter("model.tflite", "litert", "fp32", write)
