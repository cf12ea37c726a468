"""The first step: look at the photos, fill in what they tell themselves, divide them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gonogo.audit.audit import Audit
from gonogo.fitting.proof import Proof, divide
from gonogo.fitting.request import FitRequest
from gonogo.splitting import Progress
from gonogo.train.prepare import DataOptions, Photos, read_photos
from gonogo.train.told import told_by_photos


@dataclass(frozen=True)
class Looked:
    """The photos, looked at and divided.

    Attributes:
        audit: all that was found in them.
        photos: as read.
        options: what is said about them.
        proof: which of them are for what.
        notes: what the user should know.
    """

    audit: Audit
    photos: Photos
    options: DataOptions
    proof: Proof
    notes: tuple[str, ...]


def look(request: FitRequest, say: Callable[[str], None], progress: Progress | None) -> Looked:
    """Audit the photos, fill in what they tell themselves, and divide them."""
    told = told_by_photos(request.data, request.options, progress)
    photos = read_photos(request.data, told.options, progress=progress)
    proof = divide(photos.linked, photos.task, request.budgets, request.seed)
    counts = ", ".join(f"{count:,} {name}" for name, count in photos.linked.counts().items())
    say(f"  {len(photos.linked):,} photos ({counts}) of {told.audit.parts:,} different parts or pictures")
    for finding in told.audit.findings:
        if finding.severity != "info":
            say(f"  {finding.severity}: {finding.summary}")
    notes = (*photos.linked.notes, *told.notes, *proof.notes, *proof.cannot(request.budgets.confidence))
    for line in notes:
        say(f"  {line}")
    kept = " and ".join(f"{count} {name}" for name, count in proof.parts.items())
    say(f"  kept for the proof, never trained on: {kept} parts")
    return Looked(told.audit, photos, told.options, proof, notes)
