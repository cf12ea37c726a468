"""How much memory a gauge's file takes while it answers, in a process that does nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gonogo.gauge.gauge import Gauge, check_golden
from gonogo.gauge.golden import Golden

PROCESS = Path("/proc/self/status")


def peak_memory_bytes(gauge: Gauge, path: str, *, threads: int = 1, batch: int = 1) -> int | None:
    """Return by how much opening a file and answering with it raises the most memory that a process has held.

    The runtime's own library counts, Python and NumPy do not. What a compiler needs to build a C file counts neither.

    Args:
        gauge: a whole gauge folder.
        path: of the file, as `Gauge.files` has it.
        threads: of the runtime.
        batch: photos a call.

    Returns:
        Bytes; None where the system does not say.
    """
    words = [sys.executable, "-m", __name__, str(gauge.path), path, str(threads), str(batch)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) if done.stdout.strip() else None


def _most_so_far() -> int | None:
    """Return the most memory that this process has held, which Linux tells for this program alone.

    `getrusage` there goes on from the peak of the process that started this one.
    """
    if PROCESS.is_file():
        lines = PROCESS.read_text(encoding="utf-8").splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(folder: str, path: str, threads: str, batch: str) -> None:
    """Write the bytes to standard output; nothing where the system does not say."""
    gauge = Gauge.load(Path(folder))
    golden = Golden.load(check_golden(gauge))
    photos = golden.pixels[[turn % len(golden.pixels) for turn in range(int(batch))]]
    before = _most_so_far()
    (file,) = [own for own in gauge.files if own.path == path]
    session = gauge.open(file, int(threads))
    for _ in range(3):  # a runtime may plan its memory anew after the first answer
        session(photos)
    after = _most_so_far()
    if before is not None and after is not None:
        sys.stdout.write(f"{after - before}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
