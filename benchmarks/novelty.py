"""Photos unlike everything in training, and a first gauge from good parts alone.

Claims, on parts never seen: a stump trained on the real castings sends at least 99 % of other products' photos, and of
its own photos shifted by a third, half blacked out, at 15 % of the light or blurred, to review, and at most 2 % of the
others; a taper trained on synthetic castings at least 95 %; the distance fitted on good castings alone tells defects
with a mean AUC of .94. And what it costs in latency. Run: python benchmarks/novelty.py [unknown, taper, good, ...]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from common import data_folder, heading, scratch
from gonogo.bench.timer import percentiles
from gonogo.data.cache import load_sample
from gonogo.data.geometry import Geometry
from gonogo.data.images import decode_photo
from gonogo.data.synthetic import write_castings
from gonogo.export import EXPORTERS
from gonogo.export.gauge import export_gauge
from gonogo.gauge.gauge import Gauge
from gonogo.models.architecture import Network, make_spec
from gonogo.models.deployed import Deployed
from gonogo.models.novelty import pool
from gonogo.runtimes import RUNTIMES
from gonogo.train.features import batch_size
from gonogo.train.novelty import HELD_BACK, distance, held_out_distances, spread_of
from gonogo.train.prepare import DataOptions
from gonogo.train.train import TrainRequest, train
from gonogo.types import Float64Array, Int64Array, UInt8Array
from stumps import load, subject

SIDE = 300  # pixels of the castings' photos
LEVELS = {"mean": (127.5,), "std": (127.5,)}
GEOMETRY = Geometry(height=SIDE, width=SIDE, channels=1, colour="grey", reduce=2, size=(112, 112), **LEVELS)
FOLDS, SHUFFLES, GOOD_SHUFFLES = 4, 2, 8
EVERY = 4  # of the altered and foreign photos, one in so many is asked
PARTS = 300
TURNS = 400


def shifted(photo: UInt8Array, index: int) -> UInt8Array:
    """Move the photo by a third, as when the camera moved; nothing is seen where it ends."""
    axis, third = index % 2, photo.shape[index % 2] // 3
    moved = np.roll(photo, third if index // 2 % 2 else -third, axis)
    empty = [slice(None), slice(None)]
    empty[axis] = slice(None, third) if index // 2 % 2 else slice(-third, None)
    moved[tuple(empty)] = 0
    return moved


def half_black(photo: UInt8Array, index: int) -> UInt8Array:
    """Black out one half."""
    result, (height, width) = photo.copy(), (photo.shape[0] // 2, photo.shape[1] // 2)
    result[(np.s_[:height], np.s_[height:], np.s_[:, :width], np.s_[:, width:])[index % 4]] = 0
    return result


ALTERED: dict[str, Callable[[UInt8Array, int], UInt8Array]] = {
    "shifted by a third": shifted,
    "half black": half_black,
    "15 % of the light": lambda photo, _: np.round(photo * 0.15).astype(np.uint8),
    "blurred, sigma 4": lambda photo, _: np.asarray(cv2.GaussianBlur(photo, (0, 0), 4.0)),
}
FOREIGN = ("neu-voc", "x-sdd")


def photos_of(name: str, every: int = 1) -> Iterator[UInt8Array]:
    """Yield a real set's photos in grey; other sizes are brought to the castings', as their camera would."""
    manifest = subject(name).manifest
    for sample in manifest.samples[::every]:
        photo = decode_photo(manifest.read_bytes(sample), channels=1)[:, :, 0]
        yield photo if photo.shape == (SIDE, SIDE) else cv2.resize(photo, (SIDE, SIDE))


def stump(cut: int) -> Network:
    """Build a stump with the real weights."""
    network = make_spec("stump", 2, 1, {"cut": cut}).build().eval()
    load(network, cut)
    return network.to(memory_format=torch.channels_last)


def pooled(network: Network, photos: Iterator[UInt8Array]) -> Float64Array:
    """Return (N, F), what the distance of grey photos is measured in."""
    step, rows, waiting = batch_size(GEOMETRY.input_size), [], []

    def ask() -> None:
        levels = GEOMETRY.normalise(GEOMETRY.apply(np.stack(waiting)[..., None]))
        with torch.no_grad():
            rows.append(pool(network.watch(torch.from_numpy(levels))[0]).double().numpy())
        waiting.clear()

    for photo in photos:
        waiting.append(photo)
        if len(waiting) == step:
            ask()
    if waiting:
        ask()
    return np.concatenate(rows)


def folds(labels: Int64Array, parts: Int64Array, shuffles: int) -> Iterator[tuple[Int64Array, Int64Array]]:
    """Yield training and test rows, whole parts on one side."""
    for shuffle in range(shuffles):
        dealt = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=shuffle)
        yield from dealt.split(labels, labels, parts)


def unknown() -> bool:
    """The real castings: who is held back by a stump."""
    if data_folder("casting") is None:
        print("  the real photos are not at hand")
        return True
    data, network = subject("casting"), stump(7)
    photos = list(photos_of("casting"))
    own = pooled(network, iter(photos))
    asked = np.arange(0, len(photos), EVERY)
    altered = {
        name: pooled(network, (change(photos[i], k) for k, i in enumerate(asked))) for name, change in ALTERED.items()
    }
    foreign = {name: pooled(network, photos_of(name, EVERY)) for name in FOREIGN}
    held: dict[str, list[float]] = {name: [] for name in ("parts never seen", *FOREIGN, *ALTERED)}
    for rows, unseen in folds(data.manifest.labels, data.parts, SHUFFLES):
        spread, parts = spread_of(own[rows], data.parts[rows]), np.unique(data.parts[rows], return_inverse=True)[1]
        limit = np.quantile(held_out_distances(own[rows], parts, 0), 1 - HELD_BACK, method="higher")
        sets = {"parts never seen": own[unseen], **foreign}
        sets |= {name: values[np.isin(asked, unseen)] for name, values in altered.items()}
        for name, values in sets.items():
            held[name].append(float((distance(spread, values) > limit).mean()))
    return report(held, 0.99)


def report(held: dict[str, list[float]], least: float) -> bool:
    """Print the share that goes to review of each set, and say whether all are as claimed."""
    met = True
    for name, shares in held.items():
        mean, seen = float(np.mean(shares)), name == "parts never seen"
        right = mean <= 0.02 if seen else mean >= least
        claim = f"at most {0.02:.0%}" if seen else f"at least {least:.0%}"
        worst = max(shares) if seen else min(shares)
        print(f"    {name:20} {mean:7.2%} to review ({claim}), worst {worst:.2%}{'' if right else '   NOT MET'}")
        met &= right
    return met


def taper() -> bool:
    """A taper trained on synthetic castings: who is held back by its exported gauge, and what that costs."""
    with scratch() as folder:
        write_castings(folder / "set", parts=PARTS, views=2, difficulty=0.0, workers=2)
        run = train(TrainRequest(folder / "set", folder / "run", options=DataOptions(find_copies=False)))
        gauge = export_gauge(run, folder / "gauge").gauge
        test = run.manifest().select("test")
        photos = [load_sample(test, sample, gauge.facts.geometry)[:, :, 0] for sample in test.samples]
        held = {"parts never seen": [_share(gauge, photos)]}
        if data_folder("neu-voc") is not None:
            held |= {name: [_share(gauge, list(photos_of(name, EVERY)))] for name in FOREIGN}
        for name, change in ALTERED.items():
            held[name] = [_share(gauge, [change(photo, k) for k, photo in enumerate(photos)])]
        met = report(held, 0.95)
        deployed = run.deployed()
        ratio = _cost(deployed, gauge, photos[0][None, :, :, None], folder)
    print(f"    its latency is {ratio:.2f} times that of the same gauge without the distance (one thread, same run)")
    return met


def _share(gauge: Gauge, photos: list[UInt8Array]) -> float:
    return float(np.mean([gauge.inspect(photo).is_unknown for photo in photos]))


def _cost(deployed: Deployed, gauge: Gauge, photo: UInt8Array, folder: Path) -> float:
    plain = Deployed(deployed.network, gauge.facts.geometry, gauge.facts.decision.task).eval()
    EXPORTERS.get("onnx").write(plain, gauge.facts, np.repeat(photo, 2, 0), folder / "plain.onnx")
    without = RUNTIMES.get("onnxruntime").open(folder / "plain.onnx", 1)
    whole = gauge.open()
    calls = {"whole": lambda _: whole(photo), "plain": lambda _: without(photo)}
    times = percentiles(calls, TURNS)
    return float(np.median(times["whole"]) / np.median(times["plain"]))


def good() -> bool:
    """The real castings: the distance from good parts alone against the labels."""
    if data_folder("casting") is None:
        print("  the real photos are not at hand")
        return True
    data = subject("casting")
    own, labels = pooled(stump(12), photos_of("casting")), data.manifest.labels
    is_good = labels == data.manifest.classes.index("ok_front")
    areas = []
    for rows, unseen in folds(labels, data.parts, GOOD_SHUFFLES):
        known = rows[is_good[rows]]
        spread = spread_of(own[known], data.parts[known])
        if len(np.unique(is_good[unseen])) == 2:
            areas.append(roc_auc_score(~is_good[unseen], distance(spread, own[unseen])))
    print(
        f"    fitted on good castings alone, {len(areas)} folds: mean AUC {np.mean(areas):.4f} (claimed .94), "
        f"worst {min(areas):.3f}"
    )
    return bool(np.mean(areas) >= 0.94)


BARS: dict[str, Callable[[], bool]] = {"unknown": unknown, "taper": taper, "good": good}


def main() -> None:
    """Print every bar asked for, all of them unless named."""
    heading("photos unlike everything in training", 2)
    met = [BARS[name]() for name in (sys.argv[1:] or BARS)]
    raise SystemExit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
