"""What a study is asked, whichever it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gonogo.errors import UsageError, did_you_mean
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
