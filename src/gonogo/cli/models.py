"""``gonogo models``: the architectures there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gonogo.cli.console import Console
from gonogo.cli.options import AsJson, missing_train_extra

if TYPE_CHECKING:
    from gonogo.models.architecture import Architecture

# What the counts below are for.
CLASSES, HEIGHT, WIDTH = 2, 300, 300


def run(as_json: AsJson = False) -> None:
    """List the architectures and what they cost."""
    try:
        from gonogo.models import ARCHITECTURES
    except ImportError as error:
        raise missing_train_extra(error) from error
    from gonogo.errors import MissingExtraError

    rows: list[dict[str, Any]] = []
    with Console(as_json) as console:
        for name in ARCHITECTURES:
            try:
                architecture = ARCHITECTURES.get(name)
                rows += [_row(name, architecture, dict(variant)) for variant in architecture.variants]
            except MissingExtraError as error:
                console.note(f"architecture '{name}' is not listed: {error}")
        console.table(
            ("name", "trained", "pretrained", "statistics", "M multiply-adds", "input", "source"),
            (
                (
                    " ".join([row["name"], *(f"{option}={value}" for option, value in row["options"].items())]),
                    f"{row['params_trainable']:,}",
                    f"{row['params_frozen']:,}",
                    f"{row['params_statistics']:,}",
                    f"{row['macs'] / 1e6:,.1f}",
                    "x".join(map(str, row["input"])),
                    str(row["source"]),
                )
                for row in rows
            ),
        )
        console.result(rows)


def _row(name: str, architecture: Architecture, options: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of one architecture; its weights are never made, only counted."""
    import torch

    from gonogo.models.architecture import count_frozen, count_parameters, make_spec
    from gonogo.models.cost import count_macs

    channels = 3 if architecture.colour == "rgb" else 1
    with torch.device("meta"):
        network = make_spec(name, CLASSES, channels, options).build()
    trainable, statistics = count_parameters(network)
    size = network.fixed_size or (HEIGHT, WIDTH)
    return {
        "name": name,
        "options": options,
        "params_trainable": trainable,
        "params_frozen": count_frozen(network),
        "params_statistics": statistics,
        "macs": count_macs(network, channels, size),
        "input": [channels, *size],
        "source": architecture.source,
        "licence": "Apache-2.0",
    }
