"""Where to cut a stump, at which size, and what to pool: chosen on parts held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from gonogo.train.choose import Candidate, Scores, mean_scores, score_parts, take_smallest
from gonogo.train.features import Features, extract
from gonogo.train.head import DEFAULT_STRENGTH, Examples, deal_folds, fit_head
from gonogo.train.loader import Loader
from gonogo.train.prepare import Prepared, at_short_side
from gonogo.train.transfer import put_weights
from gonogo.types import Int64Array

# Where MobileNetV2's blocks become wider or coarser; beyond, a linear head has more channels than most sets have parts.
CUTS = (3, 4, 7, 10, 12, 13)
# Shorter sides of the input that are tried, as far as the photos go.
SIDES = (64, 112, 160, 224)


# Photos of one part that are looked at: more of them cost time and tell little more about other parts.
PHOTOS_A_PART = 24
# How often the parts are dealt into folds: the loss of a part depends on which others its head was fitted on.
DEALS = 3


@dataclass(frozen=True)
class Choice:
    """What was chosen, and from what.

    Attributes:
        options: of the architecture.
        prepared: the photos at the chosen size.
        candidates: all that were tried, the chosen one among them.
        chosen: the one taken.
    """

    options: dict[str, Any]
    prepared: Prepared
    candidates: list[Candidate]
    chosen: Candidate


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
    parts = _Parts.of(prepared, splits, seed)
    short = min(prepared.geometry.region[2:])
    sides = [side for side in SIDES if side < short] + ([short] if short <= SIDES[-1] else [])
    tried: list[tuple[Candidate, Prepared]] = []
    for sized in [prepared] if keep_size else (at_short_side(prepared, side) for side in sides):
        candidates = _try_size(sized, parts, tensors, options)
        tried += [(candidate, sized) for candidate in candidates]
        if note is not None:
            height, width = sized.geometry.input_size
            note(
                f"{width}x{height} pixels: {len(candidates)} stumps tried on parts held out of {len(parts.rows)} photos"
            )
    chosen = take_smallest([candidate for candidate, _ in tried])
    size = next(sized for candidate, sized in tried if candidate is chosen)
    return Choice({**options, **chosen.options}, size, [candidate for candidate, _ in tried], chosen)


@dataclass(frozen=True)
class _Parts:
    """The photos that are looked at, and how their parts are dealt.

    Attributes:
        rows: (M,) places in the manifest.
        labels: (M,) class numbers.
        groups: the M parts.
        folds: (M,) fold numbers, once for each deal.
    """

    rows: Int64Array
    labels: Int64Array
    groups: tuple[str, ...]
    folds: tuple[Int64Array, ...]

    @classmethod
    def of(cls, prepared: Prepared, splits: tuple[str, ...], seed: int) -> _Parts:
        manifest = prepared.manifest
        names, seen = manifest.groups, Counter[tuple[str, int]]()
        kept: list[int] = []
        for row in np.random.default_rng(seed).permutation(np.concatenate([prepared.rows(split) for split in splits])):
            part = (names[row], int(manifest.labels[row]))
            seen[part] += 1
            if seen[part] <= PHOTOS_A_PART:
                kept.append(int(row))
        rows = np.array(sorted(kept), dtype=np.int64)
        labels, groups = manifest.labels[rows], tuple(names[row] for row in rows)
        folds = tuple(deal_folds(labels, groups, seed + deal) for deal in range(DEALS))
        if not folds[0].any():
            raise UsageError("--cut auto holds parts out, and a class has one part alone; give --cut 7, or more parts")
        return cls(rows, labels, groups, folds)


def _try_size(
    sized: Prepared, parts: _Parts, tensors: Mapping[str, Tensor], options: Mapping[str, Any]
) -> list[Candidate]:
    """Score every cut and set of statistics at one size, from one pass over the photos."""
    geometry = sized.geometry
    classes, channels = len(sized.task.classes), geometry.network_channels
    deepest = make_spec("stump", classes, channels, {**options, "cut": CUTS[-1]})
    network = deepest.build().eval()
    assert isinstance(network, Stump)
    put_weights(network, deepest, tensors)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    loader = Loader(sized.pixels, parts.rows, parts.labels, geometry, torch.device("cpu"))
    # Parts that are held out together in every deal share one covariance: one for each part would fill the memory.
    together = [str(numbers) for numbers in zip(*(fold.tolist() for fold in parts.folds), strict=True)]
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
            scores = _held_out(features.only(statistics), parts)
            found.append(Candidate(changes, geometry.input_size, params, macs, scores))
    return found


def _held_out(features: Features, parts: _Parts) -> Scores:
    """Return the score of each part from heads that did not see it."""
    deals = []
    for fold in parts.folds:
        logits = np.zeros((len(fold), parts.labels.max() + 1))
        for number in np.unique(fold):
            inside = fold != number
            places = features.within(np.flatnonzero(inside))
            examples = Examples(features.pooled, parts.labels, parts.groups, places).at(inside)
            logits[~inside] = fit_head(examples, DEFAULT_STRENGTH).logits(features.pooled[~inside])
        deals.append(score_parts(logits, parts.labels, parts.groups, fold))
    return mean_scores(deals)
