"""LiteRT (formerly TensorFlow Lite) on the CPU, with XNNPACK."""

from __future__ import annotations

import json
import struct
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from gonogo.errors import DataError, GaugeError, MissingExtraError
from gonogo.runtimes import Placement, Runtime
from gonogo.runtimes.quiet import quiet
from gonogo.types import Answer, UInt8Array

EXTRA = "litert"
METADATA_KEY = "gonogo"
PACKAGE = "ai-edge-litert"
IDENTIFIER = b"TFL3"
DELEGATE = "DELEGATE"  # how LiteRT calls a part of the graph that something else runs


def load_interpreter() -> Any:
    """Import LiteRT's interpreter.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from ai_edge_litert import interpreter
    except ImportError as error:
        raise MissingExtraError(PACKAGE, EXTRA) from error
    return interpreter


def read_metadata(content: bytes) -> dict[str, str]:
    """Return the text that a TFLite file carries in its metadata buffers, by name; buffers of other bytes are left out.

    Args:
        content: of the whole file.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content)
    found: dict[str, str] = {}
    for place in range(model.MetadataLength()):
        entry = model.Metadata(place)
        values = model.Buffers(entry.Buffer()).DataAsNumpy()
        try:
            found[entry.Name().decode()] = values.tobytes().decode()
        except (AttributeError, UnicodeDecodeError):  # an empty buffer, or no text
            continue
    return found


class LitertSession:
    """A TFLite file with the input `pixels` and the outputs `pred_probs` and perhaps `heatmap` and `novelty`.

    Its input holds one photo, because XNNPACK plans its memory for one size; a batch is answered photo by photo. A file
    for photos of any size takes those pixels that its crop reaches, from the photo's upper left corner.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        interpreter = load_interpreter()
        try:
            content = path.read_bytes()
        except OSError as error:
            raise GaugeError(f"{path} cannot be read ({error.strerror}); copy the gauge's whole folder") from error
        try:
            if content[4:8] != IDENTIFIER:
                raise ValueError("no TFLite file")
            self.metadata = read_metadata(content)
            with quiet():
                self._model = interpreter.Interpreter(model_content=content, num_threads=threads)
                self._model.allocate_tensors()
            names: Any = next(iter(self._model._get_full_signature_list().values()), {})
        except (ValueError, RuntimeError, IndexError, struct.error) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise GaugeError(f"{path} is not a model that LiteRT can open ({reason})") from error
        inputs, outputs = names.get("inputs", {}), names.get("outputs", {})
        if list(inputs) != ["pixels"] or "pred_probs" not in outputs:
            raise GaugeError(f"{path} does not take 'pixels' and answer 'pred_probs'; it is no gauge's model")
        self._input = inputs["pixels"]
        self._outputs = {name: outputs[name] for name in Answer._fields if name in outputs}
        (self._details,) = self._model.get_input_details()
        self._shape = tuple(int(side) for side in self._details["shape"])
        geometry = json.loads(self.metadata.get(METADATA_KEY, "{}")).get("geometry", {})
        self._any_size = bool(geometry) and geometry.get("height") is None

    def __call__(self, pixels: UInt8Array) -> Answer:
        """Answer (N, H, W, C) uint8 camera pixels."""
        _, height, width, channels = self._shape
        if self._any_size and pixels.ndim == 4 and pixels.shape[1] >= height and pixels.shape[2] >= width:
            pixels = pixels[:, :height, :width]
        if pixels.dtype != np.uint8 or pixels.shape[1:] != (height, width, channels):
            found = f"{pixels.dtype} pixels of shape {pixels.shape}"
            raise DataError(f"{found} do not fit the model, which takes (N, {height}, {width}, {channels}) uint8")
        return Answer.join([self._answer(pixels[place : place + 1]) for place in range(len(pixels))])

    def _answer(self, photo: UInt8Array) -> Answer:
        self._model.set_tensor(self._input, photo)
        self._model.invoke()
        return Answer(**{name: self._model.get_tensor(place) for name, place in self._outputs.items()})


def _placement(path: Path) -> Placement:
    """Return what lies between the inputs and the outputs of delegated parts, and what does not."""
    operators = LitertSession(path)._model._get_ops_details()
    parts = [own for own in operators if own["op_name"] == DELEGATE]
    makers = {tensor: own for own in operators if own not in parts for tensor in own["outputs"]}
    taken: set[int] = set()
    for part in parts:
        given, wanted = set(part["inputs"]), list(part["outputs"])
        while wanted:
            maker = makers.get(wanted.pop())
            if maker is not None and maker["index"] not in taken:
                taken.add(maker["index"])
                wanted += [tensor for tensor in maker["inputs"] if tensor not in given]
    own = tuple(one["op_name"] for one in operators if one not in parts and one["index"] not in taken)
    return Placement("XNNPACK", len(parts), own)


def _version() -> str:
    load_interpreter()
    return version(PACKAGE)


RUNTIME = Runtime(open=LitertSession, version=_version, placement=_placement)
