"""The way from photos to a split: what is linked, what is kept, where the table lies and how it is found again."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from gonogo.audit.visit import copies_of
from gonogo.data.formats import FORMATS, ReadOptions, read_dataset
from gonogo.data.manifest import Manifest
from gonogo.data.scan import scan
from gonogo.data.split import leaked_photos
from gonogo.errors import DataError, UsageError
from gonogo.splitting import Split, SplitRequest, check_table, make_split
from tests.helpers import write_alike, write_photos, write_plates


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_table_above_its_photos_moves_with_them(tmp_path: Path):
    write_plates(tmp_path / "work" / "photos", 8)
    made = make_split(SplitRequest(tmp_path / "work" / "photos"))
    assert made.write(tmp_path / "work" / "split.csv") is None
    rows = rows_of(tmp_path / "work" / "split.csv")
    assert list(rows[0])[:4] == ["path", "label", "split", "group"]
    assert {row["path"].split("/")[0] for row in rows} == {"photos"}
    assert all(row["group"] == row["path"] for row in rows)
    (tmp_path / "work").rename(tmp_path / "elsewhere")
    manifest = read_dataset(tmp_path / "elsewhere" / "split.csv")
    assert scan(manifest).manifest.counts() == {"defect": 8, "ok": 8}
    assert not manifest.has_groups, "nobody named a part"
    assert [s.split for s in manifest.samples] == [row["split"] for row in rows]


def test_a_table_apart_from_its_photos_is_found_again_by_its_content(tmp_path: Path, empty_cache: Path):
    photos = write_plates(tmp_path / "store" / "photos", 8)
    table = tmp_path / "work" / "split.csv"
    assert make_split(SplitRequest(photos)).write(table) == photos
    assert {row["path"].split("/")[0] for row in rows_of(table)} == {"ok", "defect"}
    assert scan(read_dataset(table)).manifest.root == photos
    moved = shutil.copy(table, tmp_path / "moved.csv")
    assert read_dataset(moved).root == photos
    # One that was changed, or comes from elsewhere, is not trusted to say where photos lie.
    with moved.open("a") as stream:
        stream.write("x.png,ok,train,,,,,\n")
    assert read_dataset(moved).root == tmp_path
    shutil.rmtree(empty_cache / "tables")
    with pytest.raises(DataError, match=r"none of the 16 photos can be read .*--photos FOLDER"):
        scan(read_dataset(table))
    assert scan(read_dataset(table, options=ReadOptions(photos=photos))).manifest.root == photos


def test_photos_beside_a_table_come_before_those_it_was_written_for(tmp_path: Path):
    photos = write_plates(tmp_path / "photos", 8)
    make_split(SplitRequest(photos)).write(tmp_path / "work" / "split.csv")
    copy = shutil.copytree(photos, tmp_path / "copy")
    shutil.copy(tmp_path / "work" / "split.csv", copy)
    assert read_dataset(copy / "split.csv").root == copy


def test_where_photos_lie_is_asked_of_tables_only(tmp_path: Path):
    photos = write_plates(tmp_path / "photos", 4)
    with pytest.raises(UsageError, match="--photos says where a table's photos lie"):
        read_dataset(photos, options=ReadOptions(photos=photos))
    (tmp_path / "t.csv").write_text("path,label\nok/00.png,ok\ndefect/00.png,defect\n")
    with pytest.raises(DataError, match="no such folder"):
        read_dataset(tmp_path / "t.csv", options=ReadOptions(photos=tmp_path / "gone"))


def test_records_of_a_binary_file_survive_the_round_trip(tmp_path: Path):
    photos = read_dataset(write_photos(tmp_path / "photos", {"ok": 9, "bad": 9}, size=(32, 32), channels=3))
    trained = Manifest(photos.root, tuple(replace(s, split="train") for s in photos.samples), photos.classes)
    FORMATS.get("cifar").write(trained, tmp_path / "cifar")
    for table in (tmp_path / "split.csv", tmp_path / "apart" / "split.csv"):
        made = make_split(SplitRequest(tmp_path / "cifar"))
        made.write(table)
        found = scan(read_dataset(table)).manifest
        assert [s.sha256 for s in found.samples] == [s.sha256 for s in made.manifest.samples]
        assert {s.source for s in found.samples} == {"cifar10"}


def test_a_split_that_came_with_the_data_plays_no_part_unless_it_is_asked_for(tmp_path: Path):
    write_plates(tmp_path / "train", 20)
    write_plates(tmp_path / "test", 5, seed=1)
    made = make_split(SplitRequest(tmp_path))
    assert {p.split("/")[0] for p in paths(made, "test")} == {"train", "test"}
    assert any("the split that came with the data (train 40, test 10 photos)" in note for note in made.notes)
    kept = make_split(SplitRequest(tmp_path, keep_test=True))
    assert {p.split("/")[0] for p in paths(kept, "test")} == {"test"}
    assert len(paths(kept, "test")) == 10
    assert len(paths(kept, "val")) == 8
    assert kept.left_out == 0


def paths(made: Split, split: str) -> list[str]:
    return [sample.path for sample in made.manifest.select(split).samples]


def test_what_shows_a_part_of_a_test_set_that_is_kept_is_left_out(tmp_path: Path):
    write_plates(tmp_path / "train", 20)
    write_plates(tmp_path / "test", 5, seed=1)
    for number in (3, 4):
        shutil.copy(tmp_path / f"train/ok/{number:02d}.png", tmp_path / f"test/ok/copy{number}.png")
    made = make_split(SplitRequest(tmp_path, keep_test=True))
    assert made.left_out == 2
    assert len(paths(made, "test")) == 12
    assert not {"train/ok/03.png", "train/ok/04.png"} & {s.path for s in made.manifest.samples}
    assert not leaked_photos(made.manifest).any()
    assert any("left out 2 photos outside the test set" in note for note in made.notes)


def test_a_test_set_that_leaves_nothing_is_refused(tmp_path: Path):
    write_plates(tmp_path / "train", 5)
    shutil.copytree(tmp_path / "train", tmp_path / "test")
    with pytest.raises(DataError, match="--keep-test leaves no photo of class 'defect' to train on"):
        make_split(SplitRequest(tmp_path, keep_test=True))
    with pytest.raises(UsageError, match="names no test set to keep"):
        make_split(SplitRequest(tmp_path / "train", keep_test=True))


def test_photos_that_are_all_alike_are_one_part_and_cannot_be_split(tmp_path: Path):
    write_alike(tmp_path, 10)
    with pytest.raises(DataError, match="no photo of class 'bad': its 10 photos show 1 distinct part, expected at"):
        make_split(SplitRequest(tmp_path))
    assert make_split(SplitRequest(tmp_path, find_copies=False)).manifest.select("test").counts() == {"bad": 2, "ok": 2}


def test_folds_are_a_column(tmp_path: Path):
    write_plates(tmp_path / "photos", 12)
    made = make_split(SplitRequest(tmp_path / "photos", folds=4))
    made.write(tmp_path / "split.csv")
    rows = rows_of(tmp_path / "split.csv")
    assert {(row["fold"], row["split"]) for row in rows} == {
        ("0", "test"),
        ("1", "val"),
        ("2", "train"),
        ("3", "train"),
    }
    folds = made.to_json()["folds"]
    assert [fold["counts"] for fold in folds] == [fold["parts"] for fold in folds] == [{"defect": 3, "ok": 3}] * 4
    with pytest.raises(UsageError, match="leave --val and --test out"):
        make_split(SplitRequest(tmp_path / "photos", folds=4, val=0.1))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,part\nok/00.png,a\n", "no column 'group'"),
        ("path,group\nok/00.png,\n", "line 2: path or group is empty"),
        ("path,group\nok/00.png,a\nok/00.png,b\n", "line 3: 'ok/00.png' stands there twice"),
        ("path,group\nok/00.png,a\nok/gone.png,a\n", "names 1 photo that .* does not hold, such as 'ok/gone.png'"),
        ("path,group\nok/00.png,a\n", "lacks 7 of 8 photos, such as 'defect/00.png'"),
        ("", "no column 'path'"),
        ("\udcff", "is not a CSV table"),
    ],
)
def test_a_file_of_groups_that_does_not_fit_is_refused(tmp_path: Path, text: str, words: str):
    write_plates(tmp_path / "photos", 4)
    (tmp_path / "groups.csv").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=words) as caught:
        make_split(SplitRequest(tmp_path / "photos", groups=tmp_path / "groups.csv"))
    assert "groups.csv" in str(caught.value)
    with pytest.raises(DataError, match="cannot read"):
        make_split(SplitRequest(tmp_path / "photos", groups=tmp_path / "gone.csv"))


def test_what_the_audit_says_of_parts_is_read_back(tmp_path: Path):
    from gonogo.audit.audit import audit

    write_plates(tmp_path / "photos", 10)
    shutil.copy(tmp_path / "photos/ok/00.png", tmp_path / "photos/ok/copy.png")
    (tmp_path / "photos/ok/broken.png").touch()
    audit(tmp_path / "photos").write_groups(tmp_path / "groups.csv")
    request = SplitRequest(tmp_path / "photos", groups=tmp_path / "groups.csv", find_copies=False, skip_unreadable=True)
    made = make_split(request)
    groups = {s.path: s.group for s in made.manifest.samples}
    assert groups["ok/00.png"] == groups["ok/copy.png"] != groups["ok/01.png"]
    assert made.parts == 20


def test_only_a_split_table_is_replaced(tmp_path: Path):
    (tmp_path / "thesis.csv").write_text("years,of,work\n")
    (tmp_path / "split.csv").write_text("path,label,split,group\n")
    check_table(tmp_path / "new" / "split.csv")
    check_table(tmp_path / "split.csv", force=True)
    for table, force, words in (
        ("split.csv", False, "exists; give another name, or --force"),
        ("thesis.csv", True, "is no table path,label,split,group"),
        ("split.parquet", False, "ends in .csv"),
        ("thesis.csv/split.csv", False, "cannot write"),
    ):
        with pytest.raises(UsageError, match=words):
            check_table(tmp_path / table, force=force)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        check_table(tmp_path / "folder.csv", force=True)


def check_no_link_crosses(data: Path, made: Split, photos: Path | None = None) -> int:
    """Look at every pair that the search accepts, all equal bytes and all names; return how many pairs there were."""
    found = scan(read_dataset(data, options=ReadOptions(photos=photos)))
    side = {s.path: s.split for s in made.manifest.samples}
    samples = found.manifest.samples
    pairs = copies_of(found).pairs
    for pair in pairs:
        assert side[samples[pair.i].path] == side[samples[pair.j].path]
    for key in ("sha256", "group"):
        sides: dict[str, set[str]] = {}
        for sample in made.manifest.samples:
            sides.setdefault(getattr(sample, key) or sample.path, set()).add(sample.split)
        assert all(len(where) == 1 for where in sides.values())
    return len(pairs)


def test_commutators_of_eight_photos_each_are_split_by_part(real_data: Path):
    made = make_split(SplitRequest(real_data / "kolektor-yolo", group_by="8"))
    assert check_no_link_crosses(real_data / "kolektor-yolo", made) > 0
    assert made.parts == 9, "items 12 and 28 are one, which the numbering does not say"
    by_item: dict[int, set[str]] = {}
    for sample in made.manifest.samples:
        by_item.setdefault(int(Path(sample.path).stem) // 8, set()).add(sample.split)
    assert all(len(sides) == 1 for sides in by_item.values())


@pytest.mark.slow
# The audit's tests search the next two sets as well; whichever comes first waits, the other recalls.
def test_steel_strip_is_split_without_a_leak(real_data: Path):
    made = make_split(SplitRequest(real_data / "x-sdd"))
    assert check_no_link_crosses(real_data / "x-sdd", made) >= 19
    assert made.division.unbalanced == ()


@pytest.mark.slow
def test_some_castings_are_split_without_a_leak(real_data: Path, tmp_path: Path):
    casting = read_dataset(real_data / "casting")
    few = casting.keep(n % 12 == 0 for n in range(len(casting)))
    few.write(tmp_path / "few.csv")
    request = SplitRequest(tmp_path / "few.csv", reading=ReadOptions(photos=casting.root))
    made = make_split(request)
    assert check_no_link_crosses(tmp_path / "few.csv", made, casting.root) > 200
    assert made.parts < 100
    assert made.write(tmp_path / "split.csv") == casting.root
    assert not leaked_photos(scan(read_dataset(tmp_path / "split.csv")).manifest).any()


@pytest.mark.slow
def test_castings_are_split_without_a_leak(real_data: Path):
    made = make_split(SplitRequest(real_data / "casting"))
    assert check_no_link_crosses(real_data / "casting", made) > 4000
    assert made.parts < 100
    counts = made.to_json()["counts"]
    for label, total in made.manifest.counts().items():
        assert abs(counts["test"][label] / total - 0.2) < 0.02
        assert abs(counts["val"][label] / total - 0.16) < 0.02
    folds = make_split(SplitRequest(real_data / "casting", folds=4)).to_json()["folds"]
    assert sorted(fold["parts"]["ok_front"] for fold in folds) == [2, 2, 2, 3]
    with pytest.raises(DataError, match="--keep-test leaves no photo of class"):
        make_split(SplitRequest(real_data / "casting", keep_test=True))
