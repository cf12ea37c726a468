"""One way to train on one fold after another: the answers to every photo of a network that never saw its part."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric

from gonogo import __version__
from gonogo.config import to_dict
from gonogo.data.split import with_splits
from gonogo.files import atomic_file
from gonogo.train.build import build_checked
from gonogo.train.candidates import Entrant
from gonogo.train.loader import statistics
from gonogo.train.loop import Step
from gonogo.train.prepare import Prepared
from gonogo.train.train import answers, learn
from gonogo.train.transfer import put_weights, with_levels
from gonogo.types import Float32Array, Int64Array


@dataclass(frozen=True)
class Course:
    """Photos, their folds, and a folder in which every fold's answers are kept as soon as they are there.

    Attributes:
        prepared: the photos, all of them to take part.
        folds: (R, N) the fold of each photo in each round; the training's seed goes up by one each round.
        folder: of the answers.
        device: of Lightning Fabric: "auto", "cpu" or "cuda".
    """

    prepared: Prepared
    folds: Int64Array
    folder: Path
    device: str = "cpu"

    def run(
        self, entrant: Entrant, number: int, fold: int, report: Callable[[Step], None] | None = None
    ) -> Float32Array:
        """Train on all folds but one and return (M, K) answers to that one; those of an earlier run where there are.

        Args:
            entrant: what to train.
            number: of the round.
            fold: the one held out.
            report: called after each batch and epoch.

        Raises:
            BarNotMetError: the loss left the numbers.
        """
        path = self._path(entrant, number, fold)
        if path.is_file():
            return np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
        recipe = replace(entrant.recipe, seed=entrant.recipe.seed + number)
        prepared = self._without(number, fold)
        spec = entrant.spec(prepared)
        prepared = with_levels(prepared, spec, entrant.weights.tensors)
        torch.set_num_threads(recipe.threads)
        torch.manual_seed(recipe.seed)
        fabric = Fabric(accelerator=self.device, devices=1, precision=recipe.precision)
        network = build_checked(spec, prepared.geometry)
        put_weights(network, spec, entrant.weights.tensors)
        checkpoint = path.with_suffix(".safetensors")
        learn(network, prepared, recipe, fabric, checkpoint, bool(entrant.weights.facts), report)
        pred_probs = answers(network, prepared, "val", fabric)
        with atomic_file(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, pred_probs, allow_pickle=False)
        checkpoint.unlink(missing_ok=True)
        return pred_probs

    def is_done(self, entrant: Entrant, number: int, fold: int) -> bool:
        """Say whether an earlier run left these answers."""
        return self._path(entrant, number, fold).is_file()

    def _without(self, number: int, fold: int) -> Prepared:
        """Return the photos with a fold held out as val, and mean and std of the others."""
        splits = ["val" if own == fold else "train" for own in self.folds[number]]
        manifest = with_splits(self.prepared.manifest, splits)
        divided = replace(self.prepared, manifest=manifest, shares=self._shares)
        return replace(divided, geometry=statistics(divided.pixels, divided.rows("train"), divided.geometry))

    @cached_property
    def _shares(self) -> Int64Array:
        """Number the photos that are on one side in every round, so that features are computed once for all of them."""
        return np.asarray(np.unique(self.folds, axis=1, return_inverse=True)[1].reshape(-1), dtype=np.int64)

    def _path(self, entrant: Entrant, number: int, fold: int) -> Path:
        """Return where the answers lie: the name says what they depend on, so that nothing else is taken for them."""
        prepared = self.prepared
        facts = {
            "gonogo": __version__,
            "arch": to_dict(entrant.spec(prepared)),
            "recipe": asdict(entrant.recipe),
            "weights": entrant.weights.facts,
            "photos": prepared.manifest.fingerprint,
            "geometry": to_dict(prepared.geometry),
            "folds": self.folds[number].tolist(),
        }
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        return self.folder / f"{entrant.name.replace(' ', '')}-{digest}-{number}-{fold}.npy"
