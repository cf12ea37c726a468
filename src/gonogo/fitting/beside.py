"""Fits that were made before, for a table beside a new one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gonogo.errors import UsageError
from gonogo.evaluate.guarantee import percent
from gonogo.fitting.request import RESULT
from gonogo.report.study import StudyTable
from gonogo.search.budgets import KB

# What a row is made of.
SAID = {"device", "photos", "guarantee", "val", "answers_with", "unmet", "params", "chosen"}
COLUMNS = ("fit", "budgets", "escape at most", "lost or sorted wrong", "ms", "kB", "parameters", "network")


def read_beside(folders: Sequence[Path]) -> list[tuple[str, dict[str, Any]]]:
    """Return what earlier fits say of themselves, by their folders' names.

    Raises:
        UsageError: a folder holds no fit that has ended.
    """
    found = []
    for folder in folders:
        path = folder / RESULT
        if not path.is_file():
            raise UsageError(
                f"--beside {folder} holds no fit that has ended (no {RESULT}); give a folder of 'gonogo fit'"
            )
        said = _read(path)
        lacking = sorted(SAID - set(said))
        if lacking:
            raise UsageError(
                f"--beside {folder}: its {RESULT} does not say '{lacking[0]}'; fit it again with this gonogo"
            )
        found.append((folder.resolve().name, said))
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({error}); fit it again") from error
    return said if isinstance(said, dict) else {}


def beside_table(
    own: tuple[str, Mapping[str, Any]], others: Sequence[tuple[str, Mapping[str, Any]]]
) -> StudyTable | None:
    """Return this fit and earlier ones, one row each; None where there are no others.

    Args:
        own: name and document of this fit.
        others: of the others, as `read_beside` gives them.
    """
    if not others:
        return None
    device, photos = own[1]["device"], own[1]["photos"]
    rows = []
    for name, said in (own, *others):
        notes = ["other photos"] if said["photos"] != photos else []
        notes += [said["device"]] if said["device"] != device else []
        rows.append((f"{name} ({', '.join(notes)})" if notes else name, *_cells(said)))
    return StudyTable(COLUMNS, tuple(rows))


def _cells(said: Mapping[str, Any]) -> tuple[str, ...]:
    promise, val, best = said["guarantee"], said["val"], said["answers_with"]
    lost = val["overkill_rate"]
    wrong = percent(lost["value"]) if lost else percent(1 - val["accuracy"]["value"])
    interval = (lost["low"], lost["high"]) if lost else (1 - val["accuracy"]["high"], 1 - val["accuracy"]["low"])
    broken = ", ".join(own["budget"] for own in said["unmet"])
    return (
        f"not kept: {broken}" if broken else "kept",
        "-" if promise is None else f"{percent(promise['rate'])} ({promise['n']} {promise['unit']})",
        f"{wrong} ({percent(interval[0])} to {percent(interval[1])})",
        f"{best['p50_ms']:.3g}",
        f"{best['size_bytes'] / KB:.1f}",
        f"{said['params']:,}",
        said["chosen"]["is"],
    )
