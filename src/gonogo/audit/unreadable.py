"""Photos that cannot be decoded: cut short, damaged, empty, or none at all."""

from __future__ import annotations

import numpy as np

from gonogo.audit.findings import Findings, mask_of
from gonogo.audit.inspection import Inspection
from gonogo.audit.words import count_of


def check(seen: Inspection) -> tuple[Findings, ...]:
    """Name every photo that cannot be read, with the reason."""
    if not seen.unreadable:
        return ()
    reasons = {path: reason.removeprefix(f"{path}: ") for path, reason in seen.unreadable}
    shown = "; ".join(f"{path} ({reason})" for path, reason in list(reasons.items())[:3])
    return (
        Findings(
            check="unreadable",
            severity="error",
            count=len(reasons),
            summary=f"{count_of(len(reasons), 'photo')} cannot be read: {shown}{'; ...' if len(reasons) > 3 else ''}",
            advice="Copy them again from where they came, or remove them; --skip-unreadable trains without them.",
            mask=mask_of(len(seen), []),
            score=np.zeros(len(seen)),
            samples=tuple((path,) for path in reasons),
            facts={"reasons": reasons},
        ),
    )
