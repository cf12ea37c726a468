"""A network of fresh or pretrained weights that fits the photos it is to see."""

from __future__ import annotations

import torch

from gonogo.data.geometry import Geometry
from gonogo.errors import UsageError
from gonogo.models.architecture import ModelSpec, Network
from gonogo.models.cost import count_macs
from gonogo.train.transfer import Weights, put_weights


def build_network(spec: ModelSpec, geometry: Geometry, weights: Weights, seed: int) -> Network:
    """Build a network by a seed, and put pretrained weights into it where there are some.

    Raises:
        UsageError: it does not fit the geometry's input, or the weights are of another network.
    """
    torch.manual_seed(seed)
    network = build_checked(spec, geometry)
    put_weights(network, spec, weights.tensors)
    return network


def build_checked(spec: ModelSpec, geometry: Geometry) -> Network:
    """Build a network and see that the geometry's input is large enough for it.

    Raises:
        UsageError: the input is too small, or not the one size that the network takes; says what to change.
    """
    network = spec.build()
    rows, columns = geometry.input_size
    if network.fixed_size not in (None, (rows, columns)):
        height, width = network.fixed_size
        raise UsageError(
            f"this backbone takes {width}x{height} pixels and no others, found {columns}x{rows}; "
            f"give --size {width}x{height}"
        )
    try:
        count_macs(network, geometry.network_channels, (rows, columns))
    except RuntimeError as error:
        raise UsageError(
            f"{columns}x{rows} pixels are too few for architecture '{spec.arch}' ({str(error).splitlines()[0]}); "
            f"give a smaller --reduce than {geometry.reduce}, or other strides and pools"
        ) from error
    return network


def check_whole(network: Network, spec: ModelSpec, geometry: Geometry, seed: int) -> None:
    """See that nothing is left to learn: the weights brought a classifier for these classes, too.

    Raises:
        UsageError: they did not.
    """
    fresh = build_network(spec, geometry, Weights(), seed).head.state_dict()
    if all(torch.equal(value, fresh[name]) for name, value in network.head.state_dict().items()):
        raise UsageError(
            f"epochs=0 keeps a network as its weights file has it, and this file has no classifier for "
            f"{spec.num_classes} classes; give 1 epoch or more"
        )
