"""Surgery: other layers in the place of a network's own, whatever the network is, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from gonogo.errors import UsageError
from gonogo.models.architecture import ModelSpec, Network, count_frozen, count_parameters
from gonogo.models.cost import count_macs
from gonogo.models.layers.swap import Surgery
from gonogo.registry import Registry

SURGERIES: Registry[Surgery] = Registry(
    "surgery",
    {
        "blurpool": "gonogo.models.layers.blurpool:BLURPOOL",
        "squeeze-excite": "gonogo.models.layers.squeeze_excite:SQUEEZE_EXCITE",
        "separable": "gonogo.models.layers.separable:SEPARABLE",
        "average-pooling": "gonogo.models.layers.average_pooling:AVERAGE_POOLING",
        "norm-first": "gonogo.models.layers.norm_order:NORM_FIRST",
        "relu-first": "gonogo.models.layers.norm_order:RELU_FIRST",
    },
)


def read_surgeries(text: str | None) -> tuple[str, ...]:
    """Read names with commas between them.

    Raises:
        UsageError: a name that does not exist or stands twice, or none at all.
    """
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        SURGERIES.get(name)
    if not names or len(set(names)) < len(names):
        raise UsageError(f"found --surgery '{text}', expected each once, such as --surgery blurpool,squeeze-excite")
    return names


def operate(network: Network, names: Sequence[str], arch: str) -> tuple[int, ...]:
    """Change a network in place, one surgery after the other.

    Args:
        network: to be changed.
        names: of surgeries.
        arch: its name, for messages.

    Returns:
        How many layers each replaced or added.

    Raises:
        UsageError: an unknown name, or one that would change nothing.
    """
    counts = []
    for name in names:
        surgery = SURGERIES.get(name)
        count = surgery.operate(network)
        if not count:
            raise UsageError(f"surgery '{name}' changes nothing: '{arch}' has {surgery.otherwise}; leave it out")
        counts.append(count)
    return tuple(counts)


@dataclass(frozen=True)
class SurgeryCost:
    """What a surgery did and what it cost.

    Attributes:
        surgery: its name.
        layers: how many it replaced or added.
        params_before: parameters, trained and fixed, statistics left out.
        params_after: the same, afterwards.
        macs_before: multiply-adds of one photo.
        macs_after: the same, afterwards.
    """

    surgery: str
    layers: int
    params_before: int
    params_after: int
    macs_before: int
    macs_after: int

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    def in_words(self) -> str:
        """Return one line for people."""
        return (
            f"surgery {self.surgery}: {self.layers} layers; parameters {self.params_before:,} -> {self.params_after:,} "
            f"({_change(self.params_before, self.params_after)}), multiply-adds {self.macs_before / 1e6:,.2f} -> "
            f"{self.macs_after / 1e6:,.2f} M ({_change(self.macs_before, self.macs_after)})"
        )


def _change(before: int, after: int) -> str:
    return f"{100 * (after - before) / before:+.1f} %"


def costs_of(spec: ModelSpec, size: tuple[int, int]) -> list[SurgeryCost]:
    """Return what each surgery of a network cost, in their order; only counted, nothing is computed.

    Args:
        spec: the network, with its surgeries.
        size: height and width of its input.

    Raises:
        UsageError: a surgery that changes nothing.
    """
    if not spec.surgery:
        return []
    rows = []
    with torch.device("meta"):
        network = replace(spec, surgery=()).build()
        before = _counted(network, spec.in_channels, size)
        for name in spec.surgery:
            (layers,) = operate(network, (name,), spec.arch)
            after = _counted(network, spec.in_channels, size)
            rows.append(SurgeryCost(name, layers, before[0], after[0], before[1], after[1]))
            before = after
    return rows


def _counted(network: Network, in_channels: int, size: tuple[int, int]) -> tuple[int, int]:
    return count_parameters(network)[0] + count_frozen(network), count_macs(network, in_channels, size)
