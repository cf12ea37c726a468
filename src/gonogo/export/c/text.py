"""How numbers and places are written in C."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from gonogo.export.c.plan import Apply, Operand
from gonogo.export.c.views import Buffer, View

Array = np.ndarray[Any, Any]

WIDTH = 118
LONGEST_STRING = 4095
QUOTE = '\\"'


def number(value: float) -> str:
    """Write a float32 so that reading it gives the very same one, in as few characters as there are.

    Example:
        >>> number(0.1), number(-2), number(1e30)
        ('.1f', '-2.f', '1e30f')
    """
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    short = np.format_float_positional(np.float32(value), unique=True, trim="-")
    exact = np.format_float_scientific(np.float32(value), unique=True, trim="-", exp_digits=1).replace("e+", "e")
    plain = short if "." in short else f"{short}."
    plain = plain.replace("0.", ".", 1) if plain.startswith(("0.", "-0.")) and plain.strip("-") != "0." else plain
    return f"{min(plain, exact, key=len)}f"


def array(name: str, values: Array) -> str:
    """Write a const array of float32, int8 or int32 values."""
    flat = values.ravel()
    kind: str
    write: Callable[[Any], str]
    kind, write = ("float", number) if values.dtype == np.float32 else (f"{values.dtype}_t", str)
    return f"static const {kind} {name}[{flat.size}] = {{\n{_lines(map(write, flat.tolist()))}\n}};\n"


def whole_array(kind: str, name: str, values: Sequence[int]) -> str:
    """Write a const array of whole numbers."""
    return f"static const {kind} {name}[{len(values)}] = {{\n{_lines(map(str, values))}\n}};\n"


def _lines(words: Iterable[str]) -> str:
    lines, line = [], ""
    for word in words:
        if line and len(line) + len(word) + 1 > WIDTH:
            lines.append(line)
            line = ""
        line += f"{word},"
    return "\n".join([*lines, line])


def string(name: str, text: str) -> str:
    """Write a const string; one that is longer than C99 promises to take, as an array of character codes."""
    if len(text.encode()) > LONGEST_STRING:
        codes = [str(byte) for byte in text.encode()]
        return f"const char {name}[{len(codes) + 1}] = {{\n{_lines([*codes, '0'])}\n}};\n"
    lines = "\n".join(f"    {quoted(text[at : at + 90])}" for at in range(0, len(text), 90))
    return f"const char {name}[] =\n{lines};\n"


def quoted(text: str) -> str:
    """Return a C string; what is not plain ASCII, or could end or change the string, stands as octal bytes."""
    plain = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-.,:+()/{}[]'=<>%")
    return '"' + "".join(chr(b) if chr(b) in plain else QUOTE if b == 34 else f"\\{b:03o}" for b in text.encode()) + '"'


def indented(text: str, by: int = 4) -> str:
    """Move lines to the right."""
    return textwrap.indent(text, " " * by)


def sum_of(offset: int, terms: Iterable[tuple[str, int]]) -> str:
    """Write an index: `i * 4 + j`."""
    parts = [name if stride == 1 else f"{name} * {stride}" for name, stride in terms if stride]
    if offset or not parts:
        parts.append(str(offset))
    return " + ".join(parts)


class Pointers:
    """The pointers that a step declares: one for each place it reads or fills."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, int], str] = {}
        self._lines: list[str] = []

    def of(self, view: View, *, shift: int = 0, to_write: bool = False, name: str = "") -> str:
        """Return the name of a pointer to a view's first element, moved by `shift`."""
        offset = view.offset + shift
        base = "v" if isinstance(view.base, Buffer) else view.base
        if isinstance(view.base, Buffer) and view.whole:
            base = f"({'' if to_write else 'const '}uint8_t *)(v + {view.base.offset})"
        elif isinstance(view.base, Buffer):
            offset += view.base.offset
        key = (base, offset)
        if key not in self._names or to_write:
            name = name or ("y" if to_write else f"x{len(self._names)}")
            self._names.setdefault(key, name)
            kind = "uint8_t" if base == "arena.levels" or view.whole else "float"
            const = "" if to_write else "const "
            self._lines.append(f"{const}{kind} *const {name} = {base}{_signed(offset)};")
            return name
        return self._names[key]

    @property
    def lines(self) -> list[str]:
        """The declarations."""
        return self._lines


class Nest:
    """Loops over the places of a tensor, the innermost over neighbours in memory.

    Args:
        shape: of the places.
        views: what is read and filled there, all of this shape (0 strides where a number is repeated).
        lead: the view whose order in memory the loops follow.
        letter: of the loops' variables.
        merge: make one loop of dimensions that lie as one in every view.
    """

    def __init__(
        self, shape: Sequence[int], views: Sequence[View], lead: View, letter: str = "i", *, merge: bool = True
    ) -> None:
        dims = [dim for dim in range(len(shape)) if shape[dim] > 1]
        dims.sort(key=lambda dim: -lead.strides[dim])
        groups: list[tuple[int, list[int]]] = []
        for dim in dims:
            strides = [view.strides[dim] for view in views]
            if merge and groups and all(g == s * shape[dim] for g, s in zip(groups[-1][1], strides, strict=True)):
                groups[-1] = (groups[-1][0] * shape[dim], strides)
            else:
                groups.append((shape[dim], strides))
        self.dims = dims  # one for each loop, where none were merged
        self.sizes = [size for size, _ in groups]
        self._strides = {id(view): [strides[k] for _, strides in groups] for k, view in enumerate(views)}
        self.names = [f"{letter}{k}" for k in range(len(groups))]

    def index(self, view: View) -> str:
        """Return where a view's element lies, from its pointer on."""
        return sum_of(0, zip(self.names, self._strides[id(view)], strict=True))

    def around(self, body: str, *, skip: int = 0, only: int | None = None) -> str:
        """Return the loops with something inside: all of them, without the first `skip`, or the first `only`."""
        text = body
        for name, size in reversed(list(zip(self.names, self.sizes, strict=True))[skip:only]):
            text = f"for (int {name} = 0; {name} < {size}; {name}++) {{\n{indented(text)}\n}}"
        return text


def _signed(offset: int) -> str:
    return f" {'+' if offset > 0 else '-'} {abs(offset)}" if offset else ""


def broadcast(operand: Operand, shape: tuple[int, ...]) -> Operand:
    """Return an operand with every view in it repeated to a shape."""
    if isinstance(operand, View):
        return operand.expanded(shape)
    return Apply(operand.expr, tuple(broadcast(inner, shape) for inner in operand.operands))


def views_of(operand: Operand) -> list[View]:
    """Return the views in an operand."""
    if isinstance(operand, View):
        return [operand]
    return [view for inner in operand.operands for view in views_of(inner)]
