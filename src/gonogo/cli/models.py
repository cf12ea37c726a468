"""``gonogo models``: the architectures there are."""

from __future__ import annotations

from typing import Any

from gonogo.cli.console import Console
from gonogo.cli.options import AsJson, missing_train_extra

# What the counts below are for.
CLASSES, HEIGHT, WIDTH = 2, 300, 300


def run(as_json: AsJson = False) -> None:
    """List the architectures and what they cost."""
    try:
        from gonogo.models import ARCHITECTURES
        from gonogo.models.architecture import count_parameters, make_spec
        from gonogo.models.cost import count_macs
    except ImportError as error:
        raise missing_train_extra(error) from error
    rows: list[dict[str, Any]] = []
    for name in ARCHITECTURES:
        architecture = ARCHITECTURES.get(name)
        channels = 3 if architecture.colour == "rgb" else 1
        network = make_spec(name, CLASSES, channels, {}).build()
        trainable, statistics = count_parameters(network)
        rows.append(
            {
                "name": name,
                "params_trainable": trainable,
                "params_statistics": statistics,
                "macs": count_macs(network, channels, (HEIGHT, WIDTH)),
                "input": [channels, HEIGHT, WIDTH],
                "source": architecture.source,
                "licence": "Apache-2.0",
            }
        )
    with Console(as_json) as console:
        console.table(
            ("name", "trained", "statistics", "M multiply-adds", "input", "source"),
            (
                (
                    str(row["name"]),
                    f"{row['params_trainable']:,}",
                    f"{row['params_statistics']:,}",
                    f"{row['macs'] / 1e6:.2f}",
                    "x".join(map(str, row["input"])),
                    str(row["source"]),
                )
                for row in rows
            ),
        )
        console.result(rows)
