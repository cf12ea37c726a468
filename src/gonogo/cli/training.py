"""Options of the commands that train, and how they become what the library takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gonogo.cli.options import MIXED, check_choice, key_values

if TYPE_CHECKING:
    from gonogo.train.prepare import DataOptions
    from gonogo.train.transfer import WeightsSource

With = Annotated[
    list[str] | None, typer.Option("--with", help="Architecture option, such as widths=16,16,8; may be repeated.")
]
SurgeryNames = Annotated[
    str | None,
    typer.Option(
        "--surgery",
        help="Layers to put in the place of the network's own, with commas between: blurpool, squeeze-excite, "
        "separable, average-pooling, norm-first, relu-first.",
    ),
]
Good = Annotated[str | None, typer.Option(help="Name of the good class; 'none' to sort into kinds.")]
Crop = Annotated[str | None, typer.Option(help="Part of the photo, WIDTHxHEIGHT+X+Y in pixels.")]
Reduce = Annotated[int | None, typer.Option(help="Area reduction by this whole number.")]
Size = Annotated[str | None, typer.Option(help="Resize to these pixels: 112 for the shorter side, or 112x280.")]
WeightsFile = Annotated[
    str | None, typer.Option(help="Pretrained weights, PyTorch or safetensors; 'hub' fetches the published ones.")
]
Colour = Annotated[str | None, typer.Option(help="What the network sees: grey or rgb.")]
BitDepth = Annotated[int, typer.Option(help="Bits of the camera, for photos of more than 8.")]
MaxEscape = Annotated[
    str | None, typer.Option(help="Defective parts called go, at most, such as 1%; guaranteed, or exit 1.")
]
MaxOverkill = Annotated[
    str | None, typer.Option(help="Good parts called no-go, at most; what lies between goes to review.")
]
Confidence = Annotated[str | None, typer.Option(help="Of the guarantee; 95%.")]
CostEscape = Annotated[str | None, typer.Option(help="Of a defect called go, to choose the threshold by.")]
CostOverkill = Annotated[str | None, typer.Option(help="Of a good part called no-go.")]
CostReview = Annotated[str | None, typer.Option(help="Of a photo sent to review.")]
Prevalence = Annotated[str | None, typer.Option(help="Share of defects on the line, to weigh costs.")]
RejectUnknown = Annotated[
    bool, typer.Option("--reject-unknown/--no-reject-unknown", help="Send photos unlike those of training to review.")
]
RecipeFile = Annotated[Path | None, typer.Option(help="Recipe file, TOML.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="Recipe value, such as rotate_degrees=10; may be repeated.")
]
Epochs = Annotated[int | None, typer.Option(help="Passes over the training photos.")]
BatchSize = Annotated[int | None, typer.Option(help="Photos a step.")]
LearningRate = Annotated[float | None, typer.Option(help="Learning rate.")]
Seed = Annotated[int | None, typer.Option(help="Of weights, order, augmentation and split.")]
Threads = Annotated[int | None, typer.Option(help="PyTorch threads; 1 is best for tiny networks.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def recipe_values(file: Path | None, pairs: list[str] | None, flags: Mapping[str, Any]) -> dict[str, Any]:
    """Put a recipe file, ``--set`` and single options over each other, later ones winning.

    Raises:
        ConfigError: the file cannot be read.
        UsageError: a pair without "=".
    """
    from gonogo.config import read_toml

    return {**(read_toml(file) if file else {}), **key_values(pairs or [], "--set"), **given(**flags)}


def weights_source(text: str | None) -> WeightsSource:
    """Return where pretrained weights come from."""
    if text == "hub":
        return "hub"
    return Path(text) if text else None


def data_options(
    *, crop: str | None, size: str | None, groups: Path | None, photos: Path | None, **others: Any
) -> DataOptions:
    """Return what was said about the data; `others` are fields of `DataOptions` as they are.

    Raises:
        UsageError: a word that an option does not know, or a crop or size that cannot be read.
    """
    from gonogo.data.geometry import parse_crop, parse_size
    from gonogo.train.prepare import DataOptions

    check_choice(others["colour"], "--colour", ("grey", "rgb"))
    check_choice(others["task"], "--task", ("binary", "class"))
    check_choice(others["mixed"], "--mixed", MIXED)
    return DataOptions(
        crop=parse_crop(crop) if crop else None,
        size=parse_size(size) if size else None,
        groups=None if groups is None else str(groups),
        photos=None if photos is None else str(photos),
        **others,
    )
