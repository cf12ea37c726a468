"""Everything the checks look at, gathered once: files, labels, looks, copies, and what hangs together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from gonogo.audit.copies import Copies
from gonogo.audit.looks import Looks
from gonogo.audit.visit import looks_and_copies
from gonogo.data.images import PhotoFacts
from gonogo.data.manifest import Manifest
from gonogo.data.scan import survey
from gonogo.data.split import link
from gonogo.data.task import Task
from gonogo.types import Int64Array
from gonogo.workers import workers

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Inspection:
    """What is known of a data set of N readable photos.

    Attributes:
        manifest: the readable photos, hashed and measured, with the splits and parts that the data or the user name.
        facts: one for each.
        unreadable: (path, reason) of each photo that cannot be decoded.
        task: the classes; `good` is None where no class is known to be the good one.
        looks: what the photos look like.
        copies: which photos show the same picture.
        seed: of every random choice.
    """

    manifest: Manifest
    facts: tuple[PhotoFacts, ...]
    unreadable: tuple[tuple[str, str], ...]
    task: Task
    looks: Looks
    copies: Copies
    seed: int = 0

    def __len__(self) -> int:
        return len(self.manifest)

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """(N,) the photos' paths."""
        return tuple(sample.path for sample in self.manifest.samples)

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """(N,) the photos' splits, empty where none is named."""
        return tuple(sample.split for sample in self.manifest.samples)

    @cached_property
    def parts(self) -> Int64Array:
        """(N,) int64, numbered from 0 in the order of their first photos: what shows one part or one picture.

        Joined by name, by bytes, by decoded pixels and by the search for copies.
        """
        rows = zip(self.manifest.samples, self.looks.pixel_hash, self.copies.groups.tolist(), strict=True)
        keys = [
            (f"bytes {s.sha256}", f"pixels {pixels}", f"copies {number}", *([f"part {s.group}"] if s.group else []))
            for s, pixels, number in rows
        ]
        places = np.array(link(keys), dtype=np.int64)
        _, first, inverse = np.unique(places, return_index=True, return_inverse=True)
        rank = np.empty(len(first), dtype=np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        return np.asarray(rank[inverse.reshape(-1)])

    @cached_property
    def members(self) -> tuple[Int64Array, ...]:
        """The photos of each part, in their order."""
        order = np.argsort(self.parts, kind="stable")
        return tuple(np.split(order, np.flatnonzero(np.diff(self.parts[order])) + 1))


def inspect(manifest: Manifest, task: Task, *, seed: int = 0, progress: Progress | None = None) -> Inspection:
    """Decode every photo, look at it, and search for copies.

    Args:
        manifest: as read, with the parts that are named.
        task: the classes.
        seed: of the search and of the checks' random choices.
        progress: called with what is done, how much of it, and of how much.

    Raises:
        DataError: not one photo can be read.
        MissingExtraError: a library of the extra [train] is not installed.
    """

    def stage(name: str) -> Callable[[int, int], None] | None:
        return None if progress is None else partial(progress, name)

    with workers(len(manifest)) as executor:
        found = survey(manifest, executor=executor, progress=stage("reading"))
        looks, copies = looks_and_copies(found, executor, seed=seed, progress=stage("comparing"))
    return Inspection(found.manifest, found.facts, found.unreadable, task, looks, copies, seed)
