"""Copies that are found stay on one side of the split, and those that were not kept there are counted."""

from __future__ import annotations

import shutil
from pathlib import Path

from gonogo.data.groups import join_groups
from gonogo.data.manifest import Manifest, Sample
from gonogo.data.synthetic import write_castings
from gonogo.train.prepare import DataOptions, prepare


def test_found_groups_are_joined_with_named_ones():
    named = ("a", "", "", "b", "", "")
    manifest = Manifest(Path(), tuple(Sample(str(i), "ok", group=g) for i, g in enumerate(named)), ("defect", "ok"))
    found = [sample.group for sample in join_groups(manifest, [0, 0, 1, 1, 2, 3]).samples]
    assert found[0] == found[1]
    assert found[2] == found[3] != found[0]
    assert found[4:] == ["", ""]


def test_transformed_copies_are_kept_together_and_planted_leaks_are_counted(tmp_path: Path):
    write_castings(tmp_path / "set", parts=16, views=1, copies=3, difficulty=0.0, size=150, seed=2)
    photos = tmp_path / "set" / "photos"  # folders alone: no table tells the parts
    split = prepare(photos, DataOptions(find_copies=True)).manifest
    sides: dict[str, set[str]] = {}
    for sample in split.samples:
        sides.setdefault(Path(sample.path).name[:9], set()).add(sample.split)
    assert len(sides) == 16
    assert all(len(side) == 1 for side in sides.values())
    published = tmp_path / "published"
    for photo in sorted(photos.rglob("*.jpg")):
        target = published / ("test" if "copy_3" in photo.name else "train") / photo.parent.name / photo.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(photo, target)
    notes = prepare(published, DataOptions(find_copies=True)).notes
    assert any(note.startswith("leak: 16 of 16 test photos") for note in notes)
    assert not any(note.startswith("leak") for note in prepare(published, DataOptions()).notes)
