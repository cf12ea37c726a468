"""What the photos themselves say of options that were left open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from gonogo.audit.audit import Audit, audit
from gonogo.splitting import Progress
from gonogo.train.prepare import DataOptions


@dataclass(frozen=True)
class Told:
    """What the photos say.

    Attributes:
        audit: all that was found.
        options: with what was left open filled in.
        notes: what was filled in, for the user.
    """

    audit: Audit
    options: DataOptions
    notes: tuple[str, ...]


def told_by_photos(data: Path, options: DataOptions, progress: Progress | None = None) -> Told:
    """Audit the photos; fill in which are of one part and what part of them all share, where nobody said so.

    Args:
        data: a folder of photos or a manifest file.
        options: what the user said.
        progress: called with what is done, how much of it, and of how much.

    Raises:
        DataError: the photos cannot be read.
        UsageError: the options do not fit the photos.
    """
    found = audit(
        data,
        format_name=options.format,
        options=options.reading,
        good=options.good,
        group_rule=options.group_by,
        progress=progress,
    )
    notes = []
    suggested = next((f.facts["group_by"] for f in found.findings if f.check == "parts"), None)
    if options.group_by is None and options.groups is None and suggested:
        options = replace(options, group_by=suggested)
        notes.append(f"parts are told by --group-by '{suggested}', as the numbering of the files suggests")
    sizes = {(fact.width, fact.height) for fact in found.inspection.facts}
    if options.crop is None and len(sizes) > 1:
        width, height = (min(size[k] for size in sizes) for k in (0, 1))
        options = replace(options, crop=(0, 0, width, height))
        notes.append(f"the photos have {len(sizes)} sizes; what all of them hold is used: --crop {width}x{height}+0+0")
    return Told(found, options, tuple(notes))
