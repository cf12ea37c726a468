"""The guarantee on escapes, by simulation: how often is the promise broken?

Claim: a threshold chosen for an escape rate with 95 % confidence breaks its promise in at most 5 % of the draws,
whatever the scores are distributed like and however many photos show a part; the same bound with photos counted as if
they were parts breaks it far more often. A draw is a validation set; the true escape rate of its threshold is
integrated, not sampled. A row fails where the whole interval of the share of broken promises lies above 5 %.

Two smaller tables: what happens where the network itself was picked on the same parts, which the guarantee does not
cover; and how often the interval of a measured escape rate holds the true one.

Run: python benchmarks/coverage.py [DRAWS]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, ndtr

from common import heading
from gonogo.data.task import Task
from gonogo.evaluate.decision import Decision
from gonogo.evaluate.intervals import clopper_pearson, share
from gonogo.evaluate.policies import MaxEscape, choose_decision

DRAWS = 4000
CONFIDENCE = 0.95
TASK = Task(("defect", "ok"), "ok")
GOODS = 40
EPOCHS = 20
# Where the latent log-odds of parts are integrated: far finer than the scatter between photos of one part.
PLACES = np.arange(-14.0, 18.0, 0.02)

Array = np.ndarray


@dataclass(frozen=True)
class Scores:
    """A distribution of defect probabilities: a part has its own log-odds, its photos scatter around them.

    Attributes:
        name: for the table.
        kinds: share, mean and standard deviation of the log-odds of each kind of defective part.
        scatter: standard deviation between photos of one part.
        levels: how many values a probability may take; None for any.
    """

    name: str
    kinds: tuple[tuple[float, float, float], ...]
    scatter: float
    levels: int | None = None

    def parts(self, rng: np.random.Generator, n: int) -> Array:
        """Return (n,) log-odds of parts."""
        kind = rng.choice(len(self.kinds), size=n, p=[share for share, _, _ in self.kinds])
        means, deviations = (np.array([row[i] for row in self.kinds])[kind] for i in (1, 2))
        return rng.normal(means, deviations)

    def density(self) -> Array:
        """Return the weight of each of `PLACES`; they add up to 1."""
        weights = sum(
            share / deviation * np.exp(-(((PLACES - mean) / deviation) ** 2) / 2)
            for share, mean, deviation in self.kinds
        )
        return weights / np.sum(weights)

    def probs(self, odds: Array) -> Array:
        """Return (N, 2) float32 pred_probs, the defect first."""
        defect = expit(odds)
        if self.levels is not None:
            defect = np.round(defect * (self.levels - 1)) / (self.levels - 1)
        return np.stack([defect, 1 - defect], axis=1).astype(np.float32)

    def cut(self, thresholds: Array) -> Array:
        """Return the log-odds below which a photo is a go at each threshold."""
        if self.levels is None:
            return logit(thresholds)
        steps = np.arange(self.levels) / (self.levels - 1)
        known = np.float32(1) - (1 - steps).astype(np.float32)
        first = np.searchsorted(known, thresholds.astype(np.float32), side="left")
        return logit(np.clip((first - 0.5) / (self.levels - 1), 0, 1))


SCORES = (
    Scores("normal", ((1.0, 3.0, 1.5),), 0.5),
    Scores("one in 20 hard", ((0.95, 4.0, 1.0), (0.05, -1.0, 1.0)), 0.4),
    Scores("8 bit, many ties", ((1.0, 4.0, 2.5),), 0.8, levels=256),
)


def sizes_of(photos: str, rng: np.random.Generator, n: int) -> Array:
    """Return (n,) photos of each part: a fixed number, or "1-30" for any of these."""
    first, _, last = photos.partition("-")
    return rng.integers(int(first), int(last or first) + 1, size=n)


def true_rates(scores: Scores, photos: str, thresholds: Array) -> tuple[Array, Array]:
    """Return the escape rate of parts (any photo a go) and of photos at each threshold, integrated over parts."""
    first, _, last = photos.partition("-")
    below = ndtr((scores.cut(thresholds)[:, None] - PLACES) / scores.scatter)
    weights, caught, missed = scores.density(), np.ones_like(below), np.zeros_like(below)
    for size in range(1, int(last or first) + 1):
        caught *= 1 - below
        if size >= int(first):
            missed += 1 - caught
    missed /= int(last or first) - int(first) + 1
    return missed @ weights, below @ weights


def draw_validation(scores: Scores, photos: str, n: int, rng: np.random.Generator) -> tuple[Array, Array, list[str]]:
    """Return labels, log-odds and parts of a validation set with n defective parts and some good ones."""
    sizes = np.concatenate([sizes_of(photos, rng, n), sizes_of(photos, rng, GOODS)])
    parts = np.concatenate([scores.parts(rng, n), rng.normal(-3, 1.5, GOODS)])
    owner = np.repeat(np.arange(n + GOODS), sizes)
    odds = parts[owner] + rng.normal(0, scores.scatter, len(owner))
    return (owner >= n).astype(np.int64), odds, [str(number) for number in owner]


@dataclass(frozen=True)
class Row:
    """How often promises were broken over all draws of one kind.

    Attributes:
        by_parts: share of draws in which parts escape more often than promised, parts counted.
        by_photos: the same for photos, photos counted and promised.
        by_photos_parts: the same for parts, photos counted.
        draws: how many.
    """

    by_parts: float
    by_photos: float
    by_photos_parts: float
    draws: int

    def interval(self, rate: float) -> tuple[float, float]:
        """Return the exact 95 % interval of a share of draws."""
        return clopper_pearson(round(rate * self.draws), self.draws)


def simulate(scores: Scores, photos: str, n: int, asked: float, draws: int, seed: int = 0) -> Row:
    """Choose a threshold on many validation sets and compare its true escape rates with the promise.

    Args:
        scores: distribution.
        photos: of each part.
        n: defective parts of validation.
        asked: escape rate; the promise is what the decision says, which is more where n is too small for it.
        draws: validation sets.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    policy = MaxEscape(asked, CONFIDENCE)
    thresholds, promises = np.empty((2, draws)), np.empty((2, draws))
    for draw in range(draws):
        labels, odds, groups = draw_validation(scores, photos, n, rng)
        probs = scores.probs(odds)
        for way, counted in enumerate((groups, None)):
            decision = choose_decision(TASK, labels, probs, counted, policy)
            assert decision.threshold is not None and decision.guarantee is not None
            thresholds[way, draw], promises[way, draw] = decision.threshold, decision.guarantee.rate
    parts, _ = true_rates(scores, photos, thresholds[0])
    parts_too, photos_too = true_rates(scores, photos, thresholds[1])
    broken = [np.mean(parts > promises[0]), np.mean(photos_too > promises[1]), np.mean(parts_too > promises[1])]
    return Row(*map(float, broken), draws)


def picked_network(n: int, asked: float, draws: int, seed: int = 0) -> tuple[float, float]:
    """Return how often the promise is broken where the epoch with the least loss on the same parts is taken.

    Every epoch sees the same parts, with an opinion of its own on each; the other figure is for a fixed epoch.
    """
    rng = np.random.default_rng(seed)
    base, opinion = SCORES[0], 0.7
    (_, mean, deviation) = base.kinds[0]
    whole = Scores("", ((1.0, mean, float(np.hypot(deviation, opinion))),), base.scatter)
    broken = np.zeros((2, draws))
    for draw in range(draws):
        labels, odds, groups = draw_validation(base, "1-8", n, rng)
        owner = np.array(groups, dtype=np.int64)
        every = odds + rng.normal(0, opinion, (EPOCHS, n + GOODS))[:, owner]
        loss = np.logaddexp(0, np.where(labels == 0, -every, every)).mean(axis=1)
        for way, epoch in enumerate((int(loss.argmin()), 0)):
            decision = choose_decision(TASK, labels, whole.probs(every[epoch]), groups, MaxEscape(asked, CONFIDENCE))
            assert decision.threshold is not None and decision.guarantee is not None
            rate, _ = true_rates(whole, "1-8", np.array([decision.threshold]))
            broken[way, draw] = rate[0] > decision.guarantee.rate
    return float(broken[0].mean()), float(broken[1].mean())


def held_intervals(sizes: Callable[[np.random.Generator, int], Array], n: int, draws: int) -> tuple[float, ...]:
    """Return how often the 95 % interval of a share of photos holds the true one, for three ways to count.

    Args:
        sizes: photos of each part, whatever it shows.
        n: parts.
        draws: sets.

    Returns:
        As gonogo counts, as if there were as many trials as parts, and as many as photos.
    """
    rng, scores = np.random.default_rng(1), SCORES[0]
    threshold = 0.7
    _, truth = true_rates(scores, "1", np.array([threshold]))
    held = np.zeros(3)
    for _ in range(draws):
        owner = np.repeat(np.arange(n), sizes(rng, n))
        odds = scores.parts(rng, n)[owner] + rng.normal(0, scores.scatter, len(owner))
        verdicts = Decision(TASK, threshold, "").verdicts(scores.probs(odds))
        hits = np.array([verdict == "go" for verdict in verdicts])
        rate = share(hits, [str(number) for number in owner])
        ends = [(rate.low, rate.high)] + [clopper_pearson(hits.mean() * m, m) for m in (n, len(hits))]
        held += [low <= truth[0] <= high for low, high in ends]
    return tuple(held / draws)


def main() -> None:
    """Print the tables; leave with 1 where a promise is broken too often, or counting photos is not seen to fail."""
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else DRAWS
    heading(f"coverage of the guarantee, {draws} draws a row, {CONFIDENCE:.0%} confidence")
    print("  promise broken in the share of draws, with its 95 % interval; at most 5 % is claimed for counting parts")
    print("  counting photos: broken for photos, which is what it promises / for parts\n")
    print(f"  {'scores':18}{'photos a part':>14}{'parts':>7}{'asked':>7}{'counting parts':>26}{'counting photos':>20}")
    plans = [(scores, photos, 100, 0.05) for scores in SCORES for photos in ("1", "5", "30", "1-30")]
    plans += [(scores, "1-30", 59, 0.05) for scores in SCORES]
    # Too few for what is asked: the promise is then what they do prove, 7.2 %.
    plans += [(SCORES[0], "1-30", 40, 0.01), (SCORES[0], "1-8", 299, 0.01)]
    holds = True
    for number, (scores, photos, n, asked) in enumerate(plans):
        row = simulate(scores, photos, n, asked, draws, seed=number)
        (low, high), (photos_low, _) = row.interval(row.by_parts), row.interval(row.by_photos)
        fails = photos == "1" or photos_low > 1 - CONFIDENCE
        holds = holds and low <= 1 - CONFIDENCE and fails
        print(
            f"  {scores.name:18}{photos:>14}{n:>7}{asked:>7.0%}{row.by_parts:>11.1%} ({low:.1%} to {high:.1%})"
            f"{row.by_photos:>12.1%} / {row.by_photos_parts:.0%}{'' if low <= 1 - CONFIDENCE and fails else '  FAILS'}",
            flush=True,
        )
    picked, fixed = picked_network(100, 0.05, draws)
    print(f"\n  not covered: the best of {EPOCHS} epochs picked on the same parts (normal, 1-8 photos, 100 parts, 5 %)")
    print(f"  broken in {picked:.1%} of the draws; with the epoch fixed beforehand {fixed:.1%}")
    print("\n  95 % interval of a measured escape rate, 60 parts: how often it holds the true rate")
    print(f"  {'photos a part':32}{'gonogo':>9}{'parts':>9}{'photos':>9}")
    uneven = (
        ("5", lambda _, n: np.full(n, 5)),
        ("1 to 30", lambda rng, n: rng.integers(1, 31, size=n)),
        ("30 of one in ten, 1 of the rest", lambda _, n: np.where(np.arange(n) % 10 == 0, 30, 1)),
    )
    for name, sizes in uneven:
        rates = held_intervals(sizes, 60, draws)
        holds = holds and clopper_pearson(round(rates[0] * draws), draws)[1] >= CONFIDENCE
        print(f"  {name:32}" + "".join(f"{rate:>9.1%}" for rate in rates))
    raise SystemExit(0 if holds else 1)


if __name__ == "__main__":
    main()
