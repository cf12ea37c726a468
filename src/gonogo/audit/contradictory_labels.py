"""Photos of one part, or copies of one picture, that carry different labels: at least one label is wrong."""

from __future__ import annotations

import numpy as np

from gonogo.audit.findings import Findings, PairExhibit
from gonogo.audit.inspection import Inspection
from gonogo.audit.pairs import best_links, exhibit
from gonogo.audit.words import count_of, listed

MOST_SHOWN = 12


def check(seen: Inspection) -> tuple[Findings, ...]:
    """Find pictures with several labels; the rarer label within a picture is the likelier mistake."""
    labels = seen.manifest.labels
    mask, score = np.zeros(len(seen), dtype=np.bool_), np.zeros(len(seen))
    torn = []
    for rows in seen.members:
        counts = np.bincount(labels[rows])
        if (counts > 0).sum() < 2:
            continue
        # A photo is suspected as far as its label is in the minority; where it is a tie, all of them are.
        own = 1 - counts[labels[rows]] / len(rows)
        score[rows] = own
        mask[rows] = own >= 0.5
        torn.append(rows)
    if not torn:
        return ()
    torn.sort(key=lambda rows: -float(np.ptp(np.bincount(labels[rows])) / len(rows)))
    suspects = [seen.paths[index] for index in np.argsort(-score, kind="stable") if mask[index]]
    return (
        Findings(
            check="contradictory_labels",
            severity="error",
            count=int(mask.sum()),
            summary=f"{count_of(len(torn), 'part')} {'carries' if len(torn) == 1 else 'carry'} several labels; "
            f"{count_of(int(mask.sum()), 'photo')} {'is' if mask.sum() == 1 else 'are'} in the minority and probably "
            f"wrong: {listed(suspects, 3)}",
            advice="Look at each pair and correct the label, or take the part out: no network can learn both.",
            mask=mask,
            score=np.where(mask, score, 0.0),
            samples=tuple(tuple(seen.paths[i] for i in _suspects_first(rows, score)) for rows in torn),
            exhibits=tuple(_exhibits(seen, score)),
            facts={"parts": len(torn), "suspects": suspects},
        ),
    )


def _suspects_first(rows: np.ndarray, score: np.ndarray) -> list[int]:
    return [int(rows[place]) for place in np.argsort(-score[rows], kind="stable")]


def _exhibits(seen: Inspection, score: np.ndarray) -> list[PairExhibit]:
    """Return for each picture the clearest pair of photos with different labels, the suspect on the left."""
    links = best_links(seen, seen.manifest.labels)
    return [exhibit(seen, pair, max(pair[1:3], key=lambda i: float(score[i]))) for pair in links[:MOST_SHOWN]]
