"""Optimizers and learning rates of a recipe."""

from __future__ import annotations

import math
from typing import Any

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR, ReduceLROnPlateau

from gonogo.train.muon import Muon, split_parameters
from gonogo.train.recipe import Recipe

PLATEAU_FACTOR = 0.5
PLATEAU_EPOCHS = 3


def make_optimizer(network: nn.Module, recipe: Recipe) -> Optimizer:
    """Return the recipe's optimizer."""
    if recipe.optimizer == "muon":
        groups = split_parameters(network)
        return Muon(groups, recipe.lr, recipe.weight_decay, recipe.momentum, recipe.nesterov)
    # A fused step divides out the loss scale of 16 bits by itself, too late for the norm to be looked at.
    fused = not (recipe.clip_norm and recipe.precision == "16-mixed")
    parameters = network.parameters()
    if recipe.optimizer == "adam":
        return Adam(parameters, lr=recipe.lr, fused=fused)
    if recipe.optimizer == "sgd":
        return SGD(
            parameters,
            lr=recipe.lr,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov and recipe.momentum > 0,  # without momentum both are one
            weight_decay=recipe.weight_decay,
            fused=fused,
        )
    return AdamW(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=fused)


def factor(recipe: Recipe, steps_per_epoch: int, step: int) -> float:
    """Return the share of the recipe's learning rate that a step takes, for the schedules that follow a formula.

    In the warm-up the rate rises by equal parts, from one part at step 0 to the whole at its last step (Goyal et al.,
    2017). "cosine" falls from the whole, right after the warm-up, to what would be 0 one step after the last
    (Loshchilov and Hutter, ICLR 2017); "step" is multiplied by `step_factor` after every `step_epochs` epochs.

    Args:
        recipe: its `schedule`, `warmup_epochs`, `step_epochs` and `step_factor`.
        steps_per_epoch: batches.
        step: from 0.
    """
    warmup, total = recipe.warmup_epochs * steps_per_epoch, max(1, recipe.epochs) * steps_per_epoch
    if step < warmup:
        return (step + 1) / warmup
    if recipe.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))
    if recipe.schedule == "step":
        return float(recipe.step_factor ** (step // steps_per_epoch // recipe.step_epochs))
    return 1.0


class Schedule:
    """The learning rate along the way.

    Args:
        optimizer: whose rate is set.
        recipe: which schedule.
        steps_per_epoch: batches.
    """

    def __init__(self, optimizer: Optimizer, recipe: Recipe, steps_per_epoch: int) -> None:
        self.steps: OneCycleLR | LambdaLR | None = None
        self.plateau = ReduceLROnPlateau(optimizer, factor=PLATEAU_FACTOR, patience=PLATEAU_EPOCHS)
        self.warmup = recipe.warmup_epochs * steps_per_epoch
        self.follows_loss = recipe.schedule == "plateau"
        if recipe.schedule == "one-cycle":
            total = max(1, recipe.epochs) * steps_per_epoch
            # The momentum of Adam goes the other way, as Smith and Topin have it; the one that is given stays.
            cycle = recipe.optimizer in ("adam", "adamw")
            self.steps = OneCycleLR(optimizer, max_lr=recipe.lr, total_steps=total, cycle_momentum=cycle)
        elif self.warmup or recipe.schedule in ("cosine", "step"):
            self.steps = LambdaLR(optimizer, lambda step: factor(recipe, steps_per_epoch, step))

    def end_step(self) -> None:
        """Set the rate of the next step."""
        # After its warm-up a plateau's rate belongs to the loss alone.
        if self.steps is not None and not (self.follows_loss and self.steps.last_epoch >= self.warmup):
            self.steps.step()

    def end_epoch(self, val_loss: float) -> None:
        """Look at the loss on validation."""
        if self.follows_loss and (self.steps is None or self.steps.last_epoch >= self.warmup):
            self.plateau.step(val_loss)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold; for JSON."""
        parts = self._parts()
        states = {name: part.state_dict() for name, part in parts.items()}
        return next(iter(states.values())) if len(states) == 1 else states

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        parts = self._parts()
        for name, part in parts.items():
            part.load_state_dict(state if len(parts) == 1 else state[name])

    def _parts(self) -> dict[str, OneCycleLR | LambdaLR | ReduceLROnPlateau]:
        parts: dict[str, Any] = {"steps": self.steps, "plateau": self.plateau if self.follows_loss else None}
        return {name: part for name, part in parts.items() if part is not None}
