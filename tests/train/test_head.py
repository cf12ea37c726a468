"""The head that is fitted at once: weights of parts, folds, what it does not depend on, and what it finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gonogo.train.head import (
    DEFAULT_STRENGTH,
    STRENGTHS,
    Examples,
    best_strength,
    choose_strength,
    deal_folds,
    fit_head,
    out_of_fold,
    part_weights,
)


def make(parts: int, photos: int, classes: int = 2, dimensions: int = 6, apart: float = 2.0, seed: int = 0) -> Examples:
    """Return photos of parts whose class moves the first feature, and whose own look moves all of them."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(parts) % classes, photos)
    own = np.repeat(rng.normal(size=(parts, dimensions)), photos, axis=0)
    features = own + 0.3 * rng.normal(size=own.shape)
    features[:, 0] += apart * labels
    groups = tuple(str(part) for part in np.repeat(np.arange(parts), photos))
    return Examples(features.astype(np.float32), labels, groups, np.zeros((dimensions, dimensions)))


partitions = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9)), min_size=4, max_size=24)


@settings(max_examples=200, deadline=None)
@given(partitions, st.integers(0, 99))
def test_folds_keep_parts_whole_and_give_every_class_to_each(parts: list[tuple[int, int]], seed: int):
    parts = [*parts, (0, 1), (0, 2), (1, 1), (1, 3), (2, 1), (2, 2)]
    labels = np.array([label for label, photos in parts for _ in range(photos)])
    groups = [str(number) for number, (_, photos) in enumerate(parts) for _ in range(photos)]
    fold = deal_folds(labels, groups, seed)
    of_part: dict[str, set[int]] = {}
    for group, number in zip(groups, fold.tolist(), strict=True):
        of_part.setdefault(group, set()).add(number)
    assert all(len(numbers) == 1 for numbers in of_part.values())
    fewest = min(sum(label == k for label, _ in parts) for k in range(3))
    assert sorted(set(fold.tolist())) == list(range(min(4, fewest)))
    for number in set(fold.tolist()):
        assert set(labels[fold == number]) == set(labels[fold != number]) == {0, 1, 2}


@settings(max_examples=100, deadline=None)
@given(partitions)
def test_classes_weigh_alike_and_parts_as_the_root_of_their_photos(parts: list[tuple[int, int]]):
    labels = np.array([label for label, photos in parts for _ in range(photos)])
    groups = [str(number) for number, (_, photos) in enumerate(parts) for _ in range(photos)]
    weights = part_weights(labels, groups)
    assert np.isclose(weights.sum(), len(parts))
    totals = [weights[labels == label].sum() for label in np.unique(labels)]
    assert np.allclose(totals, totals[0])
    for label in np.unique(labels):
        own = [(photos, weights[np.array(groups) == str(n)].sum()) for n, (k, photos) in enumerate(parts) if k == label]
        assert np.allclose([total / np.sqrt(photos) for photos, total in own], own[0][1] / np.sqrt(own[0][0]))


def test_one_part_of_a_class_leaves_nothing_to_hold_out():
    examples = make(7, 3)
    alone = Examples(examples.features[:9], np.repeat([0, 1, 1], 3), examples.groups[:9], examples.places)
    assert not deal_folds(alone.labels, alone.groups, 0).any()
    assert choose_strength(alone, 0) == []
    assert best_strength([]) == DEFAULT_STRENGTH
    assert (fit_head(alone, DEFAULT_STRENGTH).logits(alone.features).argmax(1) == alone.labels).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.floats(0.01, 100), st.floats(-50, 50))
def test_units_and_origin_of_a_feature_do_not_matter(seed: int, unit: float, origin: float):
    examples = make(16, 2, classes=3, seed=seed)
    before = fit_head(examples, 1.0).logits(examples.features)
    scale = np.ones(6)
    scale[2] = unit
    moved = examples.features.astype(np.float64) * scale
    moved[:, 2] += origin
    # float32 features: an origin far off costs digits, which a small unit makes more of.
    places = examples.places * np.outer(scale, scale)
    after = fit_head(Examples(moved.astype(np.float32), examples.labels, examples.groups, places), 1.0)
    assert np.abs(after.logits(moved.astype(np.float32)) - before).max() <= 1e-3 * (1 + abs(origin) / unit)


def test_features_that_never_vary_are_left_out():
    examples = make(12, 2)
    features = np.concatenate([examples.features, np.full((24, 1), 7.3, np.float32), np.zeros((24, 1), np.float32)], 1)
    head = fit_head(Examples(features, examples.labels, examples.groups, np.zeros((8, 8))), 1.0)
    assert not head.weight[:, 6:].any()
    assert np.isfinite(head.weight).all()


def test_three_classes_are_told_apart_on_parts_not_seen():
    examples = make(60, 3, classes=3, apart=4.0)
    fold = deal_folds(examples.labels, examples.groups, 0)
    logits = out_of_fold(examples, fold, 1.0)
    assert logits.shape == (180, 3)
    assert (logits.argmax(1) == examples.labels).mean() > 0.8


def test_two_classes_have_logits_that_mirror_each_other():
    head = fit_head(make(20, 2), 1.0)
    assert head.weight.shape == (2, 6)
    assert np.allclose(head.weight[0], -head.weight[1])


def test_what_should_not_be_answered_to_is_not():
    examples = make(40, 2)
    examples.features[:, 1] = examples.features[:, 0] + 0.1 * np.random.default_rng(1).normal(size=80)
    places = np.zeros((6, 6))
    places[0, 0] = 1e4
    plain, told = (
        fit_head(Examples(examples.features, examples.labels, examples.groups, noise), 1.0)
        for noise in (examples.places, places)
    )
    assert abs(told.weight[1, 0]) < 0.05 * abs(told.weight[1, 1])
    assert abs(plain.weight[1, 0]) > 0.5 * abs(plain.weight[1, 1])


def test_a_penalty_is_chosen_for_honest_probabilities():
    tried = choose_strength(make(40, 3, apart=1.0), 0)
    assert [row.strength for row in tried] == list(STRENGTHS)
    assert all(0 < row.log_loss < 5 for row in tried)
    # Where the classes are hardly apart, a strong penalty knows less and is less wrong.
    hard = choose_strength(make(12, 4, apart=0.0, dimensions=40), 0)
    assert best_strength(hard) < 1.0
    clear = choose_strength(make(80, 2, apart=9.0), 0)
    assert best_strength(clear) >= 1.0


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_deals_the_same_folds(seed: int):
    examples = make(30, 2)
    folds = [deal_folds(examples.labels, examples.groups, s) for s in (seed, seed, seed + 2)]
    assert np.array_equal(folds[0], folds[1])
    assert not np.array_equal(folds[0], folds[2])
