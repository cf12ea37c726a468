"""What a study is asked, whichever it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from gonogo.audit.audit import audit
from gonogo.errors import UsageError, did_you_mean
from gonogo.splitting import Progress
from gonogo.studies.contenders import Contender
from gonogo.train.jobs import Job
from gonogo.train.prepare import DataOptions

Ended = Callable[[Job], None]
Note = Callable[[str], None]


@dataclass(frozen=True)
class StudyRequest:
    """What to study.

    Attributes:
        data: a folder of photos or a manifest file.
        out: the folder to write.
        weights: files of pretrained weights, or folders of them.
        options: what is said about the data.
        only: names of contenders; all unless given.
        folds: into which whole parts are shared out; the study's own number unless given.
        minutes: after which no further training starts; the study's own limit unless given.
        quick: fewer epochs and fewer networks; its figures are for a first look.
        full: every network is trained, at the study's own size of photos, on a GPU.
        resume: take what `out` holds already.
        force: replace `out`.
    """

    data: Path
    out: Path
    weights: tuple[Path, ...] = ()
    options: DataOptions = field(default_factory=DataOptions)
    only: tuple[str, ...] = ()
    folds: int | None = None
    minutes: float | None = None
    quick: bool = False
    full: bool = False
    resume: bool = False
    force: bool = False


def chosen(contenders: tuple[Contender, ...], only: tuple[str, ...]) -> tuple[Contender, ...]:
    """Return the contenders that are asked for.

    Raises:
        UsageError: one of them does not exist.
    """
    names = [contender.name for contender in contenders]
    for name in only:
        if name not in names:
            raise UsageError(f"unknown --only '{name}'; {did_you_mean(name, names)}")
    return tuple(contender for contender in contenders if not only or contender.name in only)


def filled_in(request: StudyRequest, progress: Progress | None) -> tuple[DataOptions, list[str]]:
    """Say of the data what the photos themselves say: which are of one part, and what part of them all share."""
    found = audit(
        request.data,
        format_name=request.options.format,
        options=request.options.reading,
        good=request.options.good,
        group_rule=request.options.group_by,
        progress=progress,
    )
    options, notes = request.options, []
    suggested = next((f.facts["group_by"] for f in found.findings if f.check == "parts"), None)
    if options.group_by is None and options.groups is None and suggested:
        options = replace(options, group_by=suggested)
        notes.append(f"parts are told by --group-by '{suggested}', as the numbering of the files suggests")
    sizes = {(fact.width, fact.height) for fact in found.inspection.facts}
    if options.crop is None and len(sizes) > 1:
        width, height = (min(size[k] for size in sizes) for k in (0, 1))
        options = replace(options, crop=(0, 0, width, height))
        notes.append(f"the photos have {len(sizes)} sizes; what all of them hold is used: --crop {width}x{height}+0+0")
    return options, notes
