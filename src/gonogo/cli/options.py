"""Options that several commands share, and how their text becomes values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gonogo.errors import UsageError, did_you_mean

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, all else on stderr.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the output if it is there.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything and say what would be done; write nothing.")]
SkipUnreadable = Annotated[
    bool, typer.Option("--skip-unreadable", help="Go on without photos that cannot be decoded; they are named.")
]
Data = Annotated[
    Path,
    typer.Argument(
        help="Photos with classes: one sub-folder for each class, a CSV or Parquet table, YOLO, Pascal VOC, COCO, or "
        "the CIFAR binaries."
    ),
]
FormatName = Annotated[
    str | None, typer.Option("--format", help="Format of the data, where it is not recognised by itself.")
]
TaskOption = Annotated[
    str | None, typer.Option("--task", help="What is asked of boxes: binary (good or defect) or class (their kinds).")
]
GroupBy = Annotated[
    str | None,
    typer.Option("--group-by", help="How names tell the part: photos a part, or a pattern such as '(\\d+)_view'."),
]
Groups = Annotated[
    Path | None, typer.Option("--groups", help="CSV file path,group that tells the parts, as gonogo audit writes it.")
]
FindCopies = Annotated[
    bool,
    typer.Option(
        "--find-copies/--no-find-copies", help="Search the photos for copies of one another; keep them together."
    ),
]
Photos = Annotated[
    Path | None, typer.Option("--photos", help="Folder that a table's paths are below, where it is not its own.")
]
MIXED = ("refuse", "first", "largest", "most", "skip")
_MIXED = typer.Option(
    "--mixed",
    help="What a photo with boxes of several classes is: refuse, the class of the first or largest box or of most "
    "boxes, or skip.",
)
Mixed = Annotated[str, _MIXED]
MixedOrAsTrained = Annotated[str | None, _MIXED]


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


def check_choice(value: str | None, option: str, known: tuple[str, ...]) -> None:
    """See that an option is one of the words it knows, or was left out.

    Raises:
        UsageError: it is another word.
    """
    if value is not None and value not in known:
        raise UsageError(f"unknown {option} '{value}'; {did_you_mean(value, known)}")


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
        "cv2",
        "faiss",
        "threadpoolctl",
        "yaml",
        "jinja2",
        "torch_pruning",
        "optuna",
    )
    return MissingExtraError(name, "train") if name in extras else error


def missing_phone_extra(error: ImportError) -> Exception:
    """Return the error that names the install command, or the very error where something else is missing."""
    from gonogo.errors import MissingExtraError

    name = (error.name or "").partition(".")[0]
    return MissingExtraError(name, "phone") if name in ("cryptography", "segno", "starlette", "uvicorn") else error
