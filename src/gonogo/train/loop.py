"""The training loop: one network, one device, a checkpoint after each epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional as F

from gonogo.errors import BarNotMetError
from gonogo.models.architecture import Network
from gonogo.train.averaging import Averaging, first_averaged
from gonogo.train.checkpoint import Kept, Progress, copy_weights, load_checkpoint, save_checkpoint
from gonogo.train.imbalance import REMEDIES, Loss
from gonogo.train.loader import Loader
from gonogo.train.memory import keep_memory
from gonogo.train.mixing import mix, wants_mixing
from gonogo.train.progressive import check_sizes
from gonogo.train.recipe import Recipe
from gonogo.train.schedule import Schedule, make_optimizer

# Photos a step where nothing is learnt: large enough to be quick, small enough for any network here.
EVAL_BATCH = 64


@dataclass(frozen=True)
class Step:
    """How far a training is, for whoever shows it.

    Attributes:
        epoch: the one under way, from 1.
        epochs: of the recipe.
        photos: done in this epoch.
        photos_per_epoch: training photos drawn in each epoch.
        images_per_second: of this epoch so far.
        row: figures of the epoch, when it has just ended; None before.
    """

    epoch: int
    epochs: int
    photos: int
    photos_per_epoch: int
    images_per_second: float
    row: dict[str, float] | None = None


class Trainer:
    """Trains one network.

    Args:
        network: fresh weights; holds the best ones when `fit` returns.
        recipe: how.
        train: training photos.
        val: validation photos, which choose the best epoch.
        fabric: device and precision.
        checkpoint: where the state goes after each epoch.
        report: called after each batch and each epoch.

    Raises:
        UsageError: the recipe begins with photos that the network cannot take.
    """

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        train: Loader,
        val: Loader,
        fabric: Fabric,
        checkpoint: Path,
        report: Callable[[Step], None] | None = None,
    ) -> None:
        check_sizes(network, recipe, train.mean.shape[1], train.size)
        # With the channels innermost a step takes 12 to 40 % less time on the CPU.
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network, self.recipe, self.train, self.val = network, recipe, train, val
        self.fabric, self.checkpoint, self.report = fabric, checkpoint, report
        self.optimizer = make_optimizer(network, recipe)
        self.photos = train.photos_per_epoch(recipe)
        steps = -(-self.photos // recipe.batch_size)
        self.schedule = Schedule(self.optimizer, recipe, steps)
        self.loss: Loss | None = None
        self.progress = Progress()
        self.best: Mapping[str, Tensor] = {}
        self.unkept = first_averaged(recipe)

    def fit(self) -> Progress:
        """Train to the end, going on from the checkpoint where there is one; load the best weights.

        Raises:
            BarNotMetError: the loss is no longer a number.
        """
        keep_memory()
        if not self.recipe.epochs:
            self.progress.history = [self._as_it_came()]
            return self.progress
        kept = Kept()
        if self.checkpoint.exists():
            kept, self.progress = load_checkpoint(self.checkpoint, self.network, self.optimizer)
            self.schedule.load_state_dict(self.progress.scheduler)
            self.best = kept.best
        # Fabric's wrapper places and casts; the plain network stays the one that is saved.
        wrapped: Any
        wrapped, optimizer = self.fabric.setup(self.network, self.optimizer)
        averaging = Averaging(self.network, self.recipe)
        if self.progress.epoch:
            averaging.load(dict(kept.average))
            self.fabric.strategy.precision.load_state_dict(self.progress.scaler)
        while self.progress.epoch < self.recipe.epochs and not self._stopped_early():
            row = self._epoch(wrapped, optimizer, averaging)
            save_checkpoint(
                self.checkpoint, self.network, Kept(self.best, averaging.state()), self.optimizer, self.progress
            )
            self._tell(row["images_per_second"], self.photos, row)
        self.network.load_state_dict(self.best)
        return self.progress

    def _as_it_came(self) -> dict[str, float]:
        """Return what the network makes of the validation photos before anything is learnt."""
        started = time.perf_counter()
        val_loss, val_accuracy = self._validate(self.fabric.setup(self.network))
        seconds = time.perf_counter() - started
        return {"val_loss": val_loss, "val_accuracy": val_accuracy, "images_per_second": len(self.val) / seconds}

    def _stopped_early(self) -> bool:
        patience = self.recipe.patience
        since = max(self.progress.best_epoch, self.unkept)
        return bool(patience) and self.progress.epoch - since >= patience

    def _epoch(self, wrapped: Any, optimizer: Any, averaging: Averaging) -> dict[str, float]:
        epoch = self.progress.epoch
        train_loss, images_per_second = self._learn(wrapped, optimizer, averaging)
        averaging.end_epoch(self.network, epoch)
        whole = replace(self.recipe, progressive_resize=1.0)
        with averaging.applied(self.network, wrapped, lambda: self.train.train_batches(whole, epoch)):
            val_loss, val_accuracy = self._validate(wrapped)
            row = {
                "epoch": epoch + 1,
                "train_loss": train_loss,
                "val_loss": val_loss,
                "val_accuracy": val_accuracy,
                "lr": float(self.optimizer.param_groups[0]["lr"]),
                "images_per_second": images_per_second,
            }
            self.schedule.end_epoch(val_loss)
            self._remember(row)
        return row

    def _learn(self, wrapped: Any, optimizer: Any, averaging: Averaging) -> tuple[float, float]:
        """Go through the training photos once; return their loss and the images a second."""
        recipe, epoch = self.recipe, self.progress.epoch
        # Chance depends on seed and epoch alone, so a resumed run draws what an undisturbed one would have.
        torch.manual_seed(recipe.seed * 1_000_003 + epoch)
        # Mixing has a stream of its own, lest its draws repeat those of the order and the augmentation.
        chance = torch.Generator().manual_seed(recipe.seed * 1_000_003 + epoch + 500_000)
        wrapped.train()
        # What zero_grad does, without the hundredth of a step that it takes to tell a profiler.
        weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        total, seen, started = 0.0, 0, time.perf_counter()
        for photos, labels in self.train.train_batches(recipe, epoch):
            mixed = mix(photos, recipe, chance) if wants_mixing(recipe) else None
            logits = wrapped(photos if mixed is None else mixed.inputs)
            targets = labels if mixed is None else mixed.targets(labels, logits.shape[1])
            if self.loss is None:
                counts = self.train.class_counts(logits.shape[1], recipe)
                self.loss = REMEDIES.get(recipe.imbalance).loss(counts, recipe)
            loss = self.loss(logits, targets)
            for weight in weights:
                weight.grad = None
            self.fabric.backward(loss)
            if recipe.clip_norm:
                self.fabric.clip_gradients(wrapped, optimizer, max_norm=recipe.clip_norm, error_if_nonfinite=False)
            optimizer.step()
            averaging.end_step(self.network)
            self.schedule.end_step()
            total += float(loss.detach()) * len(labels)
            seen += len(labels)
            self._tell(seen / (time.perf_counter() - started), seen)
        return total / seen, seen / (time.perf_counter() - started)

    def _validate(self, wrapped: Any) -> tuple[float, float]:
        wrapped.eval()
        loss, hits = 0.0, 0
        with torch.no_grad():
            for inputs, labels in self.val.batches(EVAL_BATCH):
                logits = wrapped(inputs).float()
                loss += float(F.cross_entropy(logits, labels, reduction="sum"))
                hits += int((logits.argmax(1) == labels).sum())
        return loss / len(self.val), hits / len(self.val)

    def _remember(self, row: dict[str, float]) -> None:
        progress = self.progress
        progress.epoch += 1
        progress.history.append(row)
        progress.scheduler = self.schedule.state_dict()
        progress.scaler = dict(self.fabric.strategy.precision.state_dict())
        if not (math.isfinite(row["train_loss"]) and math.isfinite(row["val_loss"])):
            raise BarNotMetError(
                f"epoch {progress.epoch}: the loss is no longer a number; give a lower --lr than {self.recipe.lr:g}"
            )
        if progress.epoch <= self.unkept:
            return  # what is kept is an average, and there is none yet
        if row["val_loss"] < progress.best_loss or self.recipe.keep == "last":
            progress.best_loss, progress.best_epoch = row["val_loss"], progress.epoch
            self.best = copy_weights(self.network)

    def _tell(self, images_per_second: float, photos: int, row: dict[str, float] | None = None) -> None:
        if self.report:
            epoch = self.progress.epoch + (row is None)
            self.report(Step(epoch, self.recipe.epochs, photos, self.photos, images_per_second, row))
