"""Where a tensor's numbers lie: a place to begin, and how far apart neighbours are along each dimension."""

from __future__ import annotations

from dataclasses import dataclass, replace

Shape = tuple[int, ...]


@dataclass(eq=False)
class Buffer:
    """A stretch of the arena that one step fills.

    Attributes:
        size: in floats.
        border: for a picture with zeros around it: rows and columns with the border, its widths above and left, and
            the floats of one pixel.
        birth: the step that fills it.
        death: the last step that reads it.
        offset: in the arena, once planned.
    """

    size: int
    border: Border | None = None
    birth: int = -1
    death: int = -1
    offset: int = -1


@dataclass(frozen=True)
class Border:
    """Zeros around a picture, so that convolutions need not ask where it ends; `fill` is what stands for 0 in it."""

    rows: int
    columns: int
    above: int
    left: int
    fill: int
    inner_rows: int
    inner_columns: int
    pixel: int


@dataclass(frozen=True)
class View:
    """A tensor in memory.

    Attributes:
        base: the buffer, or the name of an array.
        shape: of the tensor.
        strides: elements between neighbours along each dimension; 0 where one number is repeated.
        offset: of the first element.
        whole: True where the elements are uint8.
    """

    base: Buffer | str
    shape: Shape
    strides: Shape
    offset: int = 0
    whole: bool = False

    def permuted(self, dims: Shape) -> View:
        """Return it with its dimensions in another order."""
        return replace(self, shape=tuple(self.shape[d] for d in dims), strides=tuple(self.strides[d] for d in dims))

    def sliced(self, dim: int, start: int, step: int, size: int) -> View:
        """Return a part along one dimension."""
        shape, strides = list(self.shape), list(self.strides)
        offset = self.offset + start * strides[dim]
        shape[dim], strides[dim] = size, strides[dim] * step
        return replace(self, shape=tuple(shape), strides=tuple(strides), offset=offset)

    def expanded(self, shape: Shape) -> View:
        """Return it repeated to a larger shape, dimensions added in front."""
        lead = len(shape) - len(self.shape)
        own = [
            stride if size == wanted else 0
            for size, wanted, stride in zip(self.shape, shape[lead:], self.strides, strict=True)
        ]
        return replace(self, shape=shape, strides=(*([0] * lead), *own))

    def reshaped(self, shape: Shape) -> View | None:
        """Return it in another shape, or None where that needs the numbers in another order."""
        groups = _merged(self.shape, self.strides)
        strides: list[int] = []
        size, stride = groups.pop(0) if groups else (1, 1)
        for side in shape:
            if side == 1:
                strides.append(0)
                continue
            if size == 1 and groups:
                size, stride = groups.pop(0)
            if size % side:
                return None
            size //= side
            strides.append(stride * size)
        return replace(self, shape=shape, strides=tuple(strides))


def _merged(shape: Shape, strides: Shape) -> list[tuple[int, int]]:
    """Return (size, stride of the innermost) of dimensions that lie as one, without those of size 1."""
    groups: list[tuple[int, int]] = []
    for size, stride in zip(shape, strides, strict=True):
        if size == 1:
            continue
        if groups and groups[-1][1] == size * stride:
            groups[-1] = (groups[-1][0] * size, stride)
        else:
            groups.append((size, stride))
    return groups


def dense(shape: Shape, order: Shape | None = None, pitch: int = 1) -> tuple[Shape, int]:
    """Return strides without gaps, and how many floats they take.

    Args:
        shape: of the tensor.
        order: its dimensions, the outermost first; as they stand unless given.
        pitch: what the innermost dimension's size is rounded up to.
    """
    strides, size = [0] * len(shape), 1
    for place, dim in enumerate(reversed(order if order is not None else tuple(range(len(shape))))):
        strides[dim] = size
        size *= -(-shape[dim] // pitch) * pitch if place == 0 else shape[dim]
    return tuple(strides), size


def order_of(view: View) -> Shape:
    """Return its dimensions, the one with the longest steps first; repeated ones stay where they are among equals."""
    return tuple(sorted(range(len(view.shape)), key=lambda dim: -view.strides[dim]))


def place(buffers: list[Buffer], alignment: int = 16) -> int:
    """Give every buffer its offset, so that those in use at the same time do not overlap.

    The largest first, each at the lowest place that is free for as long as it is needed (greedy by size, Pisarchyk and
    Lee 2020, arXiv 2001.03288, section 5).

    Returns:
        How many floats the arena needs.
    """
    placed: list[Buffer] = []
    for buffer in sorted(buffers, key=lambda one: -one.size):
        offset = 0
        for other in sorted(placed, key=lambda one: one.offset):
            overlaps = other.birth <= buffer.death and buffer.birth <= other.death
            if overlaps and other.offset < offset + buffer.size and offset < other.offset + other.size:
                offset = -(-(other.offset + other.size) // alignment) * alignment
        buffer.offset = offset
        placed.append(buffer)
    return max((buffer.offset + buffer.size for buffer in placed), default=0)
