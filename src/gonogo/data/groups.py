"""Which photos belong together: by their file names, or by what was found in them."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from gonogo.data.manifest import Manifest, Sample
from gonogo.data.split import link
from gonogo.errors import DataError, UsageError

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


def read_groups(path: Path) -> dict[str, str]:
    """Read which part each photo shows, as ``gonogo audit --groups`` writes it.

    Args:
        path: a CSV file with the columns path and group.

    Raises:
        DataError: it cannot be read, lacks a column or a value, or names a photo twice.
    """
    found: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in ("path", "group") if name not in (reader.fieldnames or [])]
            if missing:
                columns = ", ".join(reader.fieldnames or []) or "nothing"
                raise DataError(f"{path}: no column '{missing[0]}' (found: {columns}); expected path,group")
            for line, row in enumerate(reader, start=2):
                photo, group = (row["path"] or "").strip(), (row["group"] or "").strip()
                if not photo or not group:
                    raise DataError(f"{path}, line {line}: path or group is empty; give every photo a group")
                if photo in found:
                    raise DataError(f"{path}, line {line}: '{photo}' stands there twice; keep one row for each photo")
                found[photo] = group
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; expected a CSV file path,group") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV table: {error}") from error
    return found


def names_from(path: Path, manifest: Manifest, others: Collection[str] = ()) -> tuple[str, ...]:
    """Return (N,) the part of each photo as a file says it.

    Args:
        path: as for `read_groups`.
        manifest: the photos.
        others: paths that the file may name too.

    Raises:
        DataError: as for `read_groups`; or the file and the data do not name the same photos.
    """
    found = read_groups(path)
    known = [sample.path for sample in manifest.samples]
    unknown = sorted(set(found) - set(known) - set(others))
    if unknown:
        raise DataError(
            f"{path} names {len(unknown)} {'photo' if len(unknown) == 1 else 'photos'} that {manifest.root} does not "
            f"hold, such as '{unknown[0]}' (a photo there is called '{known[0]}'); write the file anew for these data"
        )
    missing = [photo for photo in known if photo not in found]
    if missing:
        raise DataError(
            f"{path} lacks {len(missing)} of {len(known)} photos, such as '{missing[0]}'; give every photo a group"
        )
    return tuple(found[photo] for photo in known)


def join_groups(
    manifest: Manifest, *, names: Sequence[str] | None = None, numbers: Sequence[int] | None = None
) -> Manifest:
    """Put photos of one part into one group: those with a name in common, the same bytes, or a number in common.

    Args:
        manifest: with or without groups.
        names: (N,) more names of parts, of the same kind as the manifest's.
        numbers: (N,) what was found to belong together.

    Returns:
        The samples; joined photos have the first name that any of them has, or one made for them. A photo that stays
        alone keeps its own name, or none.
    """
    more = names or [""] * len(manifest)
    own = [[name for name in (s.group, other) if name] for s, other in zip(manifest.samples, more, strict=True)]
    keys = [
        [f"bytes {s.sha256 or s.path}", *(f"name {name}" for name in called)]
        for s, called in zip(manifest.samples, own, strict=True)
    ]
    if numbers is not None:
        for key, number in zip(keys, numbers, strict=True):
            key.append(f"number {number}")
    members: dict[int, list[int]] = {}
    for place, group in enumerate(link(keys)):
        members.setdefault(group, []).append(place)
    taken = {name for called in own for name in called}
    samples = list(manifest.samples)
    for places in members.values():
        name = next((own[place][0] for place in places if own[place]), "")
        if not name and len(places) > 1:
            name = f"copies_{places[0]}"
            while name in taken:
                name += "_"
        for place in places:
            samples[place] = replace(samples[place], group=name)
    return replace(manifest, samples=tuple(samples))
