"""ncnn on the CPU."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gonogo.errors import DataError, GaugeError, MissingExtraError
from gonogo.runtimes import Runtime
from gonogo.runtimes.quiet import quiet
from gonogo.types import Answer, UInt8Array

EXTRA = "ncnn"
WEIGHTS = ".bin"
MAGIC = "7767517"
METADATA_KEY = "gonogo"
# What stands before the facts, below the last layer, where ncnn reads no further.
MARK = f"# {METADATA_KEY} "
# And before the pixel type, of ncnn's own, that `in0` is made of; its graph takes no bytes.
INPUT_KEY = "gonogo_input"
INPUT_MARK = f"# {INPUT_KEY} "


def pixel_type(channels: int) -> str:
    """Name what camera pixels are to `ncnn::Mat::from_pixels`."""
    return "PIXEL_RGB" if channels == 3 else "PIXEL_GRAY"


@cache
def load_ncnn() -> Any:
    """Import ncnn.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import ncnn
    except ImportError as error:
        raise MissingExtraError("ncnn", EXTRA) from error
    return ncnn


def _read_graph(path: Path) -> tuple[str, dict[str, str]]:
    """Return the text of a graph and what it carries."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GaugeError(f"{path} is not a graph that ncnn can open ({error})") from error
    lines = text.splitlines()
    if lines[:1] != [MAGIC]:
        raise GaugeError(f"{path} is not a graph that ncnn can open (it does not begin with {MAGIC})")
    carried = [line.removeprefix(MARK) for line in lines if line.startswith(MARK)]
    if len(carried) != 1:
        raise GaugeError(f"{path} carries no gonogo metadata; give a gauge that 'gonogo export' wrote")
    inputs = [line.removeprefix(INPUT_MARK) for line in lines if line.startswith(INPUT_MARK)]
    return text, {METADATA_KEY: carried[0]} | dict.fromkeys([INPUT_KEY] if inputs else [], "".join(inputs))


class NcnnSession:
    """A graph whose weights lie beside it, with the input `in0` and the outputs `out0`, `out1` and perhaps `out2`.

    ncnn has no bytes: camera pixels go in through its own `Mat::from_pixels`, as grey or RGB floats from 0 to 255.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._ncnn = ncnn = load_ncnn()
        text, self.metadata = _read_graph(path)
        weights = path.with_suffix(WEIGHTS)
        if not weights.is_file():
            raise GaugeError(f"{weights} is missing; copy the gauge's whole folder, or export it again")
        geometry = json.loads(self.metadata[METADATA_KEY])["geometry"]
        self._geometry, self._channels = geometry, int(geometry.get("channels", 1))
        self._outputs = [(name, f"out{place}") for place, name in enumerate(Answer._fields) if f" out{place} " in text]
        self._net = ncnn.Net()
        options = self._net.opt
        options.num_threads = threads
        # Half precision would not answer as the network does.
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
        options.use_bf16_storage = options.use_vulkan_compute = False
        # Several outputs are asked for, one after the other, and may share what lies before them.
        options.lightmode = False
        with quiet():
            opened = self._net.load_param(str(path)) == 0 and self._net.load_model(str(weights)) == 0
        if not opened:
            raise GaugeError(f"{path} and {weights.name} are not a model that ncnn can open; export the gauge again")

    def __call__(self, pixels: UInt8Array) -> Answer:
        """Answer (N, H, W, C) uint8 camera pixels, one photo after the other."""
        height, width = self._geometry.get("height"), self._geometry.get("width")
        if height is None:
            x, y, columns, rows = self._geometry["crop"]
            height, width = y + rows, x + columns
            pixels = pixels[:, :height, :width] if pixels.ndim == 4 else pixels
        if pixels.dtype != np.uint8 or pixels.shape[1:] != (height, width, self._channels):
            found = f"{pixels.dtype} pixels of shape {pixels.shape}"
            raise DataError(f"{found} do not fit the model, which takes (N, {height}, {width}, {self._channels}) uint8")
        return Answer.join([self._answer(photo) for photo in pixels])

    def _answer(self, photo: UInt8Array) -> Answer:
        kind = getattr(self._ncnn.Mat.PixelType, pixel_type(self._channels))
        rows = photo if self._channels == 3 else photo[:, :, 0]
        told = {}
        with self._net.create_extractor() as extractor:
            extractor.input(
                "in0", self._ncnn.Mat.from_pixels(np.ascontiguousarray(rows), kind, photo.shape[1], photo.shape[0])
            )
            for name, blob in self._outputs:
                _, values = extractor.extract(blob)
                told[name] = np.array(values, dtype=np.float32)
        pred_probs, heatmap = told["pred_probs"], told.get("heatmap")
        novelty = told.get("novelty")
        return Answer(
            pred_probs.reshape(1, -1),
            None if heatmap is None else heatmap.reshape(1, *heatmap.shape[-2:]),
            None if novelty is None else novelty.reshape(1),
        )


def _version() -> str:
    return str(load_ncnn().__version__)


RUNTIME = Runtime(open=NcnnSession, version=_version)
