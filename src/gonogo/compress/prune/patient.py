"""A run that is open for pruning: its network, its photos, what criteria look at, and the clock."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric

from gonogo.compress.prune.evidence import Evidence
from gonogo.compress.prune.moments import BATCH
from gonogo.compress.prune.refit import refit
from gonogo.compress.timing import Timed, time_networks
from gonogo.errors import UsageError
from gonogo.export.gauge import gauge_facts, spread
from gonogo.export.parity import load_photos
from gonogo.models.architecture import Network
from gonogo.models.deployed import Deployed
from gonogo.models.norms import settle_norms
from gonogo.models.pruned import Pruning
from gonogo.splitting import Progress
from gonogo.train.averaging import estimate_norms
from gonogo.train.prepare import Prepared
from gonogo.train.reopen import reopen
from gonogo.train.run import Run
from gonogo.train.train import loader
from gonogo.types import UInt8Array

# Training photos that criteria look at, and that BatchNorm is estimated on.
JUDGED, ESTIMATED = 256, 4096
TIMED_PHOTOS = 8


@dataclass(frozen=True)
class Patient:
    """A run that is open for pruning.

    Attributes:
        run: the original.
        network: its network, in evaluation.
        prepared: its photos.
        photos: (N, H, W, C) uint8 camera pixels of validation, for timing.
        evidence: the network and training photos.
    """

    run: Run
    network: Network
    prepared: Prepared
    photos: UInt8Array
    evidence: Evidence

    def deployed(self, network: Network) -> Deployed:
        """Return a network as it would be deployed, without what tells the unknown, which is fitted at the end."""
        return Deployed(copy.deepcopy(network).cpu(), self.run.config.geometry, self.run.config.task).eval()

    def times(self, **networks: Network) -> dict[str, Timed]:
        """Return milliseconds of one photo and bytes of the file, all networks in the same run."""
        deployed = {name: self.deployed(network) for name, network in networks.items()}
        return time_networks(deployed, gauge_facts(self.run), self.photos)


def open_patient(path: Path, data: Path | None, seed: int, progress: Progress | None = None) -> Patient:
    """Open a run for pruning.

    Raises:
        RunError: it is none, or has not finished.
        UsageError: it was shown no defect.
    """
    run = Run.open(path)
    if run.metrics.get("good_alone") is not None:
        raise UsageError(
            f"{path} knows good parts alone, and there is no answer to hold a pruned one against; label some"
        )
    network = run.load_network()
    prepared = reopen(run, data, progress)
    val = prepared.manifest.select("val")
    photos = load_photos(val, spread(val, TIMED_PHOTOS), run.config.geometry)
    fabric = Fabric(accelerator="cpu", devices=1)
    train = loader(prepared, "train", fabric)
    order = np.random.default_rng(seed).permutation(len(train))[:JUDGED]
    train.rows, train.labels = train.rows[order], train.labels[torch.from_numpy(order)]
    judged, labels = (torch.cat(values) for values in zip(*train.batches(JUDGED), strict=True))
    return Patient(run, network, prepared, photos, Evidence(network, judged, labels, seed))


def estimate(network: Network, prepared: Prepared, fabric: Fabric) -> None:
    """Estimate BatchNorm's statistics anew, on training photos as they are."""
    # Layers that were frozen would keep the statistics of channels that are gone.
    network.to(fabric.device).requires_grad_(True)
    train = loader(prepared, "train", fabric)
    # Evenly: the photos may stand class by class.
    chosen = np.linspace(0, len(train) - 1, min(ESTIMATED, len(train))).round().astype(np.int64)
    train.rows, train.labels = train.rows[chosen], train.labels[torch.from_numpy(chosen)]
    estimate_norms(network, network, lambda: train.batches(JUDGED))
    network.eval()


def fit_again(patient: Patient, network: Network, before: Network, pruning: Pruning) -> None:
    """Fit the layers of a network that was pruned, in place, to what they said before; what learns begins there.

    Args:
        patient: the original, and training photos.
        network: `before` with `pruning` applied.
        before: stays as it is.
        pruning: what went.
    """
    photos = patient.evidence.photos
    refit(network.cpu().eval(), before, pruning, photos)
    settle_norms(network, torch.split(photos, BATCH))
