"""Remedies for imbalance: what they draw and how they weigh, against values worked out by hand or by scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F

from gonogo.errors import ConfigError
from gonogo.train.imbalance import REMEDIES
from gonogo.train.imbalance.class_weights import weights
from gonogo.train.recipe import Recipe

LABELS = torch.tensor([0] * 20 + [1] * 6 + [2] * 3)
COUNTS = torch.bincount(LABELS).float()
LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.1, 0.3, -0.2], [-1.5, 0.0, 3.0]], dtype=torch.float64)
ANSWERS = torch.tensor([0, 2, 2])


def recipe_of(name: str, **values: object) -> Recipe:
    return Recipe(imbalance=name, **({"label_smoothing": 0.0} | values))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", REMEDIES)
def test_a_remedy_draws_equally_many_photos_each_time_and_others_for_another_seed(name: str):
    order = REMEDIES.get(name).order
    drawn = [order(LABELS, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert len({len(places) for places in drawn}) == 1
    assert set(drawn[0].tolist()) <= set(range(len(LABELS)))


@pytest.mark.parametrize("name", REMEDIES)
def test_a_loss_is_finite_differentiable_and_smaller_for_better_answers(name: str):
    loss = REMEDIES.get(name).loss(COUNTS, recipe_of(name))
    logits = LOGITS.clone().requires_grad_()
    loss(logits, ANSWERS).backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    right = F.one_hot(ANSWERS, 3).double() * 9
    assert 0 <= float(loss(right, ANSWERS)) < float(loss(LOGITS, ANSWERS))


def test_undersampling_takes_as_many_of_each_class_as_the_rarest_has():
    drawn = REMEDIES.get("undersample").order(LABELS, torch.Generator().manual_seed(0))
    assert torch.bincount(LABELS[drawn]).tolist() == [3, 3, 3]
    assert len(set(drawn.tolist())) == 9


def test_oversampling_fills_every_class_up_evenly():
    drawn = REMEDIES.get("oversample").order(LABELS, torch.Generator().manual_seed(0))
    assert torch.bincount(LABELS[drawn]).tolist() == [20, 20, 20]
    times = torch.bincount(drawn, minlength=len(LABELS))
    assert times[LABELS == 0].tolist() == [1] * 20
    assert set(times[LABELS == 1].tolist()) == {3, 4}
    assert set(times[LABELS == 2].tolist()) == {6, 7}


def test_class_weights_are_those_of_scikit_learn_and_have_mean_1():
    expected = compute_class_weight("balanced", classes=np.arange(3), y=LABELS.numpy())
    assert weights(COUNTS).tolist() == pytest.approx(expected.tolist(), abs=1e-6)
    assert float(weights(COUNTS)[LABELS].mean()) == pytest.approx(1.0, abs=1e-6)


def test_class_weights_pass_over_a_class_without_photos():
    assert weights(torch.tensor([4.0, 0.0, 4.0]))[[0, 2]].tolist() == [1.0, 1.0]


def test_focal_loss_by_hand():
    probs = F.softmax(LOGITS, 1)[torch.arange(3), ANSWERS].tolist()
    expected = np.mean([-((1 - p) ** 2) * math.log(p) for p in probs])
    loss = REMEDIES.get("focal").loss(COUNTS, recipe_of("focal"))
    assert float(loss(LOGITS, ANSWERS)) == pytest.approx(expected, abs=1e-9)
    plain = REMEDIES.get("focal").loss(COUNTS, recipe_of("focal", focal_gamma=0.0))
    assert float(plain(LOGITS, ANSWERS)) == pytest.approx(float(F.cross_entropy(LOGITS, ANSWERS)), abs=1e-9)


def test_logit_adjustment_by_hand():
    prior = np.array([20, 6, 3]) / 29
    shifted = LOGITS.numpy() + 1.5 * np.log(prior)
    expected = np.mean(
        [np.log(np.exp(row).sum()) - row[answer] for row, answer in zip(shifted, [0, 2, 2], strict=True)]
    )
    loss = REMEDIES.get("logit-adjustment").loss(COUNTS, recipe_of("logit-adjustment", logit_tau=1.5))
    assert float(loss(LOGITS, ANSWERS)) == pytest.approx(expected, abs=1e-6)


def test_an_unknown_remedy_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'oversample'"):
        Recipe(imbalance="over-sample")


@pytest.mark.parametrize("name", REMEDIES)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_loss_of_mixed_photos_is_that_of_each_label_by_its_share(name: str, smoothing: float):
    loss = REMEDIES.get(name).loss(COUNTS, recipe_of(name, label_smoothing=smoothing))
    others, share = torch.tensor([1, 0, 2]), 0.3
    whole = [F.one_hot(labels, 3).double() for labels in (ANSWERS, others)]
    assert float(loss(LOGITS, whole[0])) == pytest.approx(float(loss(LOGITS, ANSWERS)), abs=1e-6)
    mixed = float(loss(LOGITS, share * whole[0] + (1 - share) * whole[1]))
    expected = share * float(loss(LOGITS, ANSWERS)) + (1 - share) * float(loss(LOGITS, others))
    assert mixed == pytest.approx(expected, abs=1e-6)
