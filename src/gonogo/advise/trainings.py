"""Short trainings: a small taper from nothing, on all folds but one, asked about the one left out."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

from gonogo.advise.changes import recipe_of
from gonogo.advise.subjects import Subjects, as_levels, as_pixels
from gonogo.data.split import with_splits
from gonogo.models.architecture import make_spec
from gonogo.splitting import Progress
from gonogo.train.augment import augment
from gonogo.train.build import build_checked
from gonogo.train.loader import statistics
from gonogo.train.prepare import Prepared
from gonogo.train.train import answers, learn
from gonogo.types import Float32Array, Int64Array
from gonogo.workers import workers

ARCH = "taper"
# Photos that a training sees, all epochs together, and how few or many epochs that may be.
PHOTOS_SEEN = 16_000
LEAST_EPOCHS, MOST_EPOCHS = 8, 120
# Augmentation pays late: what is trained as a whole, at the end, sees more.
PHOTOS_SEEN_AS_A_WHOLE = 45_000
LEAST_TURNS = 2  # folds that are trained whatever time it is: with one there is no interval
MUCH = 400.0  # megapixels seen, below which processes take longer to start than one to be done


@dataclass(frozen=True)
class Way:
    """A way to train.

    Attributes:
        name: of it.
        values: its augmentations, keys of the recipe; nothing for none.
    """

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Budget:
    """How long the trainings may be.

    Attributes:
        epochs: of each; as many as show `photos_seen` photos unless given.
        photos_seen: by each training, where the epochs are not given.
        until: on the clock of `time.monotonic`; folds that would begin later are left out.
    """

    epochs: int | None
    until: float
    photos_seen: int = PHOTOS_SEEN

    def epochs_for(self, photos: int) -> int:
        """Return the epochs for so many training photos."""
        return self.epochs or int(np.clip(self.photos_seen // max(photos, 1), LEAST_EPOCHS, MOST_EPOCHS))


@dataclass(frozen=True)
class Turns:
    """Trained and asked.

    Attributes:
        folds: (R, N) of the rounds; -1 for photos that time was too short for.
        answers: way to test to (R, N, K), where a test is the name of the way that the photos were changed.
    """

    folds: Int64Array
    answers: dict[str, dict[str, Float32Array]]

    def join(self, other: Turns) -> Turns:
        """Return the answers of both."""
        return Turns(self.folds, self.answers | other.answers)


def train_all(
    subjects: Subjects,
    folds: Int64Array,
    ways: Sequence[Way],
    tests: Sequence[Way],
    budget: Budget,
    seed: int,
    progress: Progress | None = None,
    asked: Int64Array | None = None,
) -> Turns:
    """Train every way on all folds but one, in turn, and ask it about the one left out.

    All ways of a fold start from the same weights and see the photos in the same order.

    Args:
        subjects: the N photos.
        folds: (R, N) the fold of each in each round.
        ways: to train.
        tests: how the photos are changed that are asked about.
        budget: how long.
        seed: of weights, order and draws; one more each round.
        progress: called after each training.
        asked: (R, N) the folds of an earlier call, -1 where its time was over; no others are held out. All
            unless given.
    """
    asked = folds if asked is None else asked
    folds = folds[: len(asked)]
    classes, done = len(subjects.prepared.task.classes), np.full_like(folds, -1)
    found = {way.name: {t.name: np.zeros((*folds.shape, classes), np.float32) for t in tests} for way in ways}
    turns = [(r, int(fold)) for r in range(len(folds)) for fold in np.unique(asked[r][asked[r] >= 0])]
    epochs = budget.epochs_for(folds.shape[1] * 3 // 4)
    work = epochs * subjects.prepared.pixels.size * len(turns) * len(ways) / 1e6
    longest, total = 0.0, len(turns) * len(ways)
    # One after the other, or each in a process of its own: PyTorch's first weights come from one source of chance.
    with workers(total, 1) if work < MUCH else workers(1 << 20) as executor:
        for number, (r, fold) in enumerate(turns):
            started = time.monotonic()
            if number >= LEAST_TURNS and started + longest > budget.until:
                break
            jobs = [
                executor.submit(_train, _without(subjects, folds[r], fold), way, tests, epochs, seed + r)
                for way in ways
            ]
            inside = folds[r] == fold
            for k, (way, job) in enumerate(zip(ways, jobs, strict=True)):
                for test, probs in job.result().items():
                    found[way.name][test][r, inside] = probs
                if progress is not None:
                    progress("training on", number * len(ways) + k + 1, total)
            done[r, inside] = fold
            longest = max(longest, time.monotonic() - started)
    # A later round is used whole or not at all, so that every photo was asked about as often as every other.
    whole = [r for r in range(len(folds)) if r == 0 or (done[r] == asked[r]).all()]
    answered = {name: {test: probs[whole] for test, probs in own.items()} for name, own in found.items()}
    return Turns(done[whole], answered)


def _without(subjects: Subjects, fold: Int64Array, number: int) -> Prepared:
    """Return the photos with one fold held out as val, and mean and std of the others."""
    prepared = subjects.prepared
    manifest = with_splits(prepared.manifest, ["val" if own == number else "train" for own in fold])
    divided = replace(prepared, manifest=manifest, pixels=np.array(prepared.pixels))
    return replace(divided, geometry=statistics(divided.pixels, divided.rows("train"), divided.geometry))


def _train(prepared: Prepared, way: Way, tests: Sequence[Way], epochs: int, seed: int) -> dict[str, Float32Array]:
    """Train one way and return for each test (M, K) answers to the photos held out."""
    recipe = replace(recipe_of(dict(way.values)), epochs=epochs, keep="last", patience=0, seed=seed)
    spec = make_spec(ARCH, len(prepared.task.classes), prepared.geometry.network_channels, {})
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(seed)
    network = build_checked(spec, prepared.geometry)
    fabric = Fabric(accelerator="cpu", devices=1, precision=recipe.precision)
    with tempfile.TemporaryDirectory(prefix="gonogo-") as folder:
        learn(network, prepared, recipe, fabric, Path(folder) / "checkpoint.safetensors")
    return {test.name: answers(network, changed(prepared, test, seed), "val", fabric) for test in tests}


def changed(prepared: Prepared, way: Way, seed: int) -> Prepared:
    """Return the photos as a camera would have stored them after the changes of a way."""
    if not way.values:
        return prepared
    generator = torch.Generator().manual_seed(seed)
    levels = augment(as_levels(prepared.pixels), recipe_of(dict(way.values)), generator)
    return replace(prepared, pixels=as_pixels(levels))
