"""Each check finds what was planted for it, names it, and says nothing where nothing is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2")
pytest.importorskip("faiss")

from tests.helpers import encoded, noise, picture, write_deep, write_photos, write_truncated

from gonogo.audit.audit import Audit, audit
from gonogo.audit.findings import Findings, PairExhibit
from gonogo.audit.imbalance import trials_needed, zero_miss_bound
from gonogo.data.synthetic import write_castings


def of(result: Audit, check: str, **facts: object) -> list[Findings]:
    found = [f for f in result.findings if f.check == check]
    return [f for f in found if all(f.facts.get(key) == value for key, value in facts.items())]


def one(result: Audit, check: str, **facts: object) -> Findings:
    (found,) = of(result, check, **facts)
    return found


def names(samples: Sequence[Sequence[str]]) -> set[str]:
    return {path for sample in samples for path in sample}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Noise photos: nothing in them is like anything else."""
    return write_photos(tmp_path / "photos", {"ok": 12, "defect": 8}, (64, 64))


def test_nothing_is_found_where_nothing_is_wrong(photos: Path):
    result = audit(photos)
    quiet = ("unreadable", "stray", "classes", "mixes", "leakage", "duplicates", "copies", "contradictory_labels")
    assert [f.check for f in result.findings if f.check in quiet] == []
    assert result.errors == 0
    assert result.parts == 20
    assert result.leaked_share == {}


def test_unreadable_files_are_named_with_their_reason(photos: Path):
    write_truncated(photos / "ok" / "cut.jpg")
    (photos / "ok" / "empty.png").write_bytes(b"")
    (photos / "defect" / "text.png").write_text("not a picture")
    found = one(audit(photos), "unreadable")
    assert (found.severity, found.count) == ("error", 3)
    assert found.facts["reasons"] == {
        "defect/text.png": "not an image file that can be read",
        "ok/cut.jpg": "cut short or damaged",
        "ok/empty.png": "the file is empty",
    }
    assert names(found.samples) == set(found.facts["reasons"])
    assert len(found.mask) == 20  # what cannot be read is no photo


def test_files_that_are_no_photos_are_named(photos: Path):
    for name in ("ok/Thumbs.db", "ok/notes.txt", "defect/.hidden.png", "stray.tmp"):
        (photos / name).write_bytes(b"x")
    (photos / "README.txt").write_text("what this is")
    (photos / "manifest.json").write_text("{}")
    found = one(audit(photos, format_name="imagefolder"), "stray")
    assert names(found.samples) == {"ok/Thumbs.db", "ok/notes.txt", "defect/.hidden.png", "stray.tmp"}
    assert found.count == 4


def test_photos_that_a_table_leaves_out_are_named(photos: Path):
    rows = "\n".join(f"{label}/{n:03d}.png,{label}" for label in ("ok", "defect") for n in range(7))
    (photos / "manifest.csv").write_text(f"path,label\n{rows}\n")
    found = one(audit(photos), "stray")
    assert found.count == 6
    assert "6 photos among them" in found.summary


def test_label_files_beside_photos_are_not_stray(tmp_path: Path):
    write_photos(tmp_path / "set" / "images", {"train": 4}, (64, 64))
    labels = tmp_path / "set" / "labels" / "train"
    labels.mkdir(parents=True)
    for number in range(4):
        (labels / f"{number:03d}.txt").write_text("0 .5 .5 .2 .2\n" if number % 2 else "")
    assert of(audit(tmp_path / "set"), "stray") == []


def test_a_class_emptied_in_one_split_is_an_error(tmp_path: Path):
    for split, seed in (("train", 0), ("test", 100)):
        write_photos(tmp_path / split, {"ok": 6, "dent": 4, "scratch": 3}, (64, 64), first_seed=seed)
    shutil.rmtree(tmp_path / "train" / "dent")
    (tmp_path / "train" / "dent").mkdir()
    found = one(audit(tmp_path), "classes")
    assert found.severity == "error"
    assert found.facts == {"split": "train", "classes": ["dent"]}
    assert "'dent' has 4 photos elsewhere" in found.summary
    (tmp_path / "train" / "dent").rmdir()  # the same without the empty folder
    assert one(audit(tmp_path), "classes").facts == {"split": "train", "classes": ["dent"]}


def test_a_class_without_any_photo_keeps_its_number(tmp_path: Path):
    write_photos(tmp_path, {"ok": 4, "scratch": 4}, (64, 64))
    (tmp_path / "dent").mkdir()
    result = audit(tmp_path)
    assert result.inspection.manifest.classes == ("dent", "ok", "scratch")
    assert result.to_json()["classes"] == {"dent": 0, "ok": 4, "scratch": 4}
    assert one(result, "classes").facts == {"split": None, "classes": ["dent"]}


def test_deep_photos_among_others_are_an_error(photos: Path):
    write_deep(photos / "ok" / "deep.png", 64, 4095)
    found = one(audit(photos), "mixes", bits=12)
    assert (found.severity, found.count, names(found.samples)) == ("error", 1, {"ok/deep.png"})
    assert "largest value 4095" in found.summary
    assert "--bit-depth 12" in found.advice


def test_photos_that_are_all_deep_only_need_their_depth(tmp_path: Path):
    for label in ("ok", "defect"):
        (tmp_path / label).mkdir()
        for number in range(4):
            write_deep(tmp_path / label / f"{number}.png", 64, 1023, seed=number + 10 * (label == "ok"))
    found = one(audit(tmp_path), "mixes")
    assert (found.severity, found.facts["bits"], found.count) == ("warning", 10, 8)


def test_sizes_and_colour_that_differ_are_named(photos: Path):
    picture(noise(40, 64, seed=900)).save(photos / "ok" / "low.png")
    picture(noise(64, 64, 3, seed=901)).save(photos / "defect" / "colour.png")
    result = audit(photos)
    size, colour = (
        one(result, "mixes", sizes={"64x64": 21, "64x40": 1}),
        one(result, "mixes", kinds={"grey": 21, "colour": 1}),
    )
    assert (names(size.samples), names(colour.samples)) == ({"ok/low.png"}, {"defect/colour.png"})
    assert "--crop 64x40+0+0" in size.advice


def test_one_mode_stored_in_two_ways_is_only_worth_knowing(photos: Path):
    grey = noise(64, 64, seed=902)
    picture(np.repeat(grey, 3, axis=2)).save(photos / "ok" / "as_colour.png")
    found = one(audit(photos), "mixes")
    assert (found.severity, names(found.samples)) == ("info", {"ok/as_colour.png"})


def test_duplicates_by_bytes_and_by_pixels(photos: Path):
    shutil.copyfile(photos / "ok" / "000.png", photos / "ok" / "same.png")
    with Image.open(photos / "ok" / "001.png") as photo:
        photo.save(photos / "ok" / "stored_anew.bmp")
    result = audit(photos)
    assert set(one(result, "duplicates", by="bytes").samples) == {("ok/000.png", "ok/same.png")}
    assert set(one(result, "duplicates", by="pixels").samples) == {("ok/001.png", "ok/stored_anew.bmp")}
    assert result.parts == 20


@pytest.fixture(scope="module")
def castings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of 16 castings, three copies of each, as folders of which no table tells the parts."""
    folder = tmp_path_factory.mktemp("castings") / "set"
    write_castings(folder, parts=16, views=1, copies=3, difficulty=0.0, size=150, seed=2)
    return folder / "photos"


def _publish(castings: Path, out: Path) -> Path:
    """Put the third copy of each casting into test."""
    for photo in sorted(castings.rglob("*.jpg")):
        target = out / ("test" if "copy_3" in photo.name else "train") / photo.parent.name / photo.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(photo, target)
    return out


def test_copies_are_shown_as_pairs_that_lie_over_each_other(castings: Path):
    import cv2

    result = audit(castings)
    assert result.parts == 16
    found = one(result, "copies")
    assert found.count == 64
    assert {frozenset(Path(path).name[:9] for path in sample) for sample in found.samples} == {
        frozenset([f"part_{number:04d}"]) for number in range(1, 17)
    }
    pairs = [exhibit for exhibit in found.exhibits if isinstance(exhibit, PairExhibit)]
    assert len(pairs) == 12
    for pair in pairs:
        first, second = (
            np.array(Image.open(castings / result.inspection.paths[k]).convert("L")).astype(np.float32)
            for k in (pair.i, pair.j)
        )
        laid = cv2.warpAffine(second, pair.matrix, first.shape[::-1], borderValue=-1)
        both = (laid > 12) & (first > 12)
        assert np.corrcoef(first[both], laid[both])[0, 1] > 0.9


def test_leaks_are_counted_and_named_by_part(castings: Path, tmp_path: Path):
    published = _publish(castings, tmp_path / "published")
    photo = next((published / "train" / "ok").glob("*view*"))
    shutil.copyfile(photo, published / "test" / "ok" / "same.jpg")
    result = audit(published)
    found = one(result, "leakage")
    assert (found.severity, found.count) == ("error", 17)
    assert result.leaked_share["test"].value == 1.0
    assert found.facts["identical_pairs"] == [[f"train/ok/{photo.name}", "test/ok/same.jpg"]]
    assert all({path.split("/")[0] for path in sample} == {"train", "test"} for sample in found.samples)
    assert len(found.samples) == 16
    shown = [exhibit for exhibit in found.exhibits if isinstance(exhibit, PairExhibit)]
    assert {result.inspection.splits[pair.i] for pair in shown} == {"test"}
    assert {result.inspection.splits[pair.j] for pair in shown} == {"train"}


def test_copies_with_several_labels_contradict_each_other(castings: Path, tmp_path: Path):
    spoilt = tmp_path / "spoilt"
    shutil.copytree(castings, spoilt)
    moved = next((spoilt / "defect").glob("*copy_2*"))
    moved.rename(spoilt / "ok" / moved.name)
    result = audit(spoilt)
    found = one(result, "contradictory_labels")
    assert (found.severity, found.count) == ("error", 1)
    assert found.facts["suspects"] == [f"ok/{moved.name}"]
    assert found.samples[0][0] == f"ok/{moved.name}"
    assert len(found.samples[0]) == 4
    (pair,) = found.exhibits
    assert isinstance(pair, PairExhibit)
    assert result.inspection.paths[pair.i] == f"ok/{moved.name}"


def test_groups_are_written_once_for_each_photo(castings: Path, tmp_path: Path):
    audit(castings).write_groups(tmp_path / "groups.csv")
    lines = (tmp_path / "groups.csv").read_text().splitlines()
    assert lines[0] == "path,group"
    rows = dict(line.split(",") for line in lines[1:])
    assert len(rows) == 64
    by_part: dict[str, set[str]] = {}
    for path, group in rows.items():
        by_part.setdefault(Path(path).name[:9], set()).add(group)
    assert all(len(groups) == 1 for groups in by_part.values())
    assert len(set(rows.values())) == 16


def test_names_of_parts_join_what_pixels_cannot(photos: Path):
    result = audit(photos, group_rule="4")
    assert result.parts == 3  # 000 to 003 is one part, whatever its class
    assert one(result, "contradictory_labels").facts["parts"] == 2
    assert of(result, "parts") == []


@pytest.mark.parametrize(
    ("stems", "rule"),
    [
        ([f"part_{p:03d}_view_{v}" for p in range(5) for v in range(4)], r"([^/]*\d)_view_\d+"),
        ([f"{p}-{v}" for p in range(5) for v in ("left", "top", "right")], r"([^/]*\d)\-[A-Za-z]+"),
        ([f"{n:04d}" for start in (0, 24, 40, 72) for n in range(start, start + 8)], "8"),
    ],
)
def test_a_regular_numbering_is_suggested(stems: list[str], rule: str, tmp_path: Path):
    for number, stem in enumerate(stems):
        folder = tmp_path / ("ok" if number % 2 else "defect")
        folder.mkdir(exist_ok=True)
        picture(noise(48, 48, seed=number)).save(folder / f"{stem}.png")
    found = one(audit(tmp_path), "parts")
    assert found.facts["group_by"] == rule
    again = audit(tmp_path, group_rule=rule)
    assert again.parts == found.count
    assert of(again, "parts") == []


def test_runs_without_gaps_are_noticed_by_what_they_show(tmp_path: Path):
    rng = np.random.default_rng(0)
    for label in ("ok", "defect"):
        (tmp_path / label).mkdir()
    for part in range(12):
        scene = rng.integers(40, 200, (12, 12)).repeat(4, 0).repeat(4, 1)
        for view in range(5):
            photo = (np.roll(scene, view, 0) + rng.normal(0, 9, scene.shape)).clip(0, 255).astype(np.uint8)
            picture(photo[:, :, None]).save(tmp_path / ("ok" if part % 2 else "defect") / f"img{5 * part + view}.png")
    assert one(audit(tmp_path), "parts").facts["group_by"] == "5"


def test_plain_numbers_suggest_nothing(tmp_path: Path):
    seed = 0
    for label in ("ok", "defect"):
        (tmp_path / label).mkdir()
        for number in range(20):
            seed += 1
            picture(noise(48, 48, seed=seed)).save(tmp_path / label / f"{label}_{number}.png")
    assert of(audit(tmp_path), "parts") == []


def test_effective_size_counts_parts(castings: Path):
    found = one(audit(castings), "imbalance")
    for row in found.facts["classes"].values():
        assert row["photos"] == 4 * row["parts"]
        assert row["zero_miss_bound"] == pytest.approx(1 - 0.05 ** (1 / row["parts"]))
    assert found.severity == "warning"


@pytest.mark.parametrize(("n", "rate"), [(59, 0.05), (299, 0.01), (2995, 0.001)])
def test_the_rule_of_three_is_exact(n: int, rate: float):
    assert trials_needed(rate) == n
    assert zero_miss_bound(n) <= rate < zero_miss_bound(n - 1)


def test_a_second_look_gives_the_same_answer_from_memory(castings: Path):
    first, second = audit(castings), audit(castings)
    assert first.to_json() == second.to_json()


def test_odd_sets_do_not_stop_the_audit(tmp_path: Path):
    for name, sizes in {"tiny": (8, 8), "thin": (1, 40), "flat": (40, 1)}.items():
        write_photos(tmp_path / name, {"ok": 1, "defect": 2}, sizes)
        assert audit(tmp_path / name).to_json()["photos"] == 3
    (tmp_path / "same" / "ok").mkdir(parents=True)
    (tmp_path / "same" / "defect").mkdir()
    for number in range(3):
        for label in ("ok", "defect"):
            (tmp_path / "same" / label / f"{number}.png").write_bytes(encoded(picture(noise(40, 40)), "PNG"))
    result = audit(tmp_path / "same")
    assert result.parts == 1
    assert one(result, "contradictory_labels").count == 6  # a tie: each may be the wrong one
