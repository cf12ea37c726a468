"""Scores of every criterion against examples worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from gonogo.compress.prune.evidence import Evidence
from gonogo.compress.prune.graph import Group, find_groups
from gonogo.compress.prune.importance import CONTROL, CRITERIA
from gonogo.models.architecture import Network, PoolingHead

ROOT5, ROOT8, ROOT10, ROOT13 = (math.sqrt(value) for value in (5, 8, 10, 13))
# Of a classifier with two classes: what a channel speaks for the second one, and against it.
FIRST, SECOND = (0.5, -1.0, 0.25), (1.0, 0.5, -0.75)


class Small(Network):
    """One convolution of three filters, BatchNorm, ReLU, average, classifier."""

    def __init__(self, filters: list[list[float]], scales: tuple[float, float, float] = (1, 1, 1)) -> None:
        super().__init__()
        convolution = nn.Conv2d(1, 3, (1, len(filters[0])), bias=False)
        self.body = nn.Sequential(nn.Sequential(convolution, nn.BatchNorm2d(3, eps=0.0), nn.ReLU()))
        self.head = PoolingHead(3, 2, pool="avg", hidden=0, dropout=0.0, one_logit=False)
        with torch.no_grad():
            convolution.weight.copy_(torch.tensor(filters)[:, None, None, :])
            self.body[0][1].weight.copy_(torch.tensor(scales))
            self.head.classifier.weight.copy_(torch.tensor([FIRST, SECOND]))
            self.head.classifier.bias.zero_()
        self.eval()


def judge(name: str, network: Network, photos: list, labels: list[int], seed: int = 0) -> np.ndarray:
    """Return the criterion's scores of the network's one group."""
    values = torch.tensor(photos, dtype=torch.float32)[:, None]
    group = only_group(network, tuple(values.shape[2:]))
    score = CRITERIA.get(name).score(group, Evidence(network, values, torch.tensor(labels), seed))
    assert score is not None
    return score


def only_group(network: Network, size: tuple[int, int]) -> Group:
    (group,) = find_groups(network, 1, size, "small")
    return group


FILTERS = [[1.0, 2.0], [-2.0, 2.0], [0.0, 5.0]]
PHOTO = [[[1.0, 1.0], [1.0, 1.0]]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("l1", [3, 4, 5]),
        ("l2", [ROOT5, ROOT8, 5]),
        ("fpgm", [3 + ROOT10, 3 + ROOT13, ROOT10 + ROOT13]),
        ("lamp", [5 / 38, 8 / 33, 1]),
        ("bn-scale", [0.5, 2, 1]),
    ],
)
def test_criteria_of_weights(name: str, expected: list[float]):
    assert judge(name, Small(FILTERS, (0.5, -2.0, 1.0)), PHOTO, [0]) == pytest.approx(expected, abs=1e-6)


def test_the_rank_is_that_of_the_maps_after_the_activation():
    photos = [[[1.0, 2.0], [2.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]]]  # of rank 1 and 2
    assert judge("rank", Small([[1.0], [0.0], [-1.0]]), photos, [0, 1]).tolist() == [1.5, 0.0, 0.0]


def test_zeros_are_counted_after_the_activation():
    photos = [[[1.0, -1.0], [2.0, 3.0]], [[-1.0, -1.0], [-2.0, 3.0]]]  # 4 of 8 above zero
    assert judge("zeros", Small([[1.0], [-1.0], [0.0]]), photos, [0, 1]).tolist() == [0.5, 0.5, 0.0]


def test_the_entropy_is_that_of_the_averages():
    photos = [[[value]] for value in (0.0, 0.0, 8.0, 16.0)]  # in three bins: a half, a quarter and a quarter
    expected = -(0.5 * math.log(0.5) + 2 * 0.25 * math.log(0.25))
    assert judge("entropy", Small([[1.0], [2.0], [-1.0]]), photos, [0, 0, 1, 1]) == pytest.approx(
        [expected, expected, 0]
    )


def test_separability_is_the_variance_between_classes_over_that_within():
    photos = [[[value]] for value in (1.0, 3.0, 5.0, 7.0)]
    # Averages 2 and 6 around 4: between 2 * 4 + 2 * 4, within 1 + 1 + 1 + 1.
    assert judge("separability", Small([[1.0], [2.0], [0.0]]), photos, [0, 0, 1, 1]) == pytest.approx([4, 4, 0])


WEIGHTS, LEVELS, LABELS = (1.0, 2.0, 0.5), (1.0, 2.0), (0, 1)


def logit(level: float, without: int | None = None) -> float:
    """Return how much the second class's logit is above the first's."""
    return sum((SECOND[c] - FIRST[c]) * WEIGHTS[c] * level for c in range(3) if c != without)


def loss(without: int | None = None) -> float:
    signs = [1 if label else -1 for label in LABELS]
    return float(np.mean([math.log1p(math.exp(-s * logit(x, without))) for x, s in zip(LEVELS, signs, strict=True)]))


def slopes(channel: int) -> list[float]:
    """Return the derivative of each photo's loss with respect to the channel's weight."""
    found = []
    for level, label in zip(LEVELS, LABELS, strict=True):
        second = 1 / (1 + math.exp(-logit(level)))
        found.append((second - label) * (SECOND[channel] - FIRST[channel]) * level)
    return found


@pytest.mark.parametrize(
    ("name", "worked"),
    [
        ("taylor", lambda c: (np.mean(slopes(c)) * WEIGHTS[c]) ** 2),
        ("hessian", lambda c: np.mean(np.square(slopes(c))) * WEIGHTS[c] ** 2 / 2),
        ("leave-one-out", lambda c: loss(without=c) - loss()),
    ],
)
def test_criteria_of_the_loss(name: str, worked):
    network = Small([[weight] for weight in WEIGHTS])
    photos = [[[level]] for level in LEVELS]
    before = {key: value.clone() for key, value in network.state_dict().items()}
    found = judge(name, network, photos, list(LABELS))
    assert found == pytest.approx([worked(c) for c in range(3)], rel=1e-5)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_chance_is_the_same_for_the_same_seed_and_another_for_another():
    network = Small(FILTERS)
    first, again, other = (judge(CONTROL, network, PHOTO, [0], seed) for seed in (0, 0, 1))
    assert first.tolist() == again.tolist() != other.tolist()
    assert len(set(first.tolist())) == 3


def test_a_criterion_that_has_nothing_to_say_says_none():
    network = Small(FILTERS)
    network.body[0][1] = nn.Identity()
    group = only_group(network, (2, 2))
    assert CRITERIA.get("bn-scale").score(group, Evidence(network, torch.zeros(1, 1, 2, 2), torch.tensor([0]))) is None


def test_of_layers_that_add_up_every_one_counts():
    """A residual block's stream: the filters of both convolutions, as one long filter."""

    class Stream(Small):
        def __init__(self) -> None:
            super().__init__([[1.0], [2.0], [3.0]])
            self.more = nn.Conv2d(1, 3, 1, bias=False)
            with torch.no_grad():
                self.more.weight.copy_(torch.tensor([4.0, 0.0, -4.0]).view(3, 1, 1, 1))

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.head(self.body(inputs) + self.more(inputs))

    network = Stream()
    assert judge("l1", network, PHOTO, [0]) == pytest.approx([5, 2, 7])
    assert judge("l2", network, PHOTO, [0]) == pytest.approx([math.sqrt(17), 2, 5])
