"""A judge that learns at once, so that it can be asked a hundred times: linear, on plain figures of a photo.

It stands for what can be learnt from such photos at all. It is trained and tested on photos that were changed alike:
one trained on plain photos may err on changed ones although they still show what they are.
"""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from gonogo.advise.changes import Change
from gonogo.advise.looks import describe
from gonogo.advise.subjects import Subjects, as_levels
from gonogo.splitting import Progress
from gonogo.types import Float32Array, Int64Array, UInt8Array
from gonogo.workers import workers

DRAWS = 2  # of every photo's change
PENALTY = 0.01  # inverse strength; the figures outnumber the parts
MOST_STEPS = 2000
# Megapixels to look at, below which processes take longer to start than threads to be done with it.
MUCH = 150.0


def look_at(
    subjects: Subjects, changes: tuple[Change, ...], seed: int, progress: Progress | None = None
) -> dict[str, Float32Array]:
    """Return for each change's label what the changed photos look like.

    Args:
        subjects: the N photos.
        changes: what is done to them.
        seed: of every draw.
        progress: called after each change.

    Returns:
        Label to (D, N, F), D draws.
    """
    pixels = np.array(subjects.prepared.pixels)
    work = pixels.size * DRAWS * len(changes) / 1e6
    # An executor of processes starts at as many photos as there is work for.
    with workers(len(pixels) if work < MUCH else 1 << 20) as executor:
        jobs = {own.label: executor.submit(_look, pixels, own, seed + 101 * k) for k, own in enumerate(changes)}
        found = {}
        for done, (label, job) in enumerate(jobs.items(), start=1):
            found[label] = job.result()
            if progress is not None:
                progress("judging", done, len(jobs))
        return found


def _look(pixels: UInt8Array, change: Change, seed: int) -> Float32Array:
    levels = as_levels(pixels)
    return np.stack([describe(change.apply(levels, seed + 7919 * draw)) for draw in range(DRAWS)])


def look_plainly(subjects: Subjects) -> Float32Array:
    """Return (D, N, F): what the photos look like, as often as others are drawn."""
    return np.repeat(describe(subjects.levels)[None], DRAWS, axis=0)


def out_of_fold(looks: Float32Array, labels: Int64Array, fold: Int64Array, classes: int) -> Float32Array:
    """Return (D, N, K) probabilities, each photo's of a judge that was trained without its fold.

    Args:
        looks: (D, N, F), D draws of each photo; the judge learns from all of them.
        labels: (N,) class numbers.
        fold: (N,) fold numbers.
        classes: K.
    """
    draws, photos, figures = looks.shape
    found = np.zeros((draws, photos, classes), dtype=np.float32)
    for number in np.unique(fold):
        inside = fold == number
        scale = StandardScaler()
        known = scale.fit_transform(looks[:, ~inside].reshape(-1, figures).astype(np.float64))
        judge = LogisticRegression(C=PENALTY, class_weight="balanced", max_iter=MOST_STEPS)
        judge.fit(known, np.tile(labels[~inside], draws))
        for draw in range(draws):
            asked = scale.transform(looks[draw, inside].astype(np.float64))
            found[draw][np.ix_(np.flatnonzero(inside), judge.classes_)] = judge.predict_proba(asked)
    return found
