"""Which augmentations of the recipe these photos bear: those that take the label away are cut back before any training.

That is the first of the three questions of ``gonogo advise``, the one that costs no training; whether an augmentation
helps is left to the search, which tries several strengths.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gonogo.advise.changes import Change, all_changes
from gonogo.advise.judge import look_at, look_plainly
from gonogo.advise.keeps_label import Kept, Labels, keeps_label
from gonogo.advise.subjects import choose
from gonogo.files import write_text
from gonogo.search.material import Material
from gonogo.splitting import Progress
from gonogo.train.augment import without_augmentation
from gonogo.train.prepare import Prepared
from gonogo.train.recipe import Recipe

NAME = "advice.json"
PHOTOS = 300  # that a judge looks at, evenly from the parts


def advise_recipe(
    folder: Path, material: Material, prepared: Prepared, say: Callable[[str], None], progress: Progress | None
) -> dict[str, Any]:
    """Return changes to the recipe; kept in the folder, so that a fit that goes on goes on alike.

    Args:
        folder: of the fit.
        material: the folds.
        prepared: photos, as a small taper sees them.
        say: called with each line worth reading.
        progress: called after each change that was judged.
    """
    path = folder / NAME
    if not path.is_file():
        default = Recipe()
        asked = [own for several in all_changes().values() for own in several if getattr(default, own.key)]
        subjects = choose(prepared, material.folds, PHOTOS, material.seed)
        plain, looks = look_plainly(subjects), look_at(subjects, tuple(asked), material.seed, progress)
        values, lines = cut_back(keeps_label(subjects, plain, looks, tuple(asked), material.seed), asked, default)
        write_text(path, json.dumps({"recipe": values, "because": lines}, indent=2) + "\n")
    known = json.loads(path.read_text(encoding="utf-8"))
    for line in known["because"] or ["no augmentation of the recipe takes the label away"]:
        say(f"  {line}")
    return dict(known["recipe"])


def cut_back(labels: Labels, asked: list[Change], default: Recipe) -> tuple[dict[str, Any], list[str]]:
    """Return the values of augmentations that lose the label at the recipe's strength, and why.

    Args:
        labels: what a judge can tell of changed photos.
        asked: the changes that were judged.
        default: the recipe.
    """
    plain, values, lines = without_augmentation(default), {}, []
    for name in dict.fromkeys(own.name for own in asked):
        rows = labels.of(name)
        lost = next((row for row in rows if row.is_lost and row.change.value <= _reach(default, row)), None)
        if lost is None:
            continue
        key = lost.change.key
        kept = [row.change.value for row in rows if row.change.value < lost.change.value and not row.is_lost]
        values[key] = kept[-1] if kept and not isinstance(lost.change.value, bool) else getattr(plain, key)
        left = "left out" if values[key] == getattr(plain, key) else f"kept at {values[key]:g} {lost.change.unit}"
        lines.append(f"{lost.change.label} takes the label away ({lost.mistaken.in_words}): {left}")
    return values, lines


def _reach(default: Recipe, row: Kept) -> float:
    """Return the recipe's own strength; a judged strength beyond it says nothing of the recipe."""
    return float(getattr(default, row.change.key))
