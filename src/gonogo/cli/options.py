"""Options that several commands share, and how their text becomes values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gonogo.errors import UsageError

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, all else on stderr.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the output if it is there.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything and say what would be done; write nothing.")]
SkipUnreadable = Annotated[
    bool, typer.Option("--skip-unreadable", help="Go on without photos that cannot be decoded; they are named.")
]
Data = Annotated[Path, typer.Argument(help="A folder with one sub-folder of photos for each class, or a CSV table.")]


def key_values(pairs: list[str], option: str) -> dict[str, str]:
    """Read ``key=value`` texts.

    Raises:
        UsageError: a text without "=".
    """
    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"found {option} {pair}, expected KEY=VALUE, such as {option} widths=16,16,8")
        values[key.strip().replace("-", "_")] = value.strip()
    return values


def missing_train_extra(error: ImportError) -> Exception:
    """Return the error that names the install command, or the very error where something else is missing."""
    from gonogo.errors import MissingExtraError

    name = (error.name or "").partition(".")[0]
    extras = (
        "torch",
        "lightning_fabric",
        "safetensors",
        "pyarrow",
        "onnx",
        "onnxscript",
        "scipy",
        "sklearn",
        "tomli_w",
    )
    return MissingExtraError(name, "train") if name in extras else error
