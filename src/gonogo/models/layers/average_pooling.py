"""Global average pooling and one linear layer in the place of larger heads.

Source: Lin et al. 2013, "Network in Network", arXiv 1312.4400, section 3.2.
"""

from __future__ import annotations

from torch import nn

from gonogo.models.architecture import Head, Network, PoolingHead
from gonogo.models.layers.flatten_head import FlattenHead
from gonogo.models.layers.statistics_head import StatisticsHead
from gonogo.models.layers.swap import Surgery


def average_only(network: nn.Module) -> int:
    """Replace a head that flattens, has hidden layers, or pools more than the average.

    Returns:
        1, or 0 where the head is global average pooling and a linear layer already.
    """
    assert isinstance(network, Network)
    head = _averaging(network.head)
    if head is None:
        return 0
    network.head = head
    return 1


def _averaging(head: Head) -> Head | None:
    if isinstance(head, FlattenHead):
        return PoolingHead(
            head.channels, head.num_classes, pool="avg", hidden=0, dropout=head.dropout.p, one_logit=False
        )
    if isinstance(head, PoolingHead) and (head.pool != "avg" or head.hidden is not None):
        return PoolingHead(
            head.channels, head.num_classes, pool="avg", hidden=0, dropout=head.dropout.p, one_logit=head.one_logit
        )
    if isinstance(head, StatisticsHead) and head.statistics != ("avg",):
        classes, pooled = head.classifier.weight.shape
        return StatisticsHead(pooled // len(head.statistics), classes, ("avg",))
    return None


AVERAGE_POOLING = Surgery(
    "global average pooling and one linear layer as the head",
    average_only,
    "a head that is nothing else already, or a distance",
    "Lin et al. 2013, arXiv 1312.4400",
)
