"""Synthetic castings: the same bytes every time, defects only where the masks say, and a table that tells the truth."""

from __future__ import annotations

import csv
import hashlib
import math
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

pytest.importorskip("scipy")

from gonogo.data.synthetic import KINDS, SynthSummary, render_clean, render_photo, write_castings
from gonogo.data.synthetic.camera import make_view
from gonogo.data.synthetic.copies import FILLS, Transform, apply, apply_mask, make_transform
from gonogo.data.synthetic.dataset import COLUMNS, defective_parts
from gonogo.data.synthetic.defects import FLOOR, LEAST_PIXELS
from gonogo.data.synthetic.noise import ndimage
from gonogo.errors import UsageError

SMALL = 100


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


def _load(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SynthSummary]:
    out = tmp_path_factory.mktemp("castings") / "set"
    return out, write_castings(out, parts=7, views=2, copies=2, defective=0.4, difficulty=0.2, size=SMALL, seed=11)


def test_same_seed_gives_the_same_bytes(written: tuple[Path, SynthSummary], tmp_path: Path) -> None:
    write_castings(tmp_path / "again", parts=7, views=2, copies=2, defective=0.4, difficulty=0.2, size=SMALL, seed=11)
    assert _hashes(tmp_path / "again") == _hashes(written[0])


def test_processes_do_not_change_the_bytes(tmp_path: Path) -> None:
    for workers in (1, 2):
        write_castings(tmp_path / str(workers), parts=3, views=1, copies=1, size=64, seed=4, workers=workers)
    assert _hashes(tmp_path / "1") == _hashes(tmp_path / "2")


def test_a_photo_does_not_depend_on_how_many_parts_there_are(tmp_path: Path) -> None:
    write_castings(tmp_path / "two", parts=2, views=1, defective=1.0, size=64, seed=9)
    write_castings(tmp_path / "four", parts=4, views=2, defective=1.0, size=64, seed=9)
    few, many = _hashes(tmp_path / "two"), _hashes(tmp_path / "four")
    shared = [name for name in few if name.startswith("photos")]
    assert len(shared) == 2
    assert all(few[name] == many[name] for name in shared)


def test_another_seed_part_or_view_gives_another_photo() -> None:
    photos = [
        render_photo(part, view, size=SMALL, seed=seed)[0].tobytes()
        for part, view, seed in ((1, 1, 0), (2, 1, 0), (1, 2, 0), (1, 1, 1))
    ]
    assert len(set(photos)) == 4


def test_layout_and_table(written: tuple[Path, SynthSummary]) -> None:
    out, summary = written
    rows = _rows(out)
    assert (out / "manifest.csv").read_text(encoding="utf-8").splitlines()[0] == ",".join(COLUMNS)
    assert {row["path"] for row in rows} == {f"photos/{p.parent.name}/{p.name}" for p in out.glob("photos/*/*.jpg")}
    assert {row["mask"] for row in rows} - {""} == {f"masks/{p.name}" for p in out.glob("masks/*.png")}
    for row in rows:
        assert re.fullmatch(rf"photos/{row['label']}/part_\d{{4}}_view_\d+(_copy_\d+)?\.jpg", row["path"])
        assert row["split"] == ""
        assert row["path"].split("/")[-1].startswith(f"{row['group']}_view_{row['view']}")
        assert (row["label"] == "defect") == (row["defects"] != "") == (row["mask"] != "")
        assert set(filter(None, row["defects"].split(";"))) <= set(KINDS)
        assert (row["source"] == "copy") == (row["copy_of"] != "") == (row["fill"] in FILLS)
    assert summary.folder == out
    assert summary.photos == len(rows) == 7 * (2 + 2)


def test_counts_in_the_summary(written: tuple[Path, SynthSummary]) -> None:
    out, summary = written
    rows = _rows(out)
    bad = {row["group"] for row in rows if row["label"] == "defect"}
    assert summary.parts == 7
    assert summary.defective_parts == len(bad) == round(7 * 0.4)
    assert summary.labels == {label: sum(row["label"] == label for row in rows) for label in ("ok", "defect")}
    once = {row["group"]: row["defects"].split(";") for row in rows if row["group"] in bad}
    assert summary.kinds == {kind: sum(names.count(kind) for names in once.values()) for kind in KINDS}


def test_photos_and_masks_are_grey_images_of_the_size_asked_for(written: tuple[Path, SynthSummary]) -> None:
    for row in _rows(written[0]):
        with Image.open(written[0] / row["path"]) as photo:
            assert (photo.format, photo.mode, photo.size) == ("JPEG", "L", (SMALL, SMALL))
        if row["mask"]:
            mask = _load(written[0] / row["mask"])
            assert mask.shape == (SMALL, SMALL)
            assert set(np.unique(mask)) == {0, 255}


@pytest.mark.parametrize(
    ("parts", "share", "count"),
    [(60, 0.5, 30), (7, 0.3, 2), (2, 0.01, 1), (3, 0.99, 2), (5, 0.0, 0), (5, 1.0, 5), (1, 0.6, 1)],
)
def test_number_of_defective_parts(parts: int, share: float, count: int) -> None:
    bad = defective_parts(parts, share, seed=3)
    assert len(bad) == count
    assert bad <= set(range(1, parts + 1))


def test_defective_parts_are_spread_by_the_seed() -> None:
    draws = {defective_parts(40, 0.5, seed) for seed in range(5)}
    assert len(draws) == 5
    assert all(0 < len([n for n in bad if n <= 20]) < 20 for bad in draws)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("difficulty", [0.0, 1.0])
def test_a_part_differs_from_its_good_twin_only_at_the_mask(kind: str, difficulty: float) -> None:
    for part in range(3):
        good = render_clean(part, 2, size=200, seed=5)
        bad = render_clean(part, 2, defective=True, difficulty=difficulty, kinds=[kind], size=200, seed=5)
        near = ndimage().binary_dilation(bad.mask, iterations=6)
        change = np.abs(bad.light - good.light)
        assert not good.mask.any()
        assert np.array_equal(bad.light[~near], good.light[~near])
        assert change[bad.mask].sum() > 0.5 * change.sum()


def test_noise_is_the_same_with_and_without_defects() -> None:
    good, _ = render_photo(3, 1, size=200, seed=5)
    bad, mask = render_photo(3, 1, defective=True, difficulty=0.0, size=200, seed=5)
    far = ~ndimage().binary_dilation(mask, iterations=6)
    assert np.array_equal(good[far], bad[far])
    assert not np.array_equal(good, bad)


@pytest.mark.parametrize("size", [100, 300])
@pytest.mark.parametrize("kind", KINDS)
def test_every_defect_can_be_seen_at_the_hardest(kind: str, size: int) -> None:
    for part in range(4):
        good = render_clean(part, 1, size=size, seed=6)
        bad = render_clean(part, 1, defective=True, difficulty=1.0, kinds=[kind], size=size, seed=6)
        for mask in bad.masks:
            assert mask.sum() >= LEAST_PIXELS
            assert np.abs(bad.light - good.light)[mask].mean() >= 0.85 * FLOOR


@pytest.mark.parametrize("kind", KINDS)
def test_harder_defects_are_smaller_and_fainter(kind: str) -> None:
    weight = []
    for difficulty in (0.0, 0.25, 0.5, 0.75, 1.0):
        total = 0.0
        for part in range(5):
            good = render_clean(part, 1, size=150, seed=8)
            bad = render_clean(part, 1, defective=True, difficulty=difficulty, kinds=[kind], size=150, seed=8)
            total += float(np.abs(bad.light - good.light)[bad.mask].sum())
        weight.append(total)
    assert all(easy > hard for easy, hard in pairwise(weight)), weight
    assert weight[0] > 5 * weight[-1]


def test_defects_stay_on_the_part_from_view_to_view() -> None:
    first, second = (render_clean(4, view, defective=True, difficulty=0.1, size=200, seed=2) for view in (1, 2))
    assert [d.kind for d in first.defects] == [d.kind for d in second.defects]
    assert [d.centre for d in first.defects] == [d.centre for d in second.defects]
    for shot in (first, second):
        for defect, mask in zip(shot.defects, shot.masks, strict=True):
            x, y = shot.view.pose.to_pixels(np.array([defect.centre]), 200)[0]
            reach = defect.reach * shot.view.pose.radius * 200 + 3
            rows, columns = np.nonzero(mask)
            assert np.hypot(columns + 0.5 - x, rows + 0.5 - y).max() <= reach


def test_two_views_share_the_part_but_not_the_light() -> None:
    one, two = (make_view(0, 6, number) for number in (1, 2))
    assert one.light != two.light
    assert one.pose != two.pose
    assert not np.array_equal(one.lamps, two.lamps)
    widths = []
    for view in (one, two):
        photo = render_clean(6, view.number, size=200).light
        # Radius of the dark recess over radius of the face, measured in the photo by their areas.
        y, x = np.mgrid[:200, :200] + 0.5
        u, v = view.pose.to_part(x.astype(np.float32), y.astype(np.float32), 200)
        recess = (photo < 70) & (np.hypot(u, v) < 0.57) & (np.hypot(u, v) > 0.25)
        widths.append(math.sqrt(recess.sum() / (math.pi * (view.pose.radius * 200) ** 2 * view.pose.ratio)))
    assert widths[0] == pytest.approx(widths[1], abs=0.02)


def test_good_parts_are_not_told_apart_outside_the_mask() -> None:
    # Draw good and defective parts as a set does; their photos have the same tones away from the defects.
    tones: dict[bool, list[float]] = {True: [], False: []}
    for part in range(60):
        photo, mask = render_photo(part, 1, defective=part % 2 == 1, size=64, seed=21)
        tones[part % 2 == 1].append(float(photo[~ndimage().binary_dilation(mask, iterations=3)].mean()))
    spread = np.std(tones[True] + tones[False])
    assert abs(np.mean(tones[True]) - np.mean(tones[False])) < 0.6 * spread


def test_copies_are_transforms_of_the_photo_they_name(written: tuple[Path, SynthSummary]) -> None:
    out, _ = written
    checked = 0
    for row in (row for row in _rows(out) if row["source"] == "copy"):
        part, number = int(row["group"][5:]), int(row["path"].rsplit("_", 1)[1][:-4])
        transform = make_transform(11, part, number, make_view(11, part, int(row["view"])).pose)
        assert row["fill"] == transform.fill
        expected = apply(_load(out / row["copy_of"]), transform)
        found = _load(out / row["path"])
        assert np.abs(found.astype(int) - expected).mean() < 4  # what JPEG changes
        others = [r for r in _rows(out) if r["source"] == "view" and r["path"] != row["copy_of"]]
        wrong = [np.abs(found.astype(int) - apply(_load(out / r["path"]), transform)).mean() for r in others]
        assert np.abs(found.astype(int) - expected).mean() < min(wrong)
        if row["mask"]:
            base = next(r for r in _rows(out) if r["path"] == row["copy_of"])
            moved = apply_mask(_load(out / base["mask"]) > 0, transform)
            assert np.array_equal(moved, _load(out / row["mask"]) > 0)
        checked += 1
    assert checked == 14


def test_copy_geometry() -> None:
    image = np.zeros((100, 100), dtype=np.uint8)
    image[20:24, 70:74] = 100  # above and right of the centre
    quarter = Transform(math.pi / 2, False, (0.0, 0.0), 1.0, 1.2, 90, "black")
    turned = apply(image, quarter)
    assert turned[70:74, 76:80].min() == 120  # y points down, so a positive angle turns clockwise
    mirrored = apply(image, Transform(0.0, True, (0.05, 0.0), 1.0, 1.0, 90, "black"))
    assert mirrored[20:24, 31:35].min() == 100
    assert mirrored[:, :5].max() == 0


@pytest.mark.parametrize(("fill", "corner"), [("black", 0), ("replicate", 200), ("reflect", 200)])
def test_copy_borders(fill: str, corner: int) -> None:
    image = np.full((80, 80), 200, dtype=np.uint8)
    copy = apply(image, Transform(math.pi / 4, False, (0.0, 0.0), 0.9, 1.0, 90, fill))
    assert copy[0, 0] == corner
    assert copy[40, 40] == 200


@pytest.mark.parametrize("size", [64, 512])
def test_other_sizes_show_the_same_casting(size: int) -> None:
    photo, _ = render_photo(2, 1, size=size)
    normal, _ = render_photo(2, 1, size=128)
    assert photo.shape == (size, size)
    small = [
        np.asarray(Image.fromarray(p).resize((32, 32), Image.Resampling.BOX), dtype=float) for p in (photo, normal)
    ]
    assert np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1] > 0.97


def test_tones_look_like_a_photo() -> None:
    photos = np.stack([render_photo(part, 1, size=128)[0] for part in range(12)]).astype(float)
    assert 135 < photos.mean() < 156
    assert 54 < photos.std(axis=(1, 2)).mean() < 70
    assert np.percentile(photos, 1) < 20 < 200 < np.percentile(photos, 95) < 250
    assert photos[:, :8, :8].std(axis=(1, 2)).mean() < 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"difficulty": 1.2}, "difficulty is 1.2"),
        ({"difficulty": math.nan}, "difficulty is nan"),
        ({"parts": 0}, "parts is 0"),
        ({"views": 0}, "views is 0"),
        ({"copies": -1}, "copies is -1"),
        ({"workers": 0}, "workers is 0"),
        ({"size": 63}, "size is 63"),
        ({"seed": -1}, "seed is -1"),
        ({"defective": -0.1}, "defective is -0.1"),
        ({"defective": math.nan}, "defective is nan"),
        ({"kinds": ["scrach"]}, "unknown defect kind 'scrach'; did you mean 'scratch'?"),
        ({"kinds": []}, "no defect kind given"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        write_castings(tmp_path / "out", **change)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_kept_unless_forced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_castings(out, parts=2, views=1, size=64)
    before = _hashes(out)
    with pytest.raises(UsageError, match="not empty"):
        write_castings(out, parts=1, views=1, size=64)
    assert _hashes(out) == before
    write_castings(out, parts=1, views=1, size=64, force=True)
    assert len(_rows(out)) == 1


def test_a_failure_half_way_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        assert total == 3
        if done == 2:
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_castings(tmp_path / "out", parts=3, views=1, size=64, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_importing_does_not_load_scipy() -> None:
    code = "import sys, gonogo.data.synthetic; print('scipy' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
