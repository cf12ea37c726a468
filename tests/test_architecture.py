"""The house: which room may import which, what a device must not need, and how long a file or function may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.helpers import REPOSITORY, SOURCE, python

# A room imports only from itself and from rooms above it. Rooms on one line do not import each other.
ORDER: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("types",),
    ("registry", "config", "files", "workers", ""),  # "" is gonogo/__init__.py, which names only the version
    ("data",),
    ("evaluate",),
    ("audit",),
    ("splitting",),
    ("runtimes",),
    ("gauge",),
    ("models",),
    ("train",),
    ("export",),
    ("bench",),
    ("compress",),
    ("advise",),
    ("search",),
    ("report",),
    ("assess",),
    ("demo", "fitting"),
    ("studies",),
    ("serve",),
    ("cli",),
    ("__main__",),
)
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
TRAINING_ONLY = {"torch", "lightning", "lightning_fabric", "safetensors", "onnx", "onnxscript", "pyarrow", "sklearn"}
# ExecuTorch's Python binding takes PyTorch's tensors and nothing else; on a device without it, its C++ runtime answers.
BINDS_TORCH = {"runtimes/executorch.py"}
MOST_FILE_LINES, MOST_FUNCTION_LINES = 400, 60

FILES = sorted(path for path in SOURCE.rglob("*.py"))


def room_of(module: str) -> str:
    """Return the first part below gonogo of a dotted name."""
    return module.split(".")[1] if "." in module else ""


def _without_type_checking(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from (inner for other in child.orelse for inner in (other, *_without_type_checking(other)))
            continue
        yield child
        yield from _without_type_checking(child)


def imports(source: str, package: str) -> set[str]:
    """Return the dotted names a file imports anywhere, also inside functions, but not for type checking alone."""
    found: set[str] = set()
    for node in _without_type_checking(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # "from gonogo import data" names a room, "from gonogo import __version__" does not.
            names = {f"{module}.{alias.name}" for alias in node.names} if module == "gonogo" else {module}
            found |= {"gonogo" if name.startswith("gonogo.__") else name for name in names}
    return found


def _module(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)


def _imports_of(path: Path) -> set[str]:
    module = _module(path)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return imports(path.read_text(encoding="utf-8"), package.removesuffix(".__init__"))


def _room(path: Path) -> str:
    return room_of(_module(path).removesuffix(".__init__"))


def test_the_reader_of_imports_sees_what_it_should():
    source = """
import torch.nn as nn
from gonogo import __version__, data
from . import sibling
from ..errors import DataError
if TYPE_CHECKING:
    from gonogo.cli import main
else:
    import onnx
def f():
    from gonogo.gauge.gauge import Gauge
"""
    assert imports(source, "gonogo.train") == {
        "torch.nn",
        "gonogo",
        "gonogo.data",
        "gonogo.train",
        "gonogo.errors",
        "onnx",
        "gonogo.gauge.gauge",
    }
    assert [room_of(name) for name in ("gonogo", "gonogo.data", "gonogo.gauge.gauge")] == ["", "data", "gauge"]


def test_every_room_has_its_place_in_the_order():
    assert {_room(path) for path in FILES} - set(RANK) == set()
    assert len(FILES) > 50


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_a_room_imports_only_itself_and_rooms_above_it(path: Path):
    room = _room(path)
    used = {room_of(name) for name in _imports_of(path) if name.split(".")[0] == "gonogo"} - {room}
    assert {other for other in used if other not in RANK or RANK[other] >= RANK[room]} == set()


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if RANK[_room(path)] < RANK["models"]],
    ids=lambda path: path.relative_to(SOURCE).as_posix(),
)
def test_what_runs_on_a_device_never_imports_what_only_training_needs(path: Path):
    allowed = {"torch"} if path.relative_to(SOURCE).as_posix() in BINDS_TORCH else set()
    assert {name.split(".")[0] for name in _imports_of(path)} & TRAINING_ONLY == allowed


HEAVY = ("torch", "onnxruntime", "onnx", "scipy", "sklearn", "pyarrow", "PIL", "lightning_fabric")


def test_importing_gonogo_loads_nothing_heavy():
    done = python(f"import sys, gonogo; print([m for m in {HEAVY!r} + ('numpy',) if m in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["predict", "--help"], ["--version"]])
def test_asking_for_help_loads_nothing_heavy(arguments: list[str]):
    code = f"""
import sys
from gonogo.cli import main
sys.argv = ["gonogo", *sys.argv[1:]]
try:
    main()
except SystemExit as leaving:
    print(leaving.code, [m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)
"""
    done = python(code, *arguments)
    assert done.stderr.strip() == "0 []"
    assert done.stdout


def test_the_public_names_are_those_that_are_promised():
    import gonogo

    assert sorted(gonogo.__all__) == dir(gonogo)
    assert all(getattr(gonogo, name) is not None for name in gonogo.__all__)
    assert {"Gauge", "Geometry", "Manifest", "Verdict", "read_dataset", "GonogoError"} <= set(gonogo.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Gague'"):
        gonogo.Gague  # noqa: B018


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_files_and_functions_stay_short(path: Path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) < MOST_FILE_LINES
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.body[0].lineno + 1
            docstring = node.body[0]
            if isinstance(docstring, ast.Expr) and isinstance(docstring.value, ast.Constant):
                lines -= (docstring.end_lineno or 0) - docstring.lineno + 1
            assert lines < MOST_FUNCTION_LINES, f"{node.name} has {lines} lines"


def test_the_tests_mirror_the_source():
    rooms = {path.name for path in SOURCE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert {room for room in rooms if not any((REPOSITORY / "tests" / room).glob("test_*.py"))} == set()


def test_the_order_names_each_room_once():
    rooms = [room for line in ORDER for room in line]
    assert len(rooms) == len(set(rooms))
    assert all(RANK[a] < RANK[b] for a, b in pairwise(("data", "evaluate", "gauge", "models", "train", "cli")))
