"""A class that a split does not hold, and photos that have a split beside photos that have none."""

from __future__ import annotations

from collections import Counter

import numpy as np

from gonogo.audit.findings import Findings, mask_of
from gonogo.audit.inspection import Inspection
from gonogo.audit.words import count_of, listed


def check(seen: Inspection) -> tuple[Findings, ...]:
    """Find classes without photos: everywhere, or in one split only, where readers would number the rest anew."""
    return tuple(_empty_classes(seen)) + _half_split(seen)


def _empty_classes(seen: Inspection) -> list[Findings]:
    counts = Counter((sample.split, sample.label) for sample in seen.manifest.samples)
    names: list[str] = [name for name in ("train", "val", "test") if name in seen.splits] or [""]
    found = []
    for split in names:
        empty = [label for label in seen.manifest.classes if not counts[split, label]]
        if not empty:
            continue
        classes = ("class " if len(empty) == 1 else "classes ") + listed([f"'{label}'" for label in empty])
        there = {label: sum(counts[other, label] for other in names) for label in empty}
        held = "; ".join(f"'{label}' has {count_of(count, 'photo')} elsewhere" for label, count in there.items())
        where = f"{split} holds no photo" if split else "there is no photo"
        found.append(
            Findings(
                check="classes",
                severity="error",
                count=len(empty),
                summary=f"{where} of {classes} ({held})" if split else f"{where} of {classes}",
                advice="Put the photos back, or remove the class everywhere: a reader that numbers classes folder by "
                "folder would shift the others.",
                mask=mask_of(len(seen), [i for i, s in enumerate(seen.manifest.samples) if s.label in empty]),
                score=np.array([float(s.label in empty) for s in seen.manifest.samples]),
                facts={"split": split or None, "classes": empty},
            )
        )
    return found


def _half_split(seen: Inspection) -> tuple[Findings, ...]:
    without = [index for index, split in enumerate(seen.splits) if not split]
    if not without or len(without) == len(seen):
        return ()
    return (
        Findings(
            check="classes",
            severity="error",
            count=len(without),
            summary=f"{count_of(len(without), 'photo')} of {len(seen):,} have no split, the others have one",
            advice="Fill in the column 'split', or empty it for all and let gonogo split.",
            mask=mask_of(len(seen), without),
            score=mask_of(len(seen), without).astype(np.float64),
            samples=tuple((seen.paths[index],) for index in without),
        ),
    )
