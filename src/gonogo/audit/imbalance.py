"""How many photos, and how many different parts, each class rests on, and what that lets anyone claim."""

from __future__ import annotations

import numpy as np

from gonogo.audit.findings import Findings, Severity, TableExhibit, mask_of
from gonogo.audit.inspection import Inspection
from gonogo.audit.words import count_of

CONFIDENCE = 0.95
RARE = 0.2  # of the parts, times the share that equal classes would have
FEW = 60  # parts: fewer cannot show a rate of 5 %


def zero_miss_bound(n: int, confidence: float = CONFIDENCE) -> float:
    """Return the largest rate that n trials without a miss leave possible (the rule of three, exactly).

    Source: Hanley and Lippman-Hand, JAMA 249 (1983).
    """
    return float(1 - (1 - confidence) ** (1 / n)) if n else 1.0


def trials_needed(rate: float, confidence: float = CONFIDENCE) -> int:
    """Return how many trials without a miss show a rate."""
    return int(np.ceil(np.log(1 - confidence) / np.log(1 - rate)))


def check(seen: Inspection) -> tuple[Findings, ...]:
    """Count parts, not photos: copies of a part show nothing new."""
    names = seen.manifest.classes
    labels = seen.manifest.labels
    photos = np.bincount(labels, minlength=len(names))
    parts = np.array([len(np.unique(seen.parts[labels == k])) for k in range(len(names))])
    rare = parts < RARE * parts.sum() / len(names)
    few = parts < FEW
    severity: Severity = "warning" if few.any() or rare.any() else "info"
    least = int(np.argmin(parts))
    bound = zero_miss_bound(int(parts[least]))
    good = seen.task.good
    says = (
        f"no miss in {parts[least]} parts of '{names[least]}' would still allow {bound:.1%}"
        if parts[least]
        else f"nothing can be said of '{names[least]}'"
    )
    return (
        Findings(
            check="imbalance",
            severity=severity,
            count=int(rare.sum() or few.sum()),
            summary="; ".join(
                f"{name}: {count_of(int(n), 'photo')} of {count_of(int(p), 'part')}"
                for name, n, p in zip(names[:8], photos, parts, strict=False)
            )
            + (f"; and {len(names) - 8} more classes" if len(names) > 8 else "")
            + f". With a confidence of 95 %, {says}",
            advice=f"A rate of 1 % takes {trials_needed(0.01)} parts without a miss, 5 % takes {trials_needed(0.05)}, "
            "kept out of training. "
            + ("Photograph more different parts, not the same ones again." if few.any() else "")
            + ("" if good else " No class is known to be the good one; say which with --good NAME."),
            mask=mask_of(len(seen), np.flatnonzero(rare[labels] if rare.any() else few[labels])),
            score=np.where(few[labels] | rare[labels], 1 / np.maximum(parts[labels], 1), 0.0),
            exhibits=(
                TableExhibit(
                    ("class", "photos", "parts", "photos a part", "no miss in all parts still allows"),
                    tuple(
                        (name, f"{n:,}", f"{p:,}", f"{n / max(p, 1):.1f}", f"{zero_miss_bound(int(p)):.1%}")
                        for name, n, p in zip(names, photos, parts, strict=True)
                    ),
                    "effective size of each class",
                ),
            ),
            facts={
                "classes": {
                    name: {"photos": int(n), "parts": int(p), "zero_miss_bound": zero_miss_bound(int(p))}
                    for name, n, p in zip(names, photos, parts, strict=True)
                },
                "good": good,
            },
        ),
    )
