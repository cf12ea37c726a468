"""``gonogo models``: the architectures there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gonogo.cli.console import Console
from gonogo.cli.options import AsJson, missing_train_extra
from gonogo.cli.training import SurgeryNames

if TYPE_CHECKING:
    from gonogo.models.architecture import Architecture

# What the counts below are for; each network is counted at the size it was made for.
CLASSES = 2


def run(surgery: SurgeryNames = None, as_json: AsJson = False) -> None:
    """List the architectures and what they cost, or what surgery on each of them costs."""
    try:
        from gonogo.models import ARCHITECTURES
    except ImportError as error:
        raise missing_train_extra(error) from error
    from gonogo.errors import MissingExtraError, UsageError
    from gonogo.models.surgery import SurgeryCost, read_surgeries

    names, rows = read_surgeries(surgery), list[dict[str, Any]]()
    with Console(as_json) as console:
        for name in ARCHITECTURES:
            try:
                architecture = ARCHITECTURES.get(name)
                rows += [_row(name, architecture, dict(variant), names) for variant in architecture.variants]
            except MissingExtraError as error:
                console.note(f"architecture '{name}' is not listed: {error}")
            except UsageError as error:
                console.note(f"{name} is not listed: {error}")
        console.table(
            ("name", "trained", "fixed", "statistics", "M MACs", "input", "source"),
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
        for row in rows:
            for cost in row["surgery"]:
                console.line(f"{row['name']}: {SurgeryCost(**cost).in_words()}")
        console.result(rows)


def _row(name: str, architecture: Architecture, options: dict[str, Any], surgery: tuple[str, ...]) -> dict[str, Any]:
    """Return what is said of one architecture; its weights are never made, only counted.

    Raises:
        UsageError: a surgery that changes nothing.
    """
    import torch

    from gonogo.models.architecture import count_frozen, count_parameters, make_spec
    from gonogo.models.cost import count_macs
    from gonogo.models.surgery import costs_of

    channels = 3 if architecture.colour == "rgb" else 1
    with torch.device("meta"):
        spec = make_spec(name, CLASSES, channels, options, surgery)
        network = spec.build()
    trainable, statistics = count_parameters(network)
    size = network.fixed_size or architecture.size
    return {
        "name": name,
        "options": options,
        "params_trainable": trainable,
        "params_frozen": count_frozen(network),
        "params_statistics": statistics,
        "macs": count_macs(network, channels, size),
        "input": [channels, *size],
        "surgery": [cost.to_json() for cost in costs_of(spec, size)],
        "source": architecture.source,
        "licence": "Apache-2.0",
    }
