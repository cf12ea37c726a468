"""What was written reads back as the same photos, labels and splits, whatever their names."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gonogo.data.formats import FORMATS, read_dataset
from gonogo.data.images import decode_photo
from gonogo.data.manifest import Manifest, Sample
from gonogo.data.task import reads_as_good
from gonogo.errors import DataError
from tests.helpers import encoded, noise, picture

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# By number, so that a failing example stays short: eight tiny ones, then eight of the one size that CIFAR holds.
PHOTOS = [encoded(picture(noise(5, 7, 1 + 2 * (seed % 2), seed)), "PNG") for seed in range(8)]
PHOTOS += [encoded(picture(noise(32, 32, 3, seed)), "PNG") for seed in range(8)]
SMALL, THIRTY_TWO = range(8), range(8, 16)
# Letters of any script, marks, symbols and emoji, spaces inside; no separators, controls or slashes.
CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cn"), exclude_characters="/\0")
NAMES = st.text(CHARACTERS, min_size=1, max_size=12).map(str.strip).filter(lambda name: name.strip("."))
LABELS = st.one_of(
    NAMES, st.sampled_from(["ok", "No defect", "good", "not ok", "crack, long", "1e3", "no", "null", "Ü"])
)


@st.composite
def manifests(draw: st.DrawFn, splits: tuple[str, ...], pool: range) -> tuple[Manifest, list[int]]:
    """Draw a manifest of two to four classes without files yet, and the number of each photo."""
    labels = draw(st.lists(LABELS, min_size=2, max_size=4, unique=True))
    sides = [""] if "" in splits and draw(st.booleans()) else [split for split in splits if split]
    stems = draw(st.lists(NAMES, min_size=len(labels), max_size=7, unique=True))
    samples = []
    for number, stem in enumerate(stems):
        label = labels[number] if number < len(labels) else draw(st.sampled_from(labels))
        folder = draw(st.sampled_from(["", "a/", "b c/"]))
        samples.append(Sample(f"{folder}{stem}.png", label, draw(st.sampled_from(sides))))
    data = [draw(st.sampled_from(pool)) for _ in samples]
    return Manifest(Path(), tuple(samples), tuple(sorted(labels))), data


def put(root: Path, manifest: Manifest, photos: list[int]) -> Manifest:
    """Write the photos below the root."""
    for sample, number in zip(manifest.samples, photos, strict=True):
        (root / sample.path).parent.mkdir(parents=True, exist_ok=True)
        (root / sample.path).write_bytes(PHOTOS[number])
    return replace(manifest, root=root)


def content(manifest: Manifest) -> Counter[tuple[str, str, bytes]]:
    """Return how often each label, split and picture stands in a manifest."""
    return Counter(
        (s.label, s.split, decode_photo(manifest.read_bytes(s), channels=3).tobytes()) for s in manifest.samples
    )


def check_round_trip(name: str, manifest: Manifest, photos: list[int], table: str = "") -> None:
    with tempfile.TemporaryDirectory() as folder:
        manifest = put(Path(folder) / "in", manifest, photos)
        target = manifest.root / table if table else Path(folder) / "out"
        FORMATS.get(name).write(manifest, target)
        found = read_dataset(target, None if name != "imagefolder" else name)
        assert content(found) == content(manifest)
        assert found.classes == manifest.classes
        assert found.notes == ()
        if not table:
            # A second time through the same format changes nothing more.
            FORMATS.get(name).write(found, Path(folder) / "again")
            again = read_dataset(Path(folder) / "again", None if name != "imagefolder" else name)
            assert again.samples == found.samples or name == "imagefolder"


ALL = ("", "train", "val", "test")


@QUICK
@given(manifests(ALL, SMALL))
def test_yolo(drawn: tuple[Manifest, list[int]]):
    check_round_trip("yolo", *drawn)


@QUICK
@given(manifests(ALL, SMALL))
def test_voc(drawn: tuple[Manifest, list[int]]):
    check_round_trip("voc", *drawn)


@QUICK
@given(manifests(ALL, SMALL))
def test_coco(drawn: tuple[Manifest, list[int]]):
    check_round_trip("coco", *drawn)


@QUICK
@given(manifests(("train", "test"), THIRTY_TWO))
def test_cifar(drawn: tuple[Manifest, list[int]]):
    check_round_trip("cifar", *drawn)


@pytest.mark.parametrize("table", ["table.csv", "table.parquet"])
@QUICK
@given(drawn=manifests(ALL, SMALL))
def test_table(table: str, drawn: tuple[Manifest, list[int]]):
    check_round_trip("table", *drawn, table=table)


@QUICK
@given(manifests(ALL, SMALL))
def test_imagefolder(drawn: tuple[Manifest, list[int]]):
    manifest, photos = drawn
    try:
        check_round_trip("imagefolder", manifest, photos)
    except DataError as error:
        # A class whose folder would be hidden or taken for a split, or two photos of one name.
        assert (
            "cannot be the name of a folder" in str(error)
            or "two photos of class" in str(error)
            or ("would be passed over" in str(error))
        )


@settings(QUICK, max_examples=10)
@given(manifests(("train", "test"), THIRTY_TWO), st.permutations(["yolo", "voc", "coco", "cifar"]))
def test_through_every_format_in_any_order(drawn: tuple[Manifest, list[int]], order: list[str]):
    with tempfile.TemporaryDirectory() as folder:
        first = manifest = put(Path(folder) / "in", *drawn)
        for name in order:
            FORMATS.get(name).write(manifest, Path(folder) / name)
            manifest = read_dataset(Path(folder) / name)
        assert content(manifest) == content(first)


@given(manifests(ALL, SMALL))
@settings(max_examples=10, deadline=None)
def test_the_good_class_is_written_without_boxes(drawn: tuple[Manifest, list[int]]):
    manifest, photos = drawn
    good = [label for label in manifest.classes if reads_as_good(label)]
    with tempfile.TemporaryDirectory() as folder:
        manifest = put(Path(folder) / "in", manifest, photos)
        FORMATS.get("yolo").write(manifest, Path(folder) / "out")
        empty = sum(not text.stat().st_size for text in (Path(folder) / "out" / "labels").rglob("*.txt"))
    assert empty == (manifest.counts()[good[0]] if len(good) == 1 else 0)


def test_pictures_differ_enough_to_tell_them_apart():
    assert len({np.asarray(decode_photo(data, channels=3)).tobytes() for data in PHOTOS}) == 16
