"""Where to cut a stump, at which size, and what to pool: chosen on parts held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gonogo.errors import UsageError
from gonogo.models import ARCHITECTURES
from gonogo.models.architecture import count_frozen, count_parameters, make_spec
from gonogo.models.cost import count_macs
from gonogo.models.layers.statistics_head import STATISTICS
from gonogo.models.stump import Stump
from gonogo.train.choose import Scores, Trial, mean_scores, score_parts, take_smallest
from gonogo.train.features import Features, extract
from gonogo.train.head import DEFAULT_STRENGTH, Examples, deal_folds, fit_head
from gonogo.train.loader import Loader
from gonogo.train.prepare import Prepared
from gonogo.train.seen import at_short_side
from gonogo.train.transfer import put_weights
from gonogo.types import Int64Array

# Where MobileNetV2's blocks become wider or coarser; beyond, a linear head has more channels than most sets have parts.
CUTS = (3, 4, 7, 10, 12, 13)
# Shorter sides of the input that are tried, as far as the photos go.
SIDES = (64, 112, 160, 224, 448)
# Photos that are looked at, of each part and in all: more of one part tell little about other parts.
PHOTOS_A_PART, MOST_PHOTOS = 24, 1500
# How often the parts are dealt into folds: the loss of a part depends on which others its head was fitted on.
DEALS = 3


@dataclass(frozen=True)
class Choice:
    """What was chosen, and from what.

    Attributes:
        options: of the architecture.
        prepared: the photos at the chosen size.
        trials: all that were tried, the chosen one among them.
        chosen: the one taken.
    """

    options: dict[str, Any]
    prepared: Prepared
    trials: list[Trial]
    chosen: Trial


def choose_cut(
    prepared: Prepared,
    tensors: Mapping[str, Tensor],
    options: Mapping[str, Any],
    *,
    splits: tuple[str, ...],
    keep_size: bool,
    seed: int,
    note: Callable[[str], None] | None = None,
) -> Choice:
    """Try cuts, sizes and statistics on grouped folds; take the smallest stump within the noise of the best.

    Args:
        prepared: the photos, with the levels of the weights.
        tensors: MobileNetV2's weights.
        options: of the stump, its cut left out; statistics that are given are the only ones tried.
        splits: which photos may be looked at, never the test's.
        keep_size: try no other size than that of `prepared`.
        seed: of the folds.
        note: called with a line for each size.

    Raises:
        UsageError: a class has one part alone, so that none can be held out.
    """
    seen = _looked_at(prepared, splits, seed)
    labels, groups = seen.manifest.labels, seen.manifest.groups
    folds = [deal_folds(labels, groups, seed + deal) for deal in range(DEALS)]
    if not folds[0].any():
        raise UsageError("--cut auto holds parts out, and a class has one part alone; give --cut 7, or more parts")
    short = min(prepared.geometry.region[2:])
    sides = [side for side in SIDES if side < short] + ([short] if short <= SIDES[-1] else [])
    tried: list[Trial] = []
    for sized in [seen] if keep_size else (at_short_side(seen, side) for side in sides):
        trials = _try_size(sized, folds, tensors, options)
        tried += trials
        if note is not None:
            height, width = sized.geometry.input_size
            note(f"{width}x{height} pixels: {len(trials)} stumps tried on parts held out of {len(labels)} photos")
    chosen = take_smallest(tried)
    sized = prepared if keep_size else at_short_side(prepared, min(chosen.size))
    return Choice({**options, **chosen.options}, sized, tried, chosen)


def _looked_at(prepared: Prepared, splits: tuple[str, ...], seed: int) -> Prepared:
    """Return the photos that the choice is made on, drawn by chance.

    Every part gives one before any gives its next, and every class one before any gives its next.
    """
    manifest, groups, labels = prepared.manifest, prepared.manifest.groups, prepared.manifest.labels
    photos = np.random.default_rng(seed).permutation(np.concatenate([prepared.rows(split) for split in splits]))
    turn = _turns(photos, [(groups[row], labels[row]) for row in photos])
    photos = np.array(sorted((row for row in photos if turn[row] < PHOTOS_A_PART), key=lambda row: turn[row]))
    turn = _turns(photos, labels[photos].tolist())
    rows = np.sort(sorted(photos, key=lambda row: turn[row])[:MOST_PHOTOS])
    kept = np.isin(np.arange(len(manifest)), rows)
    return replace(prepared, manifest=manifest.keep(kept.tolist()), pixels=prepared.pixels[rows])


def _turns(rows: Int64Array, kinds: Sequence[Hashable]) -> dict[int, int]:
    """Return, for each row, how many rows of its kind come before it."""
    seen: Counter[Hashable] = Counter()
    turn = {}
    for row, kind in zip(rows.tolist(), kinds, strict=True):
        turn[row] = seen[kind]
        seen[kind] += 1
    return turn


def _try_size(
    sized: Prepared, folds: Sequence[Int64Array], tensors: Mapping[str, Tensor], options: Mapping[str, Any]
) -> list[Trial]:
    """Score every cut and set of statistics at one size, from one pass over the photos."""
    geometry = sized.geometry
    classes, channels = len(sized.task.classes), geometry.network_channels
    deepest = make_spec("stump", classes, channels, {**options, "cut": CUTS[-1]})
    network = deepest.build().eval()
    assert isinstance(network, Stump)
    put_weights(network, deepest, tensors)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    labels = sized.manifest.labels
    loader = Loader(sized.pixels, np.arange(len(labels)), labels, geometry, torch.device("cpu"))
    # Parts that are held out together in every deal share one covariance: one for each part would fill the memory.
    together = [str(numbers) for numbers in zip(*(fold.tolist() for fold in folds), strict=True)]
    seen = extract(list(network.body), CUTS, STATISTICS, loader, together)
    given = ARCHITECTURES.get("stump").options(options).statistics
    asked = [given] if "statistics" in options else [STATISTICS[: n + 1] for n in range(len(STATISTICS))]
    found = []
    for cut, features in seen.items():
        for statistics in asked:
            changes = {"cut": cut, "statistics": statistics}
            stump = make_spec("stump", classes, channels, {**options, **changes}).build()
            params = count_parameters(stump)[0] + count_frozen(stump)
            macs = count_macs(stump, channels, geometry.input_size)
            scores = _held_out(features.only(statistics), labels, sized.manifest.groups, folds)
            found.append(Trial(changes, geometry.input_size, params, macs, scores))
    return found


def _held_out(features: Features, labels: Int64Array, groups: tuple[str, ...], folds: Sequence[Int64Array]) -> Scores:
    """Return the score of each part from heads that did not see it."""
    deals = []
    for fold in folds:
        logits = np.zeros((len(fold), labels.max() + 1))
        for number in np.unique(fold):
            inside = fold != number
            places = features.within(np.flatnonzero(inside))
            examples = Examples(features.pooled, labels, groups, places).at(inside)
            logits[~inside] = fit_head(examples, DEFAULT_STRENGTH).logits(features.pooled[~inside])
        deals.append(score_parts(logits, labels, groups, fold))
    return mean_scores(deals)
