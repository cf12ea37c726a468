"""Photos that differ in kind from the rest: bit depth, colour mode, size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable

import numpy as np

from gonogo.audit.findings import Findings, PhotoExhibit, Severity, mask_of
from gonogo.audit.inspection import Inspection
from gonogo.audit.words import count_of
from gonogo.types import BoolArray

MOST_SHOWN = 6


def check(seen: Inspection) -> tuple[Findings, ...]:
    """Compare every photo's depth, mode and size with what most photos have."""
    return _depth(seen) + _mode(seen) + _size(seen)


def _depth(seen: Inspection) -> tuple[Findings, ...]:
    deep = np.array([fact.peak > 0 for fact in seen.facts])
    if not deep.any():
        return ()
    peak = max(fact.peak for fact in seen.facts)
    bits = max(9, peak.bit_length())
    mixed = not deep.all()
    summary = (
        f"{count_of(int(deep.sum()), 'photo')} of {len(seen):,} hold more than 8 bits a pixel: largest value {peak}"
    )
    return (
        _findings(
            seen,
            deep if deep.sum() <= len(seen) / 2 or not mixed else ~deep,
            severity="error" if mixed else "warning",
            summary=summary + (f", which is {bits} bits" if bits < 16 else "") + ("; the others 8" if mixed else ""),
            advice=f"Give the camera's depth with --bit-depth {bits}; programs that guess clip such photos to white or "
            "leave a few grey levels."
            + (" Photos of 8 and of more bits come from two chains: store all in the same way." if mixed else ""),
            facts={"peak": peak, "bits": bits, "deep": int(deep.sum())},
        ),
    )


def _mode(seen: Inspection) -> tuple[Findings, ...]:
    kinds = Counter("grey" if fact.is_grey else "colour" for fact in seen.facts)
    stored = Counter(fact.mode for fact in seen.facts)
    if len(kinds) > 1:
        rare = kinds.most_common()[-1][0]
        mask = np.array([fact.is_grey == (rare == "grey") for fact in seen.facts])
        summary = f"{_counts(kinds)}: {count_of(int(mask.sum()), 'photo')} differ from the rest"
        advice = "Grey photos among colour ones show another camera or another step on the way here; keep one kind."
        return (
            _findings(seen, mask, severity="warning", summary=summary, advice=advice, facts={"kinds": dict(kinds)}),
        )
    if len(stored) > 1:
        mask = _unlike_most(seen, lambda index: seen.facts[index].mode)
        summary = f"stored as {_counts(stored)}, though all are {next(iter(kinds))}"
        advice = "Harmless for gonogo, which decodes all alike; other programs may not."
        return (_findings(seen, mask, severity="info", summary=summary, advice=advice, facts={"modes": dict(stored)}),)
    return ()


def _size(seen: Inspection) -> tuple[Findings, ...]:
    sizes = Counter((fact.width, fact.height) for fact in seen.facts)
    if len(sizes) == 1:
        return ()
    shown = Counter({f"{width}x{height}": count for (width, height), count in sizes.items()})
    crop = f"{min(w for w, _ in sizes)}x{min(h for _, h in sizes)}"
    return (
        _findings(
            seen,
            _unlike_most(seen, lambda index: (seen.facts[index].width, seen.facts[index].height)),
            severity="warning",
            summary=f"{len(sizes)} sizes: {_counts(shown)}",
            advice=f"Nothing is resized in silence: give a part that all photos hold, such as --crop {crop}+0+0, or "
            "take the photos anew at one distance.",
            facts={"sizes": dict(shown)},
        ),
    )


def _unlike_most(seen: Inspection, kind: Callable[[int], Hashable]) -> BoolArray:
    kinds = [kind(index) for index in range(len(seen))]
    usual = Counter(kinds).most_common(1)[0][0]
    return np.array([own != usual for own in kinds])


def _counts(kinds: Counter[str], most: int = 4) -> str:
    shown = ", ".join(f"{count:,} {name}" for name, count in kinds.most_common(most))
    return shown + (f" and {len(kinds) - most} more" if len(kinds) > most else "")


def _findings(
    seen: Inspection, mask: BoolArray, *, severity: Severity, summary: str, advice: str, facts: dict[str, object]
) -> Findings:
    unusual = np.flatnonzero(mask)
    return Findings(
        check="mixes",
        severity=severity,
        count=len(unusual),
        summary=summary,
        advice=advice,
        mask=mask_of(len(seen), unusual),
        score=mask.astype(np.float64),
        samples=tuple((seen.paths[index],) for index in unusual),
        exhibits=tuple(
            PhotoExhibit(int(i), f"{seen.facts[i].width}x{seen.facts[i].height}, {seen.facts[i].mode}")
            for i in unusual[:MOST_SHOWN]
        ),
        facts=facts,
    )
