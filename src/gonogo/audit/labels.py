"""Labels that are probably wrong: a classifier that never saw the part is sure of another class.

Source: Northcutt, Jiang and Chuang, Confident learning, JAIR 70 (2021).
"""

from __future__ import annotations

import numpy as np

from gonogo.audit.findings import Findings, PhotoExhibit, mask_of
from gonogo.audit.inspection import Inspection
from gonogo.audit.predict import balanced_accuracy, out_of_fold
from gonogo.audit.words import count_of, listed
from gonogo.types import BoolArray, Float64Array, Int64Array

LEAST_PARTS = 8  # of each class
ENOUGH_PARTS = 20  # of a class, to know what else its photos may look like
MOST_LEFT_OUT = 0.1  # of a class's parts, when the comparison is made anew without the suspects
TELLS_APART = 0.35  # of the way from chance to certainty
SURE, QUITE_SURE = 0.3, 0.6  # by how much another class must be likelier, with and without its usual probability
MOST_SHOWN = 12


def check(seen: Inspection) -> tuple[Findings, ...]:
    """Compare every label with what is predicted from the other parts."""
    labels = seen.manifest.labels
    parts = _parts_of_each(seen, np.ones(len(seen), dtype=np.bool_))
    judged = parts[labels] >= LEAST_PARTS  # photos of rarer classes are neither judged nor learnt from
    present = np.unique(labels[judged])
    if len(present) < 2:
        return ()
    probs = by_part(seen, out_of_fold(seen, judged))
    suspected, _ = confidently_other(probs, labels, seen)
    if (_parts_of_each(seen, suspected & judged) <= MOST_LEFT_OUT * parts)[present].all():
        # Wrong labels teach the classifier wrongly; what it says without them is clearer.
        probs = by_part(seen, out_of_fold(seen, judged & ~suspected))
    accuracy = balanced_accuracy(seen, probs.argmax(axis=1), judged)
    chance = 1 / len(present)
    if accuracy - chance < TELLS_APART * (1 - chance):
        return (_says_nothing(seen, accuracy, chance),)
    suspected, other = confidently_other(probs, labels, seen)
    margin = probs[np.arange(len(labels)), other] - probs[np.arange(len(labels)), labels]
    # Where the classes are told apart nearly always, the usual probability is close to 1 and few photos reach it.
    suspected = (suspected & (margin > SURE)) | (margin > QUITE_SURE)
    suspected &= judged & (parts[labels] >= ENOUGH_PARTS)
    if not suspected.any():
        return ()
    order = [int(i) for i in np.argsort(-margin, kind="stable") if suspected[i]]
    names = seen.manifest.classes
    facts = [
        {
            "path": seen.paths[i],
            "label": names[labels[i]],
            "predicted": names[other[i]],
            "confidence": float(probs[i, other[i]]),
        }
        for i in order
    ]
    return (
        Findings(
            check="labels",
            severity="warning",
            count=len(order),
            summary=f"{count_of(len(order), 'label')} of {len(seen):,} {'is' if len(order) == 1 else 'are'} probably "
            "wrong, "
            f"such as {listed([seen.paths[i] for i in order], 3)}: parts that look alike carry another one "
            f"(balanced accuracy of the comparison {accuracy:.0%})",
            advice="Look at them, the clearest first; correct those that are wrong. The comparison errs at times.",
            mask=suspected,
            score=np.where(suspected, margin, 0.0),
            samples=tuple((seen.paths[i],) for i in order),
            exhibits=tuple(
                PhotoExhibit(i, f"labelled {names[labels[i]]}, looks like {names[other[i]]} ({probs[i, other[i]]:.0%})")
                for i in order[:MOST_SHOWN]
            ),
            facts={"balanced_accuracy": accuracy, "chance": chance, "suspects": facts},
        ),
    )


def _parts_of_each(seen: Inspection, photos: BoolArray) -> Int64Array:
    """Return (K,) how many parts of each class some of the photos show."""
    labels, classes = seen.manifest.labels, len(seen.manifest.classes)
    return np.array([len(np.unique(seen.parts[photos & (labels == k)])) for k in range(classes)], dtype=np.int64)


def by_part(seen: Inspection, probs: Float64Array) -> Float64Array:
    """Return (N, K) the mean over the photos of one part with one label: they show one thing."""
    _, place = np.unique(seen.parts * len(seen.manifest.classes) + seen.manifest.labels, return_inverse=True)
    place = place.reshape(-1)
    total = np.zeros((int(place.max()) + 1, probs.shape[1]))
    np.add.at(total, place, probs)
    return np.asarray((total / np.bincount(place)[:, None])[place])


def confidently_other(probs: Float64Array, labels: Int64Array, seen: Inspection) -> tuple[BoolArray, Int64Array]:
    """Return which photos are confidently of another class than their label, and the likeliest other class of each.

    A photo counts for a class when its probability reaches the mean that photos of that class have themselves.
    """
    weights = 1 / np.bincount(seen.parts)[seen.parts]
    usual = np.full(probs.shape[1], np.inf)
    for k in np.unique(labels):
        usual[k] = np.average(probs[labels == k, k], weights=weights[labels == k])
    confident = np.where(probs >= usual, probs, -1.0)
    best = confident.argmax(axis=1)
    without_own = probs.copy()
    without_own[np.arange(len(labels)), labels] = -1.0
    return np.asarray((confident.max(axis=1) > 0) & (best != labels)), without_own.argmax(axis=1)


def _says_nothing(seen: Inspection, accuracy: float, chance: float) -> Findings:
    return Findings(
        check="labels",
        severity="info",
        count=0,
        summary=f"nothing can be said of single labels: simple looks tell the classes apart with a balanced accuracy "
        f"of {accuracy:.0%} only (chance {chance:.0%})",
        advice="Once a network is trained, look at the worst mistakes that 'gonogo eval' draws.",
        mask=mask_of(len(seen), []),
        score=np.zeros(len(seen)),
        facts={"balanced_accuracy": accuracy, "chance": chance, "suspects": []},
    )
