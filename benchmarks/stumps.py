"""Stumps of a pretrained MobileNetV2 on real parts: quality over grouped folds, time to a gauge, time of a photo.

Claims, over 8 shuffles of grouped folds: castings at 112x112 (4 folds) mean ROC AUC of at least .988 with at most 80k
parameters and .998 with at most 430k; steel (5 folds) accuracy of at least 98.8 % and 99.8 %; decoded photos to a gauge
in under 3 minutes; one thread in ONNX Runtime at least 7x and 5x faster than the whole MobileNetV2 at 224x224.
Run: python benchmarks/stumps.py [name of a bar, ...]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from common import data_folder, heading
from gonogo.audit.visit import copies_of
from gonogo.bench.timer import percentiles
from gonogo.data.cache import reduced_pixels
from gonogo.data.formats import ReadOptions, read_dataset
from gonogo.data.geometry import Geometry
from gonogo.data.groups import join_groups
from gonogo.data.manifest import Manifest
from gonogo.data.scan import scan
from gonogo.data.split import linked_groups
from gonogo.export import EXPORTERS
from gonogo.export.gauge import export_gauge
from gonogo.gauge.gauge import Gauge
from gonogo.models.architecture import Network, count_frozen, count_parameters, make_spec
from gonogo.models.deployed import Deployed
from gonogo.runtimes import RUNTIMES
from gonogo.train.features import Features, extract
from gonogo.train.head import Examples, best_strength, choose_strength, fit_head
from gonogo.train.loader import Loader
from gonogo.train.prepare import DataOptions, prepare
from gonogo.train.run import Run
from gonogo.train.train import TrainRequest, train
from gonogo.train.transfer import put_weights, read_pretrained
from gonogo.types import Int64Array

SHUFFLES = 8
# Of what is not claimed: the whole backbone beside it, and folds that are dealt in another way.
ASIDE_SHUFFLES = 2
WHOLE = 18
CUTS = {7: 80_000, 12: 430_000}
WEIGHTS = "weights/mobilenet_v2_imagenet_qat_dequant_w16.pth"
REPEATS = 400


@dataclass(frozen=True)
class Subject:
    """A set of photos with what hangs together.

    Attributes:
        manifest: scanned; its groups are the copies that were found.
        parts: (N,) group numbers.
    """

    manifest: Manifest
    parts: Int64Array


def weights_file() -> Path:
    """Return the real weights, or end the benchmark where they are not at hand."""
    folder = data_folder("weights")
    if folder is None:
        print("  real photos and weights are not at hand")
        raise SystemExit(0)
    return folder / Path(WEIGHTS).name


@cache
def subject(name: str) -> Subject:
    """Read a set of real photos and find its copies (remembered by content)."""
    folder = data_folder(name)
    assert folder is not None
    found = scan(read_dataset(folder, None, ReadOptions(mixed="first" if name == "neu-voc" else "refuse")))
    joined = join_groups(found.manifest, numbers=copies_of(found).groups.tolist())
    return Subject(joined, np.unique(linked_groups(joined), return_inverse=True)[1].astype(np.int64))


def features_of(name: str, geometry: Geometry, cuts: Sequence[int], statistics: Sequence[str]) -> dict[int, Features]:
    """Return the pooled features of a whole set after each cut."""
    data = subject(name)
    pixels = reduced_pixels(data.manifest, geometry)
    network = make_spec("stump", 2, 1, {"cut": max(cuts)}).build().eval()
    load(network, max(cuts))
    network.to(memory_format=torch.channels_last)
    rows = np.arange(len(pixels))
    loader = Loader(pixels, rows, data.manifest.labels, geometry, torch.device("cpu"))
    # The covariance of 1,280 channels for each of hundreds of groups would fill the memory: the peer gets that of all.
    groups = ["all" if max(cuts) == WHOLE else str(part) for part in data.parts]
    return extract(list(network.body), cuts, statistics, loader, groups)


def load(network: Network, cut: int) -> None:
    """Put the real weights into a grey stump."""
    options = {"cut": cut}
    put_weights(network, make_spec("stump", 2, 1, options), read_pretrained("stump", weights_file(), options).tensors)


def folds_of(data: Subject, folds: int, shuffle: int, by: str) -> Int64Array:
    """Deal whole groups into folds: alike in photos of each class, or by groups alone, blind to their size."""
    labels, parts = data.manifest.labels, data.parts
    fold = np.zeros(len(labels), dtype=np.int64)
    if by == "photos":
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=shuffle)
        for number, (_, test) in enumerate(splitter.split(labels, labels, parts)):
            fold[test] = number
        return fold
    first = np.unique(parts, return_index=True)[1]
    rng, dealt = np.random.default_rng(shuffle), 0
    of_part = np.zeros(len(first), dtype=np.int64)
    for label in np.unique(labels):
        own = rng.permutation(np.flatnonzero(labels[first] == label))
        of_part[own] = (dealt + np.arange(len(own))) % folds
        dealt += len(own)
    return of_part[parts]


def validate(data: Subject, features: Features, folds: int, by: str, shuffles: int) -> np.ndarray:
    """Return (shuffles, folds) of the score on groups never seen: AUC for two classes, otherwise accuracy."""
    labels, names = data.manifest.labels, tuple(str(part) for part in data.parts)
    scores = np.zeros((shuffles, folds))
    for shuffle in range(shuffles):
        fold = folds_of(data, folds, shuffle, by)
        for number in range(folds):
            seen = fold != number
            places = features.within(np.flatnonzero(seen))
            examples = Examples(features.pooled, labels, names, places).at(seen)
            head = fit_head(examples, best_strength(choose_strength(examples, 0)))
            logits, truth = head.logits(features.pooled[~seen]), labels[~seen]
            two = logits.shape[1] == 2
            scores[shuffle, number] = (
                roc_auc_score(truth, logits[:, 1] - logits[:, 0]) if two else (logits.argmax(1) == truth).mean()
            )
    return scores


def quality(name: str, geometry: Geometry, whole: Geometry, folds: int, claims: dict[int, float]) -> bool:
    """Print the rows of one set."""
    data = subject(name)
    print(
        f"  {name}: {len(data.parts):,} photos of {data.parts.max() + 1} groups, {SHUFFLES} shuffles of {folds} folds"
    )
    started, cpu = time.perf_counter(), time.process_time()
    found = features_of(name, geometry, list(claims), ("avg", "max", "std"))
    took = (time.perf_counter() - started, time.process_time() - cpu)
    print(f"    features of both cuts: {took[0]:.0f} s, {took[1]:.0f} s of CPU", flush=True)
    met = True
    for cut, claim in claims.items():
        params = parameters(data, cut, "avg,max,std")
        scores = validate(data, found[cut], folds, "photos", SHUFFLES)
        blind = validate(data, found[cut], folds, "groups", ASIDE_SHUFFLES).mean()
        held = scores.mean() >= claim and params <= CUTS[cut]
        met = met and held
        print(
            f"    {in_words(cut, geometry, params, scores)} (claimed {claim} with {CUTS[cut]:,}); groups dealt "
            f"blind to their size {blind:.4f}" + ("" if held else "   NOT MET"),
            flush=True,
        )
    features = features_of(name, whole, [WHOLE], ("avg",))[WHOLE]
    scores = validate(data, features, folds, "photos", ASIDE_SHUFFLES)
    print(f"    {in_words(WHOLE, whole, parameters(data, WHOLE, 'avg'), scores)} (the whole backbone's averages)")
    return met


def parameters(data: Subject, cut: int, statistics: str) -> int:
    """Return how many parameters a grey stump has with its head."""
    options = {"cut": cut, "statistics": statistics}
    network = make_spec("stump", len(data.manifest.classes), 1, options).build()
    return count_parameters(network)[0] + count_frozen(network)


def in_words(cut: int, geometry: Geometry, params: int, scores: np.ndarray) -> str:
    """Return the scores of a cut, (shuffles, folds), as a row."""
    height, width = geometry.input_size
    return (
        f"cut {cut:2d} at {width}x{height}: {params:9,} parameters, mean {scores.mean():.4f}, worst fold "
        f"{scores.min():.3f}, {len(scores)} shuffles {scores.mean(1).min():.4f} to {scores.mean(1).max():.4f}"
    )


def castings() -> bool:
    """Castings, 300x300, reduced 2x and resized to 112x112."""
    small = with_levels(Geometry(300, 300, 1, None, 2, size=(112, 112)))
    return quality("casting", small, with_levels(Geometry(300, 300, size=(224, 224))), 4, {7: 0.988, 12: 0.998})


def steel() -> bool:
    """Steel sheet, 200x200 as it is; the class of a photo is that of its first box."""
    full = with_levels(Geometry(200, 200))
    return quality("neu-voc", full, full, 5, {7: 0.988, 12: 0.998})


def with_levels(geometry: Geometry) -> Geometry:
    """Return the geometry with the mean and std of the weights."""
    return geometry.with_statistics((127.5,), (127.5,))


def speed() -> bool:
    """From decoded photos to a gauge, and from a photo to a verdict beside the whole MobileNetV2."""
    data = subject("casting")
    met = True
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "castings.csv"
        Path(folder, "photos").symlink_to(data.manifest.root, target_is_directory=True)
        samples = tuple(
            replace(s, path=f"photos/{s.path}", split="", group=str(part))
            for s, part in zip(data.manifest.samples, data.parts, strict=True)
        )
        replace(data.manifest, root=Path(folder), samples=samples).write(table)
        options = DataOptions(size=(112,))
        prepare(table, options)  # decodes and reduces every photo
        gauges = {}
        for cut in CUTS:
            out = Path(folder) / f"run{cut}"
            started, cpu = time.perf_counter(), time.process_time()
            request = TrainRequest(table, out, "stump", {"cut": cut}, options=options, weights=weights_file())
            train(request)
            gauges[cut] = export_gauge(Run.open(out), Path(folder) / f"gauge{cut}").gauge
            took = time.perf_counter() - started
            met = met and took < 180
            print(
                f"  cut {cut:2d}: {len(data.parts):,} decoded photos to a gauge of {gauges[cut].files[0].size_bytes:,} "
                f"bytes: {took:.0f} s (claimed 180), {time.process_time() - cpu:.0f} s of CPU"
            )
        return latency(gauges, Path(folder)) and met


def latency(gauges: dict[int, Gauge], folder: Path) -> bool:
    """Time the gauges from 300x300 camera pixels, and the whole backbone from 224x224, which costs it no resizing."""
    geometry = with_levels(Geometry(224, 224))
    facts = replace(gauges[7].facts, geometry=geometry)
    network = make_spec("stump", 2, 1, {"cut": WHOLE, "statistics": "avg"}).build()
    load(network, WHOLE)
    rng = np.random.default_rng(0)
    large, small = (rng.integers(0, 256, (8, side, side, 1), dtype=np.uint8) for side in (224, 300))
    path = folder / "whole.onnx"
    EXPORTERS.get("onnx").write(Deployed(network, geometry, facts.decision.task).eval(), facts, large, path)
    whole = RUNTIMES.get("onnxruntime").open(path, 1)
    calls: dict[str, Callable[[int], object]] = {"whole": lambda turn: whole(large[turn % 8][None])}
    for cut, gauge in gauges.items():
        session = gauge.open(gauge.files[0], 1)
        calls[str(cut)] = lambda turn, session=session: session(small[turn % 8][None])
    times = {name: float(np.median(row)) for name, row in percentiles(calls, REPEATS).items()}
    met = True
    for cut, claim in ((7, 7), (12, 5)):
        ratio = times["whole"] / times[str(cut)]
        met = met and ratio >= claim
        print(
            f"  cut {cut:2d} from 300x300 pixels: {times[str(cut)]:.3f} ms, whole MobileNetV2 from 224x224, in turns: "
            f"{times['whole']:.3f} ms, {ratio:.1f}x (claimed {claim}x), median of {REPEATS}"
        )
    return met


BARS: dict[str, Callable[[], bool]] = {"castings": castings, "steel": steel, "speed": speed}


def main() -> None:
    """Print every bar asked for, all of them unless named."""
    torch.set_num_threads(1)
    heading("stumps of MobileNetV2 with pretrained weights")
    weights_file()
    met = [BARS[name]() for name in (sys.argv[1:] or BARS)]
    raise SystemExit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
