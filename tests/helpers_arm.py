"""An emulated ARM64, as scripts/install-arm.sh unpacks it: programs, and gonogo's base install under its own Python."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import onnxruntime

from gonogo.data.scan import cache_folder
from tests.helpers import SOURCE, skip

GCC, QEMU = "aarch64-linux-gnu-gcc", "qemu-aarch64-static"
# A Raspberry Pi 3's core, which lacks the instructions of later ones; "max" has all that the emulator knows.
CORE = "cortex-a53"
# Read before any test has a cache of its own.
ROOT = cache_folder() / "arm64" / "root"


def need_programs() -> None:
    """Skip where there is no compiler or emulator for ARM64."""
    lacking = [name for name in (GCC, QEMU) if shutil.which(name) is None]
    if lacking:
        skip(f"no {lacking[0]}; run: make arm")


def need_python() -> None:
    """Skip where no ARM64 Python was unpacked, or one with another ONNX Runtime than is installed here."""
    need_programs()
    if not (ROOT.parent / "made-of").is_file():
        skip(f"no Python for ARM64 in {ROOT}; run: make arm")
    wanted = f"onnxruntime-{onnxruntime.__version__}.dist-info"
    if not (ROOT / "site" / wanted).is_dir():
        skip(f"no {wanted} in {ROOT / 'site'}; run: make arm")


def emulated(program: Path, stdin: bytes = b"") -> bytes:
    """Run a static ARM64 program and return what it prints."""
    done = subprocess.run([QEMU, "-cpu", CORE, program], input=stdin, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def gonogo_on_arm64(*arguments: object, core: str = CORE, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user of an ARM64 device does."""
    path = os.pathsep.join((str(ROOT / "site"), str(SOURCE.parent)))
    python = [QEMU, "-cpu", core, "-L", str(ROOT), str(ROOT / "usr" / "bin" / "python3")]
    return subprocess.run(
        [*python, "-m", "gonogo", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
