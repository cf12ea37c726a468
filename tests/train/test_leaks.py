"""Copies stay on one side of a new split; one that came with the data and leaks is refused, or marked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gonogo.data.synthetic import write_castings
from gonogo.errors import DataError, UsageError
from gonogo.train.prepare import DataOptions, prepare
from gonogo.train.run import Run
from gonogo.train.train import TrainRequest, train
from tests.helpers import gonogo_json, in_process, write_plates

QUICK = ("--epochs", 3, "--batch-size", 8, "--device", "cpu")


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen castings, one photo of each and three transformed copies; in folders alone: no table tells the parts."""
    folder = tmp_path_factory.mktemp("copied") / "set"
    write_castings(folder, parts=16, views=1, copies=3, difficulty=0.0, size=150, seed=2)
    return folder / "photos"


@pytest.fixture(scope="module")
def published(copied: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same photos as someone would publish them: one copy of each part is in test."""
    folder = tmp_path_factory.mktemp("published") / "data"
    for photo in sorted(copied.rglob("*.jpg")):
        target = folder / ("test" if "copy_3" in photo.name else "train") / photo.parent.name / photo.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(photo, target)
    return folder


@pytest.fixture(scope="module")
def leaky_plates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plates with a test set, one photo of which is also in train."""
    folder = tmp_path_factory.mktemp("leaky") / "photos"
    write_plates(folder / "train", 16)
    write_plates(folder / "test", 5, seed=1)
    shutil.copy(folder / "train/ok/03.png", folder / "test/ok/copy.png")
    return folder


def sides_of_parts(manifest) -> dict[str, set[str]]:
    sides: dict[str, set[str]] = {}
    for sample in manifest.samples:
        sides.setdefault(Path(sample.path).name[:9], set()).add(sample.split)
    return sides


def test_transformed_copies_are_kept_together_by_default_and_counted_as_parts(copied: Path):
    prepared = prepare(copied, DataOptions())
    sides = sides_of_parts(prepared.manifest)
    assert len(sides) == 16
    assert all(len(side) == 1 for side in sides.values())
    assert prepared.manifest.has_groups
    assert prepared.leaky == {}
    assert any("64 photos show 16 different parts" in note for note in prepared.notes)


def test_a_published_split_that_leaks_is_refused(published: Path):
    with pytest.raises(DataError, match=r"the split of .* leaks: 16 of 16 test photos .* also in train; .*--resplit"):
        prepare(published, DataOptions())


def test_a_new_split_of_it_keeps_the_copies_together(published: Path):
    prepared = prepare(published, DataOptions(resplit=True))
    assert all(len(side) == 1 for side in sides_of_parts(prepared.manifest).values())
    assert prepared.leaky == {}


def test_a_split_that_is_kept_is_marked_and_its_validation_taken_as_it_was_published(published: Path):
    prepared = prepare(published, DataOptions(allow_leaks=True))
    test = prepared.manifest.select("test")
    assert {Path(s.path).name for s in test.samples} == {p.name for p in (published / "test").rglob("*.jpg")}
    assert prepared.leaky["test"].value == 1.0
    assert prepared.leaky["test"].n == 16
    assert prepared.leaky["test"].unit == "photos"
    assert prepared.leaky["val"].value == 1.0
    assert {len(side) for side in sides_of_parts(prepared.manifest).values()} >= {3}
    assert any(note.startswith("leak: 16 of 16 test photos") for note in prepared.notes)


def test_what_is_not_searched_for_is_not_found(published: Path):
    prepared = prepare(published, DataOptions(find_copies=False))
    assert prepared.leaky == {}
    assert not prepared.manifest.has_groups


def test_leaks_by_name_are_refused_too(tmp_path: Path):
    write_plates(tmp_path / "train", 12)
    write_plates(tmp_path / "test", 4, seed=1)
    # Photo 3 of train and photo 3 of test have the same number.
    with pytest.raises(DataError, match="8 of 8 test photos"):
        prepare(tmp_path, DataOptions(group_by=r"(\w+/\d+)\.png"))


def test_two_answers_to_a_leak_are_one_too_many(leaky_plates: Path):
    with pytest.raises(UsageError, match="--resplit makes a new split and --allow-leaks keeps"):
        prepare(leaky_plates, DataOptions(resplit=True, allow_leaks=True))


def test_the_command_refuses_in_one_line_and_writes_nothing(leaky_plates: Path, tmp_path: Path):
    done = in_process("train", leaky_plates, "-o", tmp_path / "run", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    line = done.stderr.splitlines()[-1]
    assert f"the split of {leaky_plates} leaks: 1 of 11 test photos show a part that is also in train" in line
    assert all(word in line for word in ("--resplit", f"gonogo split {leaky_plates}", "--allow-leaks"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_every_figure_of_a_leaky_run_is_marked(leaky_plates: Path, tmp_path: Path):
    run = tmp_path / "run"
    words = ("train", leaky_plates, "-o", run, "--allow-leaks", *QUICK)
    done = in_process(*words)
    assert done.returncode == 0, done.stderr
    assert "note: leak: 1 of 11 test photos" in done.stderr
    figures = [line for line in done.stdout.splitlines() if "%" in line]
    assert figures
    assert all(line.count("(leaky)") == line.count(" % (") for line in figures)
    opened = Run.open(run)
    assert opened.metrics["leaky"] == opened.config.leaky == opened.metrics["val"]["leaky"]
    assert opened.config.leaky is not None
    assert opened.config.leaky["test"]["value"] == pytest.approx(1 / 11)
    assert opened.config.leaky["val"]["value"] == 0
    again = gonogo_json(*words, "--resume", run=in_process)
    assert again["leaky"] == opened.config.leaky
    # Whoever evaluates it is told again, and so is whoever holds its gauge.
    shown = in_process("eval", run)
    assert "(leaky)" in shown.stdout
    assert "leak: 1 of these 11 photos" in shown.stderr
    assert json.loads((run / "eval-test" / "metrics.json").read_text())["leaky"] == opened.config.leaky
    exported = in_process("export", run, "-o", tmp_path / "gauge")
    assert "note: leaky: this gauge comes from a split that leaks" in exported.stderr
    timed = gonogo_json("bench", tmp_path / "gauge", "--repeats", 1, run=in_process)
    assert timed["leaky"] == opened.config.leaky
    evaluated = gonogo_json("eval", tmp_path / "gauge", leaky_plates / "test", "-o", tmp_path / "eval", run=in_process)
    assert evaluated["leaky"]["test"]["value"] == pytest.approx(1 / 11)
    assert evaluated["seen_photos"] == 1


def test_a_run_without_a_leak_says_null(run_folder: Path):
    run = Run.open(run_folder)
    assert run.metrics["leaky"] is run.config.leaky is None
    assert "leaky" not in (run_folder / "run.toml").read_text().replace("allow_leaks", "")


def test_photos_that_it_was_trained_on_are_counted_wherever_they_come_from(
    run_folder: Path, gauge_folder: Path, plates: Path, tmp_path: Path
):
    used = [sample for sample in Run.open(run_folder).manifest().samples if sample.split != "test"]
    write_plates(tmp_path / "new", 5, seed=77)
    shutil.copy(plates / used[0].path, tmp_path / "new" / used[0].label / "old.png")
    for number, subject in enumerate((run_folder, gauge_folder)):
        done = in_process("eval", subject, tmp_path / "new", "-o", tmp_path / f"eval{number}", "--json")
        document = json.loads(done.stdout)
        assert document["seen_photos"] == 1
        assert document["leaky"]["data"]["value"] == pytest.approx(1 / 11)
        assert "leak: 1 of these 11 photos are byte for byte among those" in done.stderr
        assert "(leaky)" in done.stderr
    (tmp_path / "new" / used[0].label / "old.png").unlink()
    clean = gonogo_json("eval", gauge_folder, tmp_path / "new", "-o", tmp_path / "eval2", run=in_process)
    assert (clean["seen_photos"], clean["leaky"]) == (0, None)


def test_the_names_of_a_file_join_with_the_rest(tmp_path: Path):
    photos = write_plates(tmp_path / "photos", 10)
    rows = [f"{label}/{n:02d}.png,{label}{n // 2}" for label in ("ok", "defect") for n in range(10)]
    (tmp_path / "groups.csv").write_text("\n".join(["path,group", *rows]) + "\n")
    manifest = prepare(photos, DataOptions(groups=str(tmp_path / "groups.csv"))).manifest
    assert len({sample.group for sample in manifest.samples}) == 10
    for sample in manifest.samples:
        assert sample.group == f"{sample.label}{int(Path(sample.path).stem) // 2}"
    run = train(
        TrainRequest(
            photos,
            tmp_path / "run",
            recipe={"epochs": 1, "batch_size": 8},
            options=DataOptions(groups=str(tmp_path / "groups.csv")),
        )
    )
    assert run.metrics["val"]["accuracy"]["unit"] == "parts"
    assert Run.open(run.path).manifest().has_groups
