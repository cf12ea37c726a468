"""What the benchmarks share: where the photos are, and how a row is printed."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gonogo.bench.timer import device_name

ROOT = Path(__file__).resolve().parent.parent


def data_folder(name: str) -> Path | None:
    """Return a folder of real photos, or None where they are not at hand."""
    folder = Path(os.environ.get("GONOGO_DATA", ROOT / "../shared/data")) / name
    return folder.resolve() if folder.is_dir() else None


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder that is gone afterwards, with gonogo's cache inside it."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GONOGO_CACHE"] = str(Path(folder) / "cache")
        yield Path(folder)


def commit() -> str:
    """Return the short name of the commit that is measured; "+" where the tree differs from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if git("status", "--porcelain") else "")


def heading(what: str, threads: int = 1, seed: int = 0) -> None:
    """Print where and what was measured."""
    print(f"{what}\n  {device_name()}, {threads} thread, seed {seed}, commit {commit()}")
