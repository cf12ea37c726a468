"""A gauge's C file, compiled for this very machine and called from Python.

To open such a file is to run it: open gauges that you trust, as you would any program.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gonogo.data.scan import cache_folder
from gonogo.errors import DataError, GaugeError
from gonogo.files import atomic_file, remove_leftovers
from gonogo.runtimes import Runtime
from gonogo.types import Answer, UInt8Array

COMPILERS = ("gcc", "clang", "cc")
# Contracting a product and a sum into one instruction is what the target's own instructions are for; -std=c99 alone
# would forbid it. Without -fno-trapping-math GCC does not compute both sides of a choice between floats, and so no
# vectors of them; no value changes by it.
FLAGS = ("-std=c99", "-O3", "-fPIC", "-shared", "-ffp-contract=fast", "-fno-trapping-math")
NATIVE = "-march=native"
SECONDS = 600
# The four words after the answers: novelty, probability, label, verdict.
TAIL = 4
METADATA_KEY = "gonogo"


def find_compiler() -> list[str]:
    """Return the C compiler's command: the variable CC, or the first of gcc, clang and cc.

    Raises:
        GaugeError: there is none.
    """
    named = shlex.split(os.environ.get("CC", ""))
    if named:
        if shutil.which(named[0]) is None:
            raise GaugeError(f"CC names '{named[0]}', which is no program here; give a C compiler, such as CC=gcc")
        return named
    for name in COMPILERS:
        found = shutil.which(name)
        if found:
            return [found]
    raise GaugeError(
        "a gauge's C file needs a C compiler, found none of gcc, clang and cc; install one (Debian: apt-get install "
        "gcc), or set CC to it"
    )


@cache
def compiler_version(command: tuple[str, ...]) -> str:
    """Return the first line that a compiler says of itself."""
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False, timeout=SECONDS)
    return (done.stdout.splitlines() or [f"{command[0]} ?"])[0]


@cache
def _target(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the flag for this machine's own instructions, where the compiler knows it."""
    done = subprocess.run(
        [*command, NATIVE, "-E", "-x", "c", os.devnull], capture_output=True, check=False, timeout=SECONDS
    )
    return (NATIVE,) if done.returncode == 0 else ()


def compile_library(path: Path) -> Path:
    """Compile a C file into the cache, once for each content, compiler and machine.

    Args:
        path: the C file, its header beside it.

    Raises:
        GaugeError: no compiler, or it refuses the file.
    """
    header = path.with_suffix(".h")
    try:
        content = [path.read_bytes(), header.read_bytes()]
    except OSError as error:
        raise GaugeError(
            f"{error.filename} cannot be read ({error.strerror}); copy the gauge's whole folder"
        ) from error
    command = tuple(find_compiler())
    flags = (*FLAGS, *_target(command))
    key = hashlib.sha256()
    for part in (*content, "\0".join([*command, *flags, compiler_version(command), _machine()]).encode()):
        key.update(hashlib.sha256(part).digest())
    library = cache_folder() / "native" / f"{key.hexdigest()[:32]}.so"
    if not library.is_file():
        library.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(library.parent)
        with atomic_file(library) as temporary:
            _run([*command, *flags, "-o", str(temporary), str(path), "-lm"], path)
    return library


def _machine() -> str:
    """Return which instructions this machine has, so that a cache on a shared disk serves several."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line for line in lines if line.startswith(("flags", "Features"))), "") + str(os.uname().machine)


def _run(command: list[str], path: Path) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GaugeError(f"{path} was not compiled ({error}); set CC to a C compiler that works here") from error
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines() or ["no word"]
        raise GaugeError(
            f"{path} was not compiled: {command[0]} says '{said[0].strip()}'; export the gauge again, or set CC to "
            "another C compiler"
        )


class NativeSession:
    """A gauge's C file, compiled.

    It has one arena, so one call is made at a time, whatever the threads: Python's lock is held meanwhile.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        del threads  # a network this small is slower on several
        library = compile_library(path)
        try:
            self._library = ctypes.PyDLL(str(library))
            facts = _text(self._library, "gonogo_facts")
            layout = list((ctypes.c_int * 5).in_dll(self._library, "gonogo_layout"))
            self._infer: Any = self._library.gonogo_infer_size
        except (OSError, ValueError, AttributeError) as error:
            raise GaugeError(
                f"{path} is not a gauge's C file ({error}); give one that 'gonogo export' wrote"
            ) from error
        self._infer.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p]
        self.metadata: dict[str, str] = {METADATA_KEY: facts}
        self._channels = int(json.loads(facts)["geometry"]["channels"])
        self._classes, self._rows, self._columns, self._measures, self.static_bytes = layout

    def __call__(self, pixels: UInt8Array) -> Answer:
        """Answer (N, H, W, C) uint8 camera pixels, one photo after the other."""
        if pixels.ndim != 4 or pixels.dtype != np.uint8 or pixels.shape[3] != self._channels:
            raise DataError(f"{pixels.dtype} pixels of shape {pixels.shape} do not fit the gauge's C file")
        n, height, width, _ = pixels.shape
        pixels = np.ascontiguousarray(pixels)
        cells = self._rows * self._columns
        answers = np.empty((n, self._classes + cells + TAIL), dtype=np.float32)
        given, told = pixels.__array_interface__["data"][0], answers.__array_interface__["data"][0]
        for photo in range(n):
            status = self._infer(
                given + photo * height * width * self._channels, width, height, told + photo * answers.strides[0]
            )
            if status != 0:
                raise DataError(f"pixels of shape {pixels.shape} do not fit the gauge's C file (status {status})")
        heatmap = answers[:, self._classes : self._classes + cells].reshape(n, self._rows, self._columns)
        return Answer(
            np.ascontiguousarray(answers[:, : self._classes]),
            heatmap,
            np.ascontiguousarray(answers[:, -TAIL]) if self._measures else None,
        )


def _text(library: ctypes.CDLL, name: str) -> str:
    return ctypes.string_at(ctypes.addressof(ctypes.c_char.in_dll(library, name))).decode()


def _version() -> str:
    """Return the compiler's version number."""
    words = compiler_version(tuple(find_compiler())).split()
    return next((word for word in reversed(words) if word[0].isdigit()), words[-1])


def _device_bytes(path: Path) -> int:
    """Return the size of the compiled library: machine code and weights."""
    return compile_library(path).stat().st_size


RUNTIME = Runtime(open=NativeSession, version=_version, device_bytes=_device_bytes)
