"""Stumps pruned without a gradient: quality on parts never seen, and time from raw pixels, against what they come from.

Claims on castings of 300x300, grouped folds, one thread:
a. a stump takes at most .513 of the time of the one cut at 12 (112x112), at a mean ROC AUC of at least .99;
b. a stump takes at most half of the time of the one cut at 7 (112x112), at most .003 of AUC below it;
c. the first one is 4x as fast as the casting study's network and 10x as fast as the whole MobileNetV2, and no worse.
Which channels go, what the rest makes up for and the head are fitted in each fold, on its training photos. How many go
is a part of the architecture, as the cut is: dealt by
`gonogo prune --scope worth`, of photos of all parts and no label, and set by hand where a multiple of eight is near.
Ratios are of each one's quickest turn: what else a machine does only ever adds, and to long calls most of all.
Run: python benchmarks/smaller_stumps.py [shuffles]
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

import headline
import stumps
from common import data_folder, heading, scratch
from gonogo.bench.timer import percentiles
from gonogo.compress.prune.evidence import Evidence
from gonogo.compress.prune.graph import find_groups, removal
from gonogo.compress.prune.importance import CRITERIA
from gonogo.compress.prune.refit import refit
from gonogo.data.cache import reduced_pixels
from gonogo.data.geometry import Geometry
from gonogo.models.architecture import Network, count_frozen, count_parameters, make_spec
from gonogo.models.cost import count_macs
from gonogo.models.pruned import apply
from gonogo.train.features import Features, extract
from gonogo.train.head import DEFAULT_STRENGTH, Examples, fit_head
from gonogo.train.loader import Loader
from gonogo.types import Int64Array

SHUFFLES, FOLDS = 2, 4
# Training photos that say which channels go and what the rest makes up for.
JUDGED = 256
REPEATS = 400


@dataclass(frozen=True)
class Stump:
    """A stump, what it sees, and how many of each layer's channels it keeps.

    Attributes:
        cut: its last block.
        sees: of `Geometry`, of photos of 300x300.
        keeps: by the name of the layer that makes them; others keep all.
        statistics: of each channel that the head reads.
    """

    cut: int
    sees: dict[str, object]
    keeps: dict[str, int] = field(default_factory=dict)
    statistics: tuple[str, ...] = ("avg", "max", "std")

    @property
    def geometry(self) -> Geometry:
        """What it sees, in the grey levels of the weights."""
        return stumps.with_levels(Geometry(300, 300, **self.sees))  # type: ignore[arg-type]

    def build(self, *, loaded: bool = True) -> Network:
        """Return it whole, with the real weights or fresh ones."""
        network = make_spec("stump", 2, 1, {"cut": self.cut, "statistics": self.statistics}).build().eval()
        if loaded:
            stumps.load(network, self.cut)
        return network


def inner(widths: dict[int, int]) -> dict[str, int]:
    """Name the layers that widen, by their blocks; block 1 does not widen, and keeps what the stem makes."""
    return {f"body.{block}.conv.{0 if block == 1 else 1}.0": width for block, width in widths.items()}


AT_112 = {"reduce": 2, "size": (112, 112)}
FROM_12, FROM_7 = "cut 12 at 112x112", "cut 7 at 112x112"
WHOLE, HALF, QUICK = headline.WHOLE, "pruned, cut 11 at 100x100", "pruned, cut 11 at 96x96"
SUBJECTS = {
    FROM_12: Stump(12, AT_112),
    FROM_7: Stump(7, AT_112),
    WHOLE: Stump(18, {"size": (224, 224)}, statistics=("avg",)),
    HALF: Stump(
        11,
        {"reduce": 3},
        inner({1: 16, 2: 56, 3: 56, 4: 88, 5: 88, 6: 96, 7: 152, 8: 176, 9: 184, 10: 216, 11: 336}),
    ),
    QUICK: Stump(
        11,
        {"crop": (6, 6, 288, 288), "reduce": 3},
        inner({1: 16, 2: 40, 3: 48, 4: 64, 5: 72, 6: 64, 7: 128, 8: 120, 9: 136, 10: 160, 11: 304}),
    ),
}


def pruned(network: Network, subject: Stump, photos: torch.Tensor) -> Network:
    """Return a network without the channels that matter least on some photos, fitted again to them."""
    if not subject.keeps:
        return network
    groups = find_groups(network, 1, subject.geometry.input_size, "stump")
    evidence = Evidence(network, photos, torch.zeros(len(photos), dtype=torch.int64))
    criterion, lost = CRITERIA.get("reconstruction"), {}
    for group in groups:
        if group.name in subject.keeps:
            score = criterion.score(group, evidence)
            assert score is not None
            lost[group] = np.argsort(score, kind="stable")[: group.width - subject.keeps[group.name]]
    assert len(lost) == len(subject.keeps)
    smaller, pruning = copy.deepcopy(network), removal(lost)
    apply(smaller, pruning)
    refit(smaller, network, pruning, photos)
    return smaller


def spread(rows: Int64Array, parts: Int64Array, count: int, seed: int) -> Int64Array:
    """Return so many rows that show as many parts as they can, equally often."""
    rows = np.random.default_rng(seed).permutation(rows)
    turn = np.zeros(len(rows), dtype=np.int64)
    for part in np.unique(parts[rows]):
        own = np.flatnonzero(parts[rows] == part)
        turn[own] = np.arange(len(own))
    return np.sort(rows[np.argsort(turn, kind="stable")][:count])


class Castings:
    """Real castings as one stump sees them."""

    def __init__(self, subject: Stump) -> None:
        self.subject, self.data = subject, stumps.subject("casting")
        self.pixels = reduced_pixels(self.data.manifest, subject.geometry)
        self.whole = subject.build()
        self.known: Features | None = None

    def photos(self, rows: Int64Array) -> torch.Tensor:
        """Return photos, normalised: (M, 1, h, w)."""
        own = Loader(self.pixels, rows, self.data.manifest.labels[rows], self.subject.geometry, torch.device("cpu"))
        return torch.cat([batch for batch, _ in own.batches(len(rows))])

    def features(self, network: Network) -> Features:
        """Return the pooled features of all photos."""
        labels = self.data.manifest.labels
        loader = Loader(self.pixels, np.arange(len(labels)), labels, self.subject.geometry, torch.device("cpu"))
        # The covariance of 1,280 channels for each of hundreds of groups would fill the memory.
        wide = self.subject.cut == stumps.WHOLE
        groups = ["all" if wide else str(part) for part in self.data.parts]
        layers = list(copy.deepcopy(network).to(memory_format=torch.channels_last).body)  # type: ignore[call-overload]
        return extract(layers, [len(layers) - 1], self.subject.statistics, loader, groups)[len(layers) - 1]

    def score(self, shuffle: int, number: int) -> float:
        """Return the ROC AUC on one fold of one shuffle, of which nothing was seen."""
        labels, names = self.data.manifest.labels, tuple(str(part) for part in self.data.parts)
        seen = stumps.folds_of(self.data, FOLDS, shuffle, "photos") != number
        if self.subject.keeps:
            rows = spread(np.flatnonzero(seen), self.data.parts, JUDGED, shuffle)
            features = self.features(pruned(self.whole, self.subject, self.photos(rows)))
        else:
            self.known = features = self.known or self.features(self.whole)
        places = features.within(np.flatnonzero(seen))
        head = fit_head(Examples(features.pooled, labels, names, places).at(seen), DEFAULT_STRENGTH)
        logits = head.logits(features.pooled[~seen])
        return float(roc_auc_score(labels[~seen], logits[:, 1] - logits[:, 0]))


def quality(shuffles: int) -> dict[str, float]:
    """Print and return the mean ROC AUC of each subject on the same folds."""
    means = {}
    for name, subject in SUBJECTS.items():
        castings = Castings(subject)
        scores = np.array([[castings.score(s, fold) for fold in range(FOLDS)] for s in range(shuffles)])
        each = ", ".join(f"{value:.4f}" for value in scores.mean(1))
        print(f"  {name:30} AUC {scores.mean():.4f}, worst fold {scores.min():.3f}, shuffles {each}", flush=True)
        means[name] = float(scores.mean())
    return means


def speed(folder: Path) -> dict[str, np.ndarray]:
    """Print and return the milliseconds of each subject in turns, under ONNX Runtime and as C."""
    pixels, _ = headline.photos(folder)
    calls: dict[str, Callable[[int], object]] = {}
    study = headline.networks(3)[headline.STUDY]
    calls |= headline.opened(folder / "study", headline.STUDY, study, pixels)
    for number, (name, subject) in enumerate(SUBJECTS.items()):
        torch.manual_seed(0)
        # Speed does not depend on the weights, nor on which channels went.
        network = subject.build(loaded=False)
        lost = {
            group: np.arange(group.width - subject.keeps[group.name])
            for group in find_groups(network, 1, subject.geometry.input_size, "stump")
            if group.name in subject.keeps
        }
        apply(network, removal(lost))
        params = count_parameters(network)[0] + count_frozen(network)
        macs = count_macs(network, 1, subject.geometry.input_size) / 1e6
        print(f"  {name:30} {params:9,} parameters, {macs:6.2f} M multiply-adds", flush=True)
        kinds = ("onnx",) if name == WHOLE else ("onnx", "c")
        for kind, call in headline.sessions(folder / str(number), network, subject.geometry, kinds, pixels).items():
            calls[f"{name}, {kind}"] = call
    times = percentiles(calls, REPEATS)
    for name, row in times.items():
        tenth = np.percentile(row, 10)
        print(f"    {name:36} median {np.median(row):8.3f} ms, quickest tenth {tenth:8.3f}, quickest {row.min():8.3f}")
    return times


def check(what: str, found: float, bar: float, *, most: bool = False) -> bool:
    """Print a claim and whether it holds."""
    held = found <= bar if most else found >= bar
    print(f"  {what}: {found:.4f}, claimed at {'most' if most else 'least'} {bar:g}" + ("" if held else "   NOT MET"))
    return held


def main() -> None:
    """Print every claim."""
    torch.set_num_threads(1)
    if data_folder("casting") is None or data_folder("weights") is None:
        print("real photos and weights are not at hand")
        return
    shuffles = int(sys.argv[1]) if len(sys.argv) > 1 else SHUFFLES
    with scratch() as folder:
        heading(f"stumps pruned without a gradient, {shuffles} shuffles of {FOLDS} folds of whole parts")
        times = speed(folder)
        best = {name: float(np.median(row)) for name, row in times.items()}
        auc = quality(shuffles)
    held = [
        check(
            "a. time of the pruned one against cut 12",
            best[f"{HALF}, onnx"] / best[f"{FROM_12}, onnx"],
            0.513,
            most=True,
        ),
        check("a. both as C", best[f"{HALF}, c"] / best[f"{FROM_12}, c"], 0.513, most=True),
        check("a. its AUC", auc[HALF], 0.99),
        check(
            "b. time of the quick one against cut 7", best[f"{QUICK}, onnx"] / best[f"{FROM_7}, onnx"], 0.5, most=True
        ),
        check("b. both as C", best[f"{QUICK}, c"] / best[f"{FROM_7}, c"], 0.5, most=True),
        check("b. AUC lost against cut 7", auc[FROM_7] - auc[QUICK], 0.003, most=True),
        check("c. speed-up against the study's network", best[headline.STUDY] / best[f"{HALF}, onnx"], 4),
        check("c. speed-up against the whole MobileNetV2", best[f"{WHOLE}, onnx"] / best[f"{HALF}, onnx"], 10),
        check("c. AUC above the whole MobileNetV2's", auc[HALF] - auc[WHOLE], 0),
    ]
    raise SystemExit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
