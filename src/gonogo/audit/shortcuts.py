"""Does something that is no property of the part predict the label: file format, size, order, light, border?"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from gonogo.audit.findings import Findings, Severity, TableExhibit, mask_of
from gonogo.audit.inspection import Inspection
from gonogo.audit.words import count_of, listed
from gonogo.types import Float64Array, Int64Array

BINS = 12
FOLDS = 5
PERMUTATIONS = 200
SIGNIFICANT = 0.01
GIVEN_AWAY = 0.9  # balanced accuracy of one class against the rest
PURE, LEAST = 0.9, 5  # a value that means one class: so pure, on so many parts
CLEAR = 0.75  # share of the way from chance to certainty that light or border must go to be worth saying
TOLD = 0.3  # the same for a fact of the file
LAST_NUMBER = re.compile(r"(\d+)\D*$")


@dataclass(frozen=True)
class Attribute:
    """Something that could give the label away.

    Attributes:
        name: in JSON.
        words: for people.
        of_file: a fact of the file, which says nothing of the part; otherwise of the picture, where it may.
        values: from the photos to (N,) numbers, or text for kinds; None where the set has none.
    """

    name: str
    words: str
    of_file: bool
    values: Callable[[Inspection], np.ndarray | None]


def _formats(seen: Inspection) -> np.ndarray | None:
    return np.array(seen.looks.file_format) if all(seen.looks.file_format) else None


def _dimensions(seen: Inspection) -> np.ndarray:
    return np.array([f"{fact.width}x{fact.height}" for fact in seen.facts])


def _bytes_per_pixel(seen: Inspection) -> np.ndarray | None:
    pixels = np.array([fact.width * fact.height for fact in seen.facts])
    return seen.looks.size_bytes / pixels if seen.looks.size_bytes.all() else None


def _order(seen: Inspection) -> np.ndarray | None:
    """The number in the name; None where names have none, or where each class is numbered for itself."""
    stems = [PurePosixPath(path).stem for path in seen.paths]
    matches = [LAST_NUMBER.search(stem) for stem in stems]
    if not all(matches) or any("#" in path for path in seen.paths):
        return None
    prefixes = {stem[: match.start()] for stem, match in zip(stems, matches, strict=True) if match}
    return np.array([float(match[1]) for match in matches if match]) if len(prefixes) == 1 else None


ATTRIBUTES = (
    Attribute("format", "the file format", True, _formats),
    Attribute("dimensions", "width and height", True, _dimensions),
    Attribute("file_size", "bytes a pixel", True, _bytes_per_pixel),
    Attribute("order", "the number in the file name", True, _order),
    Attribute("brightness", "mean brightness", False, lambda seen: seen.looks.brightness.astype(np.float64)),
    Attribute("contrast", "contrast", False, lambda seen: seen.looks.contrast.astype(np.float64)),
    Attribute("sharpness", "sharpness", False, lambda seen: seen.looks.sharpness.astype(np.float64)),
    Attribute("border", "brightness of the border", False, lambda seen: seen.looks.border.astype(np.float64)),
)


def check(seen: Inspection) -> tuple[Findings, ...]:
    """Predict the label from one attribute at a time, on parts that the predictor has not seen."""
    first = np.array([rows[0] for rows in seen.members], dtype=np.int64)
    labels = seen.manifest.labels[first]
    if len(np.unique(labels)) < 2 or np.bincount(labels).max() == len(labels):
        return ()
    found = [_judge(seen, attribute, first, labels) for attribute in ATTRIBUTES]
    return tuple(sorted((f for f in found if f is not None), key=lambda f: -float(f.facts["balanced_accuracy"])))


def _judge(seen: Inspection, attribute: Attribute, first: Int64Array, labels: Int64Array) -> Findings | None:
    values = attribute.values(seen)
    if values is None:
        return None
    values = values[first]
    kinds = values.dtype.kind == "U"
    codes = np.unique(values, return_inverse=True)[1].reshape(-1) if kinds else _bins(values)
    classes = len(seen.manifest.classes)
    if codes.max(initial=0) == 0:
        return None
    rng = np.random.default_rng(seen.seed)
    fold = rng.permutation(len(labels)) % FOLDS
    accuracy, by_class = _cross_validated(codes, labels, fold, classes)
    chance = 1 / len(np.unique(labels))
    drawn = [_cross_validated(codes, rng.permutation(labels), fold, classes)[0] for _ in range(PERMUTATIONS)]
    p = (1 + sum(value >= accuracy for value in drawn)) / (1 + PERMUTATIONS)
    pure = _pure_values(values, labels) if kinds else []
    way = (accuracy - chance) / (1 - chance)
    told = way >= (TOLD if attribute.of_file else CLEAR)
    if p > SIGNIFICANT or not (told or (attribute.of_file and (pure or by_class.max() >= GIVEN_AWAY))):
        return None
    best = int(by_class.argmax())
    # Files that are numbered class by class are common and harmless as long as nobody reads their names.
    stored = attribute.of_file and attribute.name != "order"
    given_away = stored and bool(pure or by_class[best] >= GIVEN_AWAY)
    severity: Severity = "error" if given_away else "warning"
    return _findings(seen, attribute, severity, accuracy, chance, by_class, p, pure)


def _bins(values: Float64Array) -> Int64Array:
    """Return (P,) the quantile bin of each value."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.searchsorted(edges, values, side="right").astype(np.int64)


def _cross_validated(
    codes: Int64Array, labels: Int64Array, fold: Int64Array, classes: int
) -> tuple[float, Float64Array]:
    """Return the balanced accuracy of the likeliest class of each code, and that of each class against the rest."""
    several = int(codes.max()) + 1
    table = np.bincount((fold * several + codes) * classes + labels, minlength=FOLDS * several * classes)
    table = table.reshape(FOLDS, several, classes)
    known = table.sum(axis=0) - table  # what the other folds know
    size = np.maximum(known.sum(axis=1, keepdims=True), 1)
    likely = ((known + 0.5 / several) / (size + 0.5)).argmax(axis=2)  # each class counting alike
    answers = likely[fold, codes]
    present = np.unique(labels)
    recall = float(np.mean([(answers[labels == k] == k).mean() for k in present]))
    single = np.zeros(classes)
    for k in present:
        own, rest = labels == k, labels != k
        if rest.any():
            single[k] = ((answers[own] == k).mean() + (answers[rest] != k).mean()) / 2
    return recall, single


def _pure_values(values: np.ndarray, labels: Int64Array) -> list[tuple[str, int]]:
    """Return the values that nearly always mean one class, and that class, unless nearly all parts are of it anyway."""
    prior = np.bincount(labels) / len(labels)
    found = []
    for value in np.unique(values):
        counts = np.bincount(labels[values == value], minlength=len(prior))
        top = int(counts.argmax())
        if counts.sum() >= LEAST and counts[top] >= PURE * counts.sum() and prior[top] < PURE - 0.1:
            found.append((str(value), top))
    return found


def _findings(
    seen: Inspection,
    attribute: Attribute,
    severity: Severity,
    accuracy: float,
    chance: float,
    by_class: Float64Array,
    p: float,
    pure: list[tuple[str, int]],
) -> Findings:
    names = seen.manifest.classes
    values = attribute.values(seen)
    assert values is not None
    concerned = np.flatnonzero(np.isin(values, [value for value, _ in pure])) if pure else np.zeros(0, dtype=np.int64)
    says = listed([f"{value} means '{names[k]}'" for value, k in pure], 3)
    summary = (
        f"{attribute.words} alone predicts the class with a balanced accuracy of {accuracy:.0%} (chance {chance:.0%})"
        f"{f': {says}' if pure else f', best for {names[int(by_class.argmax())]!r}'}"
    )
    advice = (
        "This is a fact of the file, not of the part: store all photos in the same way, or a network may learn it."
        if attribute.of_file
        else "It may be a property of the class, or a lamp or camera that changed between them: take some parts of "
        "each class anew in one session and compare."
    )
    return Findings(
        check="shortcuts",
        severity=severity,
        count=len(concerned) or count_parts(by_class),
        summary=summary,
        advice=advice,
        mask=mask_of(len(seen), concerned),
        score=np.where(mask_of(len(seen), concerned), accuracy, 0.0),
        samples=tuple((seen.paths[index],) for index in concerned),
        exhibits=(_table(seen, attribute, values),),
        facts={
            "attribute": attribute.name,
            "balanced_accuracy": accuracy,
            "chance": chance,
            "p": p,
            "against_the_rest": {name: float(value) for name, value in zip(names, by_class, strict=True)},
            "values": {value: names[k] for value, k in pure},
        },
    )


def count_parts(by_class: Float64Array) -> int:
    """Return how many classes the attribute tells from the rest."""
    return int((by_class >= CLEAR).sum()) or 1


def _table(seen: Inspection, attribute: Attribute, values: np.ndarray) -> TableExhibit:
    """Return kinds by class as counts, or the quartiles of each class."""
    labels, names = seen.manifest.labels, seen.manifest.classes
    if values.dtype.kind == "U":
        kinds = sorted(np.unique(values), key=lambda kind: -int((values == kind).sum()))[:6]
        rows = tuple(
            (name, *(f"{int((values[labels == k] == kind).sum()):,}" for kind in kinds)) for k, name in enumerate(names)
        )
        return TableExhibit(("class", *map(str, kinds)), rows, f"{attribute.words}, {count_of(len(values), 'photo')}")
    rows = tuple(
        (name, *(f"{q:.3g}" for q in np.quantile(values[labels == k], (0.05, 0.25, 0.5, 0.75, 0.95))))
        for k, name in enumerate(names)
        if (labels == k).any()
    )
    return TableExhibit(("class", "5 %", "25 %", "median", "75 %", "95 %"), rows, f"{attribute.words} of each class")
