"""Pictures of different sizes in one file, so that threads and processes share them and none is ever copied."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gonogo.types import Int64Array

Int8Array = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Stack:
    """Pictures (h, w) int8; a copy of this object in another process shows the same pictures.

    Attributes:
        folder: holds the pictures and their sizes.
    """

    folder: Path

    @classmethod
    def create(cls, folder: Path, shapes: Int64Array) -> Stack:
        """Make room in a folder for pictures of these heights and widths (N, 2), all zeros."""
        np.save(folder / "shapes.npy", shapes)
        with (folder / "pictures").open("wb") as stream:
            stream.truncate(max(1, int(shapes.prod(axis=1).sum())))
        return cls(folder)

    def __getitem__(self, index: int) -> Int8Array:
        """Return a picture (h, w) as a view that can be written to."""
        pictures, shapes, starts = _open(self.folder)
        height, width = shapes[index]
        return pictures[starts[index] : starts[index] + height * width].reshape(height, width)


@lru_cache(maxsize=1)
def _open(folder: Path) -> tuple[Int8Array, Int64Array, Int64Array]:
    shapes = np.load(folder / "shapes.npy")
    starts = np.concatenate([[0], np.cumsum(shapes.prod(axis=1))])
    return np.asarray(np.memmap(folder / "pictures", dtype=np.int8, mode="r+")), shapes, starts
