"""A regular numbering of the files: probably several photos of each part, which pixels cannot tell."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np

from gonogo.audit.findings import Findings, mask_of
from gonogo.audit.inspection import Inspection
from gonogo.audit.words import count_of, listed
from gonogo.data.groups import group_by
from gonogo.types import Float32Array, Int64Array

VIEW_NUMBER = re.compile(r"^(?P<part>.*\d)(?P<between>\D+)\d+\D*$")
VIEW_WORD = re.compile(r"^(?P<part>.*\d)(?P<between>[_\- ])[A-Za-z]+$")
LAST_NUMBER = re.compile(r"^(?P<prefix>.*?)(?P<number>\d+)\D*$")
MOST_VIEWS = 64
LEAST_PARTS = 3
SAME_SIZE = 0.8  # of the parts have the usual number of photos
CLEAR = 0.95  # probability that a step from run to run is larger than a step within one
LEAST_STEPS = 4


def check(seen: Inspection) -> tuple[Findings, ...]:
    """Suggest a rule for --group-by where names look as if they held the part; nothing where parts are named."""
    if seen.manifest.has_groups:
        return ()
    rule, reason = _by_view(seen) or _by_gaps(seen) or _by_looks(seen) or ("", "")
    if not rule:
        return ()
    groups = group_by(seen.manifest, rule).groups
    sizes = Counter(groups)
    rows: dict[str, list[str]] = {}
    for path, group in zip(seen.paths, groups, strict=True):
        rows.setdefault(group, []).append(path)
    return (
        Findings(
            check="parts",
            severity="warning",
            count=len(sizes),
            summary=f"the file names look like {count_of(len(sizes), 'part')} of "
            f"{Counter(sizes.values()).most_common(1)[0][0]} photos each: {reason}",
            advice=f"If they are, say so with --group-by '{rule}': a part photographed anew is no copy, and only its "
            "name tells.",
            mask=mask_of(len(seen), range(len(seen))),
            score=np.ones(len(seen)),
            samples=tuple(tuple(own) for own in rows.values()),
            facts={"group_by": rule},
        ),
    )


def _by_view(seen: Inspection) -> tuple[str, str] | None:
    """Look for a part and a view in each name: part_012_view_3, 12-left."""
    stems = [PurePosixPath(path).stem for path in seen.paths]
    for pattern, last in ((VIEW_NUMBER, r"\d+"), (VIEW_WORD, "[A-Za-z]+")):
        matches = [pattern.match(stem) for stem in stems]
        if not all(matches):
            continue
        between = {match["between"] for match in matches if match}
        sizes = Counter(match["part"] for match in matches if match)
        usual, count = Counter(sizes.values()).most_common(1)[0]
        if (
            len(between) == 1
            and len(sizes) >= LEAST_PARTS
            and 2 <= usual <= MOST_VIEWS
            and count >= SAME_SIZE * len(sizes)
        ):
            separator = re.escape(next(iter(between)))
            example = next(match for match in matches if match)
            return rf"([^/]*\d){separator}{last}", f"'{example['part']}' stands before '{example['between']}'"
    return None


def _runs(seen: Inspection) -> dict[str, list[tuple[int, int]]] | None:
    """Return for each prefix its (number, photo), in order; None where a name has no number or one stands twice."""
    runs: dict[str, list[tuple[int, int]]] = {}
    for index, path in enumerate(seen.paths):
        match = LAST_NUMBER.match(PurePosixPath(path).stem)
        if match is None:
            return None
        runs.setdefault(match["prefix"], []).append((int(match["number"]), index))
    for rows in runs.values():
        rows.sort()
        if any(a == b for (a, _), (b, _) in pairwise(rows)):
            return None
    return runs


def _by_gaps(seen: Inspection) -> tuple[str, str] | None:
    """Look for numbers that are missing in whole runs: 000 to 007, 032 to 039, ..."""
    runs = _runs(seen)
    if runs is None:
        return None
    common, blocks = 0, []
    for rows in runs.values():
        numbers = [number for number, _ in rows]
        starts = [numbers[0], *(b for a, b in pairwise(numbers) if b > a + 1)]
        ends = [*(a for a, b in pairwise(numbers) if b > a + 1), numbers[-1]]
        for start, end in zip(starts, ends, strict=True):
            common = math.gcd(common, start, end + 1)
            blocks.append(f"{start} to {end}")
    if len(blocks) < LEAST_PARTS or not 2 <= common <= MOST_VIEWS:
        return None
    return str(common), f"the numbers come in runs of {common} or a multiple ({listed(blocks, 3)})"


def _by_looks(seen: Inspection) -> tuple[str, str] | None:
    """Look for a period in which neighbours resemble each other, with a jump from run to run."""
    runs = _runs(seen)
    if runs is None or len(runs) > 1:
        return None
    rows = next(iter(runs.values()))
    numbers, order = np.array([n for n, _ in rows]), np.array([index for _, index in rows])
    steps = _steps(seen, order)[np.diff(numbers) == 1]
    before = numbers[:-1][np.diff(numbers) == 1]
    most = min(MOST_VIEWS, len(order) // LEAST_STEPS)
    best = max(((_jump(steps, before, size), -size) for size in range(2, most + 1)), default=(0.0, 0))
    if best[0] < CLEAR:
        return None
    size = -best[1]
    return str(size), f"photos resemble their neighbours in runs of {size}, and not those of the next run"


def _steps(seen: Inspection, order: Int64Array) -> Float32Array:
    """Return (M - 1,) how far each photo looks from the one before, in grey levels."""
    small = seen.looks.thumbnails[order].astype(np.float32)
    return np.asarray(np.abs(np.diff(small, axis=0)).mean(axis=(1, 2)))


def _jump(steps: Float32Array, before: Int64Array, size: int) -> float:
    """Return the probability that a step between runs is larger than a step within a run, ties counted half."""
    between = (before + 1) % size == 0
    outer, inner = steps[between], steps[~between]
    if len(outer) < LEAST_STEPS or len(inner) < LEAST_STEPS:
        return 0.0
    ordered = np.sort(inner)
    below = np.searchsorted(ordered, outer, "left") + np.searchsorted(ordered, outer, "right")
    return float(below.mean() / (2 * len(inner)))
