"""Which parts prove what the gauge promises, and what so many parts can prove at all.

Parts for the proof are never trained on nor searched on: with the network fixed before they are looked at, the
threshold they give keeps its promise (`evaluate.guarantee`), and the good ones among them say what it costs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gonogo.data.manifest import Manifest
from gonogo.data.split import linked_groups, split_manifest, with_splits, without_split
from gonogo.data.task import Task
from gonogo.evaluate.guarantee import needed_parts, order_for, percent, proven_rate
from gonogo.search.budgets import Budgets
from gonogo.splitting import describe_leaks

# Parts for the proof, as a share of all: at least, at most, at most for more than one miss, and where even the most
# cannot prove what is asked.
LEAST, MOST, ROOMY, HOPELESS = 0.2, 0.5, 0.4, 0.35
MISSES = 3  # that the proof has room for where there are parts enough: a threshold at the very worst part costs most
# Rates that are proved unless one is asked for, the lowest that the parts allow.
RATES = (0.01, 0.02, 0.05, 0.1)
SPARE = 1.02
TRIES = 12


@dataclass(frozen=True)
class Proof:
    """Which photos are for training, which for the proof, and which the data keep as a test set.

    Attributes:
        manifest: with splits; "val" is the proof.
        rate: the escape rate to prove; None for sorting.
        parts: defective and good parts of the proof, or the parts of each class where there is no good one.
        resplit: why the division that the data came with was not kept; empty where there was none to keep.
        notes: what the user should know.
    """

    manifest: Manifest
    rate: float | None
    parts: dict[str, int]
    resplit: str
    notes: tuple[str, ...]

    def cannot(self, confidence: float) -> list[str]:
        """Return, one line each, what these parts cannot prove, and how many would."""
        lines = []
        for side, about in (("defective", "escape"), ("good", "overkill")):
            if side not in self.parts:
                continue
            n, goal = self.parts[side], self.rate if side == "defective" and self.rate else RATES[2]
            best, needed = float(proven_rate(max(n, 1), 0, confidence)), needed_parts(goal, confidence)
            if n < needed:
                lines.append(
                    f"{n} {side} {'part' if n == 1 else 'parts'} for the proof: even without a mistake nobody can "
                    f"promise less than {percent(best)} {about}; {needed} would prove {percent(goal)}"
                )
        return lines


def divide(manifest: Manifest, task: Task, budgets: Budgets, seed: int) -> Proof:
    """Take as many parts for the proof as it needs, and leave the others to training.

    A test set that came with the data, and of which no part is elsewhere, stays untouched.

    Args:
        manifest: the photos, those of one part joined.
        task: the question.
        budgets: what is to be proved.
        seed: which parts go where.

    Raises:
        DataError: a class has too few parts for training and proof.
    """
    leaks = describe_leaks(manifest)
    resplit = f"the division that came with the photos leaks ({leaks}); a new one keeps whole parts together"
    fresh = without_split(manifest, keep_test=not leaks)
    notes = [resplit] if leaks else []
    sides = _sides(fresh, task)
    defective = sides.get("defective", 0)
    rate = budgets.max_escape
    needed = None
    if task.is_sorting:
        share = LEAST
    else:
        rate = rate or next((r for r in RATES if needed_parts(r, budgets.confidence) <= MOST * defective), None)
        needed = _wanted(defective, rate, budgets.confidence) if rate else None
        share = HOPELESS if needed is None else min(MOST, max(LEAST, SPARE * needed / defective))
    found = _enough(fresh, task, share, needed, seed)
    parts = _sides(found.select("val"), task)
    if not task.is_sorting and budgets.max_escape is None:
        rate = _provable(parts["defective"], budgets.confidence)
        notes.append(f"no --max-escape was given; what {parts['defective']} defective parts prove is {percent(rate)}")
    return Proof(found, rate, parts, resplit if leaks else "", tuple(notes))


def _wanted(defective: int, rate: float, confidence: float) -> int | None:
    """Return how many defective parts are wanted for the proof; None where even the most prove nothing of the kind.

    As many as leave room for a few misses, so that the threshold need not lie below the very worst part; fewer where
    the training would be left with too little.
    """
    least = needed_parts(rate, confidence)
    for misses in range(MISSES, 0, -1):
        n = least
        while order_for(n, rate, confidence) <= misses:
            n += 1
        if n <= ROOMY * defective:
            return n
    return least if least <= MOST * defective else None


def _enough(manifest: Manifest, task: Task, share: float, wanted: int | None, seed: int) -> Manifest:
    """Divide; take a little more where whole parts left too few for the proof."""
    for _ in range(TRIES):
        found = split_manifest(manifest, val=share, test=0, seed=seed).manifest
        n = _sides(found.select("val"), task).get("defective", 0)
        if wanted is None or share >= MOST or n >= wanted:
            return found
        share = min(MOST, share + 0.01)
    return found


def _provable(n: int, confidence: float) -> float:
    """Return the lowest rate that n parts prove without a miss, rounded up to one in a thousand, 1 % at least."""
    return max(RATES[0], min(0.999, math.ceil(1000 * float(proven_rate(max(n, 1), 0, confidence))) / 1000))


def _sides(manifest: Manifest, task: Task) -> dict[str, int]:
    """Return how many parts there are of each kind, those of a test set left out."""
    own = manifest.keep([sample.split != "test" for sample in manifest.samples])
    numbers = np.array(linked_groups(own), dtype=np.int64)
    if task.good_index is None:
        return {name: len(set(numbers[own.labels == k])) for k, name in enumerate(task.classes)}
    good = own.labels == task.good_index
    return {"defective": len(set(numbers[~good])), "good": len(set(numbers[good]))}


def for_training(proof: Proof) -> tuple[Manifest, list[bool]]:
    """Return the photos to train and search on, and which of all they are."""
    kept = [sample.split == "train" for sample in proof.manifest.samples]
    manifest = proof.manifest.keep(kept)
    return with_splits(manifest, ["train"] * len(manifest)), kept


def parts_json(proof: Proof) -> dict[str, Any]:
    """Return what ``--json`` says of the proof."""
    return {"rate": proof.rate, "parts": proof.parts, "resplit": proof.resplit or None}
