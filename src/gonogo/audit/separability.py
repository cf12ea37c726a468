"""How far simple looks tell the classes apart: means, differences, neighbours, a projection.

The look at the data before anything is trained or augmented.
"""

from __future__ import annotations

import numpy as np

from gonogo.audit.findings import Exhibit, Findings, MapExhibit, ScatterExhibit, TableExhibit, mask_of
from gonogo.audit.inspection import Inspection
from gonogo.audit.predict import balanced_accuracy, standardised
from gonogo.types import Float64Array, Int64Array

CHUNK = 512
MOST_MAPS = 8
LEAST_PHOTOS = 4
COMPONENTS = 24  # in which neighbours are looked for


def check(seen: Inspection) -> tuple[Findings, ...]:
    """Compare the classes by their means, by their nearest neighbours and in two dimensions."""
    labels = seen.manifest.labels
    if len(np.unique(labels)) < 2 or len(seen.members) < LEAST_PHOTOS:
        return ()
    scores, shares = _components(standardised(seen.looks.texture))
    answers = nearest_other_part(scores[:, :COMPONENTS], seen.parts, labels)
    accuracy = balanced_accuracy(seen, answers)
    names, effect = seen.manifest.classes, _effect_sizes(seen)
    worst = _most_confused(answers, labels, len(names))
    confused = f"; most often '{names[worst[0]]}' lies nearest to '{names[worst[1]]}'" if worst else ""
    strongest = max(effect, key=lambda name: effect[name])
    return (
        Findings(
            check="separability",
            severity="info",
            count=len(seen),
            summary=f"the photo of another part that looks most alike has the same class in {accuracy:.0%} of the "
            f"cases (classes weighed alike; chance {1 / len(np.unique(labels)):.0%}){confused}. Of plain figures, "
            f"{strongest} differs most between classes: {effect[strongest]:.1f} standard deviations",
            advice="Close to 100 %, a tiny network is enough; close to chance, the difference is small or local: "
            "reduce the photos less, and expect to need more parts.",
            mask=mask_of(len(seen), np.flatnonzero(answers != labels)),
            score=(answers != labels).astype(np.float64),
            exhibits=tuple(_exhibits(seen, answers, scores, shares)),
            facts={
                "nearest_neighbour_balanced_accuracy": accuracy,
                "effect_sizes": effect,
                "confusion": {
                    a: {b: int(((labels == i) & (answers == j)).sum()) for j, b in enumerate(names)}
                    for i, a in enumerate(names)
                },
                "projection_variance": [float(share) for share in shares[:2]],
            },
        ),
    )


def _components(values: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return principal components (N, C) and the share of variance of each."""
    size, vectors = np.linalg.eigh(values.T @ values)
    order = np.argsort(-size)[:COMPONENTS]
    return values @ vectors[:, order], size[order] / max(float(size.sum()), 1e-12)


def nearest_other_part(values: Float64Array, parts: Int64Array, labels: Int64Array) -> Int64Array:
    """Return (N,) the label of the nearest photo that shows another part."""
    values = values.astype(np.float32)
    length = (values**2).sum(axis=1)
    answers = np.empty(len(values), dtype=np.int64)
    for start in range(0, len(values), CHUNK):
        rows = slice(start, start + CHUNK)
        apart = length[None] - 2 * values[rows] @ values.T
        apart[parts[rows, None] == parts[None]] = np.inf
        answers[rows] = labels[apart.argmin(axis=1)]
    return answers


def _effect_sizes(seen: Inspection) -> dict[str, float]:
    """Return for each plain figure the largest Cohen's d between two classes, one value a part."""
    looks = seen.looks
    first = np.array([rows[0] for rows in seen.members])
    labels = seen.manifest.labels[first]
    found = {}
    for name, values in (
        ("brightness", looks.brightness),
        ("contrast", looks.contrast),
        ("sharpness", looks.sharpness),
        ("border", looks.border),
    ):
        own = [values[first][labels == k].astype(np.float64) for k in np.unique(labels)]
        spread = np.sqrt(np.mean([part.var() for part in own])) + 1e-6
        means = [part.mean() for part in own]
        found[name] = float((max(means) - min(means)) / spread)
    return found


def _most_confused(answers: Int64Array, labels: Int64Array, classes: int) -> tuple[int, int] | None:
    """Return the pair of classes, true and nearest, with the largest share of mistakes."""
    counts = np.bincount(labels * classes + answers, minlength=classes**2).reshape(classes, classes).astype(np.float64)
    np.fill_diagonal(counts, 0)
    share = counts / np.maximum(np.bincount(labels, minlength=classes), 1)[:, None]
    if not share.any():
        return None
    true, nearest = np.unravel_index(int(share.argmax()), share.shape)
    return int(true), int(nearest)


def _exhibits(seen: Inspection, answers: Int64Array, scores: Float64Array, shares: Float64Array) -> list[Exhibit]:
    labels, names = seen.manifest.labels, seen.manifest.classes
    exhibits: list[Exhibit] = []
    shown = [k for k in np.argsort(-np.bincount(labels, minlength=len(names))) if (labels == k).any()][:MOST_MAPS]
    first = np.array([rows[0] for rows in seen.members])
    small, own = seen.looks.thumbnails[first].astype(np.float32), labels[first]
    exhibits += [
        MapExhibit(small[own == k].mean(axis=0), f"mean of '{names[k]}', grey levels")
        for k in shown
        if (own == k).any()
    ]
    for k in shown if len(names) > 2 else shown[:1]:
        inside, outside = small[own == k], small[own != k]
        if len(inside) > 1 and len(outside) > 1:
            spread = np.sqrt((inside.var(axis=0) + outside.var(axis=0)) / 2) + 1.0
            difference = (inside.mean(axis=0) - outside.mean(axis=0)) / spread
            rest = f"'{names[next(j for j in shown if j != k)]}'" if len(shown) == 2 else "the rest"
            exhibits.append(MapExhibit(difference, f"'{names[k]}' against {rest}, standard deviations", signed=True))
    exhibits.append(
        ScatterExhibit(
            scores[:, :2].astype(np.float32),
            labels,
            f"each photo by its texture; the two axes hold {shares[:2].sum():.0%} of the variance",
        )
    )
    rows = tuple((names[k], *(f"{int(((labels == k) & (answers == j)).sum()):,}" for j in shown)) for k in shown)
    exhibits.append(
        TableExhibit(("class", *(names[j] for j in shown)), rows, "the class of the nearest photo of another part")
    )
    return exhibits
