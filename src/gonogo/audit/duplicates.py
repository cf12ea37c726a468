"""Exact duplicates: files with the same bytes, and files whose decoded pixels are the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gonogo.audit.findings import Findings, mask_of
from gonogo.audit.inspection import Inspection
from gonogo.audit.pairs import SAME_PLACE, exhibit
from gonogo.audit.words import count_of

MOST_SHOWN = 4


def check(seen: Inspection) -> tuple[Findings, ...]:
    """Group photos by their bytes; then by their pixels, where the bytes differ."""
    by_bytes = _alike([sample.sha256 for sample in seen.manifest.samples])
    known = {tuple(rows) for rows in by_bytes}
    by_pixels = [rows for rows in _alike(seen.looks.pixel_hash) if tuple(rows) not in known]
    found = []
    if by_bytes:
        found.append(_findings(seen, by_bytes, "the same bytes", "bytes"))
    if by_pixels:
        found.append(_findings(seen, by_pixels, "the same pixels in files that differ", "pixels"))
    return tuple(found)


def _alike(hashes: Sequence[str]) -> list[list[int]]:
    rows: dict[str, list[int]] = {}
    for index, value in enumerate(hashes):
        rows.setdefault(value, []).append(index)
    return [group for group in rows.values() if len(group) > 1]


def _findings(seen: Inspection, groups: list[list[int]], what: str, by: str) -> Findings:
    spare = sum(len(rows) - 1 for rows in groups)
    mask = mask_of(len(seen), [index for rows in groups for index in rows])
    return Findings(
        check="duplicates",
        severity="warning",
        count=int(mask.sum()),
        summary=f"{count_of(int(mask.sum()), 'photo')} in {count_of(len(groups), 'group')} have {what}: "
        f"{spare:,} could go",
        advice="Keep one of each; a duplicate adds weight, not knowledge.",
        mask=mask,
        score=mask.astype(np.float64),
        samples=tuple(tuple(seen.paths[index] for index in rows) for rows in groups),
        exhibits=tuple(exhibit(seen, (1.0, rows[0], rows[1], SAME_PLACE)) for rows in groups[:MOST_SHOWN]),
        facts={"by": by, "groups": len(groups), "spare": spare},
    )
