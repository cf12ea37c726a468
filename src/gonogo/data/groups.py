"""Which photos belong together: by their file names, or by what was found in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from gonogo.data.manifest import Manifest, Sample
from gonogo.data.split import link
from gonogo.errors import UsageError

_LAST_NUMBER = re.compile(r"(\d+)\D*$")


def group_by(manifest: Manifest, rule: str) -> Manifest:
    r"""Give every photo the group that its name tells.

    Args:
        manifest: its own groups are replaced.
        rule: a whole number N, for parts photographed N times and numbered through (photo 0 to N-1 is one part, and so
            on, by the last number of the name); or a regular expression that is searched in the path, whose brackets
            hold the part, such as ``(part_\d+)_view``.

    Raises:
        UsageError: the rule is no regular expression, has no brackets, does not fit a name, or puts every photo into
            one group.
    """
    if rule.isdigit():
        size = int(rule)
        if size < 2:
            raise UsageError(f"found --group-by {rule}, expected 2 photos a part or more, or a regular expression")
        groups = [_run(sample, size) for sample in manifest.samples]
    else:
        groups = _matches(manifest, rule)
    if len(set(groups)) == 1:
        raise UsageError(f"--group-by {rule} puts all {len(groups)} photos into one group, '{groups[0]}'")
    samples = tuple(replace(s, group=group) for s, group in zip(manifest.samples, groups, strict=True))
    return replace(manifest, samples=samples)


def _run(sample: Sample, size: int) -> str:
    path = PurePosixPath(sample.path)
    number = _LAST_NUMBER.search(path.stem)
    if number is None:
        raise UsageError(f"--group-by {size} needs numbered names, found {sample.path}; give a regular expression")
    prefix = path.stem[: number.start()]
    return f"{prefix}{int(number[1]) // size}"


def _matches(manifest: Manifest, rule: str) -> list[str]:
    try:
        pattern = re.compile(rule)
    except re.error as error:
        raise UsageError(
            f"--group-by {rule} is no regular expression ({error}); expected such as '(\\d+)_view'"
        ) from error
    if not pattern.groups:
        raise UsageError(f"--group-by {rule} has no brackets; put them around what names the part, as in '(\\d+)_view'")
    found = [pattern.search(sample.path) for sample in manifest.samples]
    missing = [
        s.path for s, match in zip(manifest.samples, found, strict=True) if match is None or not any(match.groups())
    ]
    if missing:
        raise UsageError(f"--group-by {rule} does not fit {len(missing)} of {len(found)} photos, such as {missing[0]}")
    return ["/".join(part or "" for part in match.groups()) for match in found if match]


def join_groups(manifest: Manifest, numbers: Sequence[int]) -> Manifest:
    """Put photos that share a number into one group, together with the groups the manifest has.

    Args:
        manifest: with or without groups.
        numbers: (N,) what was found to belong together.
    """
    keys = [
        (f"number {number}", f"group {sample.group}") if sample.group else (f"number {number}",)
        for sample, number in zip(manifest.samples, numbers, strict=True)
    ]
    places = link(keys)
    sizes = Counter(places)
    samples = tuple(
        replace(s, group=s.group if sizes[place] == 1 else manifest.samples[place].group or f"copies_{place}")
        for s, place in zip(manifest.samples, places, strict=True)
    )
    return replace(manifest, samples=samples)
