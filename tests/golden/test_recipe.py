"""The mathematics of a recipe, each against NumPy written by hand from its paper, to 1e-6."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from gonogo.train.averaging import Averaging
from gonogo.train.mixing import cutmix, draw_shares, mix, mixup
from gonogo.train.muon import Muon, orthogonalise, split_parameters
from gonogo.train.recipe import Recipe
from gonogo.train.schedule import Schedule, make_optimizer

TIGHT = {"rtol": 0, "atol": 1e-6}
STEPS = 7


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ---- SWA (Izmailov et al., UAI 2018, equation in algorithm 1) and EMA


def walk(recipe: Recipe, steps: int) -> tuple[Averaging, list[np.ndarray]]:
    """Return an average over a walk of random weights, and the weights."""
    network = nn.Linear(5, 3)
    averaging, seen = Averaging(network, recipe), []
    for step in range(steps):
        with torch.no_grad():
            network.weight.copy_(torch.randn(3, 5, generator=drawn(step)))
        seen.append(network.weight.detach().numpy().astype(np.float64))
        averaging.end_step(network)
        averaging.end_epoch(network, step)
    return averaging, seen


def test_swa_is_the_running_mean_from_its_first_epoch_on():
    averaging, seen = walk(Recipe(averaging="swa", epochs=12, swa_start=0.4), 12)
    mean, models = seen[4], 1
    for weights in seen[5:]:
        mean = (mean * models + weights) / (models + 1)
        models += 1
    np.testing.assert_allclose(averaging.state()["module.weight"].numpy(), mean, **TIGHT)
    np.testing.assert_allclose(mean, np.mean(seen[4:], axis=0), **TIGHT)
    assert int(averaging.state()["n_averaged"]) == 8


def test_ema_forgets_by_its_decay_and_faster_at_first():
    averaging, seen = walk(Recipe(averaging="ema", ema_decay=0.6), 20)
    average = seen[0]
    for done, weights in enumerate(seen[1:], 1):
        decay = min(0.6, (1 + done) / (10 + done))
        average = decay * average + (1 - decay) * weights
    np.testing.assert_allclose(averaging.state()["module.weight"].numpy(), average, **TIGHT)


# ---- MixUp (Zhang et al., ICLR 2018, equation 1) and CutMix (Yun et al., ICCV 2019, equations 1 and 2)

PHOTOS = torch.randn(6, 2, 20, 30, generator=drawn(5))
LABELS = torch.tensor([0, 1, 2, 2, 1, 0])
PARTNER = np.array([3, 0, 5, 2, 4, 1])
SHARE = np.array([0.0, 0.2, 0.45, 0.7, 0.9, 1.0])


def soft(share: np.ndarray) -> np.ndarray:
    one_hot = np.eye(4)[LABELS.numpy()]
    return share[:, None] * one_hot + (1 - share[:, None]) * one_hot[PARTNER]


def test_mixup_mixes_photos_and_targets_alike():
    mixed = mixup(PHOTOS, torch.from_numpy(PARTNER), torch.tensor(SHARE, dtype=torch.float32))
    photos, share = PHOTOS.numpy().astype(np.float64), SHARE[:, None, None, None]
    np.testing.assert_allclose(mixed.inputs.numpy(), share * photos + (1 - share) * photos[PARTNER], **TIGHT)
    np.testing.assert_allclose(mixed.targets(LABELS, 4).numpy(), soft(SHARE), **TIGHT)


def test_cutmix_gives_each_class_the_share_of_its_pixels():
    generator, again = drawn(8), drawn(8)
    mixed = cutmix(PHOTOS, torch.from_numpy(PARTNER), torch.tensor(SHARE, dtype=torch.float32), generator)
    middles = [torch.randint(length, (6, 1), generator=again).flatten().numpy() for length in (20, 30)]
    kept = []
    for number, photo in enumerate(mixed.inputs.numpy()):
        expected = PHOTOS[number].numpy().copy()
        # The sides of equation 2, whole pixels, around a middle drawn evenly, cut at the border.
        tall, wide = (int(np.sqrt(1 - np.float32(SHARE[number])) * side) for side in (20, 30))
        top, left = middles[0][number] - tall // 2, middles[1][number] - wide // 2
        rows, columns = slice(max(top, 0), max(top + tall, 0)), slice(max(left, 0), max(left + wide, 0))
        expected[:, rows, columns] = PHOTOS[PARTNER[number]].numpy()[:, rows, columns]
        inside = np.zeros((20, 30))
        inside[rows, columns] = 1
        kept.append(1 - inside.mean())
        np.testing.assert_array_equal(photo, expected)
    np.testing.assert_allclose(mixed.targets(LABELS, 4).numpy(), soft(np.array(kept)), **TIGHT)
    assert kept[-1] == 1
    assert min(kept) < 0.5


def test_shares_follow_their_beta_and_the_generator_alone():
    shares = draw_shares(20_000, 0.4, drawn()).double().numpy()
    assert shares.mean() == pytest.approx(0.5, abs=0.01)
    assert shares.var() == pytest.approx(1 / (4 * (2 * 0.4 + 1)), abs=0.003)
    assert np.array_equal(shares, draw_shares(20_000, 0.4, drawn()).double().numpy())
    both = Recipe(mixup_alpha=1, cutmix_alpha=1)
    ways = [mix(PHOTOS, both, drawn(seed)).inputs for seed in range(20)]
    # CutMix moves pixels as they are; MixUp makes new values.
    cut = sum(bool(torch.isin(way, PHOTOS).all()) for way in ways)
    assert 4 < cut < 16


# ---- Muon (Jordan et al., 2024)


def by_hand(gradient: np.ndarray) -> np.ndarray:
    x = gradient / (np.linalg.norm(gradient) + 1e-7)
    x = x.T if len(x) > x.shape[1] else x
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if gradient.shape[0] > gradient.shape[1] else x


@pytest.mark.parametrize("shape", [(16, 16), (8, 72), (40, 9)])
def test_muon_s_iteration_brings_singular_values_near_1(shape: tuple[int, int]):
    gradient = torch.randn(shape, generator=drawn(2), dtype=torch.float64)
    found = orthogonalise(gradient).numpy()
    np.testing.assert_allclose(found, by_hand(gradient.numpy()), **TIGHT)
    # In float32, five steps on, the weakest direction of a square matrix has lost one more digit.
    np.testing.assert_allclose(orthogonalise(gradient.float()).numpy(), found, rtol=0, atol=1e-5)
    u, values, v = np.linalg.svd(gradient.numpy(), full_matrices=False)
    after = np.diag(u.T @ found @ v.T)  # the singular vectors stay where they are
    assert np.abs(u.T @ found @ v.T - np.diag(after)).max() < 1e-9
    strong = values > 0.05 * values.max()
    assert after[strong].min() > 0.6
    assert after.max() < 1.25


def test_muon_s_steps_by_hand():
    weight = nn.Parameter(torch.randn(6, 4, 3, 3, generator=drawn(3)).to(memory_format=torch.channels_last))
    expected, momentum = weight.detach().double().numpy().reshape(6, 36), np.zeros((6, 36))
    optimizer = Muon([{"params": [weight], "orthogonal": True}], 0.02, 0.1, 0.95, True)
    for step in range(4):
        gradient = torch.randn(6, 4, 3, 3, generator=drawn(10 + step))
        weight.grad = gradient
        optimizer.step()
        flat = gradient.double().numpy().reshape(6, 36)
        momentum = 0.95 * momentum + flat
        update = by_hand(flat + 0.95 * momentum)
        expected = expected * (1 - 0.02 * 0.1) - 0.02 * 0.2 * math.sqrt(36) * update
    np.testing.assert_allclose(weight.detach().numpy().reshape(6, 36), expected, **TIGHT)


def test_muon_agrees_with_pytorch_s_own_to_its_sixteen_bits():
    start, gradient = torch.randn(12, 20, generator=drawn(4)), torch.randn(12, 20, generator=drawn(5))
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    first = Muon([{"params": [ours], "orthogonal": True}], 0.1, 0.1, 0.95, True)
    second = torch.optim.Muon([theirs], lr=0.1, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    for weight, optimizer in ((ours, first), (theirs, second)):
        weight.grad = gradient.clone()
        optimizer.step()
    assert (ours - theirs).abs().max() < 0.03 * (ours - start).abs().max()


def test_muon_takes_hidden_layers_and_adamw_the_rest():
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 6, 1), nn.Linear(6, 2)
    )
    groups = {group["orthogonal"]: group["params"] for group in split_parameters(network)}
    assert [weight.shape for weight in groups[True]] == [(6, 8, 1, 1)]
    assert len(groups[False]) == len(list(network.parameters())) - 1
    assert [group["orthogonal"] for group in split_parameters(nn.Linear(3, 2))] == [False]


# ---- schedules, every one at its corners


def rates(recipe: Recipe, losses: list[float] | None = None) -> np.ndarray:
    """Return the rate of every step; epochs of seven."""
    weight = nn.Linear(2, 2)
    optimizer = make_optimizer(weight, recipe)
    schedule, found = Schedule(optimizer, recipe, STEPS), []
    for epoch in range(recipe.epochs):
        for _ in range(STEPS):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.end_step()
        schedule.end_epoch(1.0 if losses is None else losses[epoch])
    return np.array(found)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_one_cycle_starts_at_a_25th_peaks_at_30_percent_and_ends_near_nothing(optimizer: str):
    found = rates(Recipe(epochs=10, lr=0.5, optimizer=optimizer))  # type: ignore[arg-type]
    up = 0.3 * 70 - 1
    steps = np.arange(70)
    rise = 0.02 + (0.5 - 0.02) * (1 - np.cos(np.pi * np.minimum(steps, up) / up)) / 2
    fall = 2e-6 + (0.5 - 2e-6) * (1 + np.cos(np.pi * np.maximum(steps - up, 0) / (69 - up))) / 2
    np.testing.assert_allclose(found, np.where(steps <= up, rise, fall), **TIGHT)
    np.testing.assert_allclose(found[[0, 20, 69]], [0.02, 0.5, 2e-6], **TIGHT)


def test_cosine_falls_from_the_end_of_the_warm_up_to_nothing():
    plain = rates(Recipe(epochs=4, lr=0.5, schedule="cosine"))
    np.testing.assert_allclose(plain, 0.25 * (1 + np.cos(np.pi * np.arange(28) / 28)), **TIGHT)
    np.testing.assert_allclose(plain[[0, 14]], [0.5, 0.25], **TIGHT)
    warm = rates(Recipe(epochs=4, lr=0.5, schedule="cosine", warmup_epochs=1))
    np.testing.assert_allclose(warm[:7], 0.5 * np.arange(1, 8) / 7, **TIGHT)
    np.testing.assert_allclose(warm[7:], 0.25 * (1 + np.cos(np.pi * np.arange(21) / 21)), **TIGHT)


def test_steps_come_after_whole_epochs():
    found = rates(Recipe(epochs=5, lr=0.5, schedule="step", step_epochs=2, step_factor=0.1, warmup_epochs=1))
    epochs = np.repeat([0.5, 0.5, 0.05, 0.05, 0.005], STEPS)
    epochs[:STEPS] = 0.5 * np.arange(1, 8) / 7
    np.testing.assert_allclose(found, epochs, **TIGHT)


def test_constant_is_constant_after_its_warm_up():
    np.testing.assert_allclose(rates(Recipe(epochs=3, lr=0.5, schedule="constant")), np.full(21, 0.5), **TIGHT)
    warm = rates(Recipe(epochs=3, lr=0.5, schedule="constant", warmup_epochs=2))
    np.testing.assert_allclose(warm, [*(0.5 * np.arange(1, 15) / 14), *[0.5] * 7], **TIGHT)


@pytest.mark.parametrize("warmup", [0, 2])
def test_a_plateau_halves_after_four_epochs_that_are_no_better(warmup: int):
    losses = [9.0] * warmup + [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    found = rates(Recipe(epochs=7 + warmup, lr=0.5, schedule="plateau", warmup_epochs=warmup), losses)
    by_epoch = found.reshape(-1, STEPS)[warmup:]
    if warmup:
        np.testing.assert_allclose(found[:14], 0.5 * np.arange(1, 15) / 14, **TIGHT)
    # The second epoch after the warm-up was the best; the fourth after it is the one too many.
    np.testing.assert_allclose(by_epoch[:, 0], [0.5] * 6 + [0.25], **TIGHT)
    assert (by_epoch == by_epoch[:, :1]).all()
