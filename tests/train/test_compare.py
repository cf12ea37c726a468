"""Comparing ways to train: whole parts held out, what is kept for going on, what is refused."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from gonogo.data.formats import read_dataset
from gonogo.errors import DataError, UsageError
from gonogo.train.candidates import Candidate, Entrant, candidates_for
from gonogo.train.compare import Compared, CompareRequest, compare, plan_comparison
from gonogo.train.folds import Course
from gonogo.train.imbalance import REMEDIES
from gonogo.train.jobs import Training, train_all
from gonogo.train.loop import Step
from gonogo.train.prepare import DataOptions
from tests.helpers import tree, write_kinds, write_photos
from tests.helpers_weights import write_weights

QUICK = {"epochs": 2, "batch_size": 8, "seed": 0}
BY_NAME = DataOptions(group_by="2", find_copies=False)


def ways(*remedies: str, **recipe: object) -> tuple[Candidate, ...]:
    return candidates_for("taper", ",".join(remedies), recipe=QUICK | recipe)


@pytest.fixture(scope="module")
def compared(plates: Path, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """Two remedies on three folds of parts with two photos of either class each."""
    out = tmp_path_factory.mktemp("compared") / "out"
    return compare(CompareRequest(plates, ways("none", "focal"), out, folds=3, options=BY_NAME))


def folder_of(compared: Compared) -> Path:
    assert compared.plan.request.out is not None
    return compared.plan.request.out


def test_every_photo_is_held_out_once_with_its_part(compared: Compared):
    plan = compared.plan
    assert plan.folds.shape == (1, 60)
    folds: dict[str, set[int]] = {}
    for sample, fold in zip(plan.prepared.manifest.samples, plan.folds[0].tolist(), strict=True):
        folds.setdefault(sample.group, set()).add(fold)
    assert len(folds) == 15
    assert {len(own) for own in folds.values()} == {1}
    assert np.bincount(plan.folds[0]).tolist() == [20, 20, 20]


def test_the_fold_held_out_plays_no_part_in_the_training(compared: Compared, tmp_path: Path):
    plan = compared.plan
    course = Course(plan.prepared, plan.folds, tmp_path)
    first = course.run(plan.entrants[0], 0, 1)
    # Other pixels in the fold held out: the other answers change with them, the network does not.
    pixels = plan.prepared.pixels.copy()
    held_out = np.flatnonzero(plan.folds[0] == 1)
    pixels[held_out[0]] = 255 - pixels[held_out[0]]
    altered = Course(replace(plan.prepared, pixels=pixels), plan.folds, tmp_path / "b")
    second = altered.run(plan.entrants[0], 0, 1)
    assert np.array_equal(first[1:], second[1:])
    assert not np.array_equal(first[0], second[0])


def test_what_is_written(compared: Compared):
    folder = folder_of(compared)
    names = {path.name for path in folder.iterdir()}
    assert names == {"compare.toml", "compare.json", "ranking.csv", "answers.parquet", "answers"}
    assert len(list((folder / "answers").iterdir())) == 6
    document = json.loads((folder / "compare.json").read_text())
    assert document == json.loads(json.dumps(compared.to_json()))
    assert (document["by"], document["baseline"], document["parts"]) == ("auc", "none", {"good": 15, "defective": 15})
    assert {row["name"] for row in document["rows"]} == {"none", "focal"}
    assert document["rows"][0]["params"] > 5000
    rows = (folder / "ranking.csv").read_text().splitlines()
    assert rows[0].startswith("rank,name,arch,imbalance,params,auc,auc_low,auc_high,balanced_accuracy,")
    assert rows[1].startswith(f"1,{document['rows'][0]['name']},taper,")
    table = pq.read_table(folder / "answers.parquet").to_pydict()
    assert len(table["path"]) == 120
    assert set(table) == {"candidate", "round", "fold", "path", "label", "group", "prob_defect", "prob_ok"}
    assert np.allclose(np.array(table["prob_defect"]) + np.array(table["prob_ok"]), 1)


@pytest.mark.slow
def test_it_goes_on_where_it_stopped_to_the_same_bits(compared: Compared, plates: Path, tmp_path: Path):
    out = tmp_path / "out"
    asked = CompareRequest(plates, ways("none", "focal"), out, folds=3, options=BY_NAME)
    stopped = 0

    def stop(step: Step) -> None:
        nonlocal stopped
        stopped += step.row is not None
        if stopped == 7:  # in the fourth training, after its first epoch
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(asked, report=stop)
    assert len(list((out / "answers").glob("*.npy"))) == 3
    assert len(list((out / "answers").glob("*.safetensors"))) == 1
    before = {path: path.stat().st_mtime_ns for path in (out / "answers").glob("*.npy")}
    epochs: list[int] = []
    again = compare(replace(asked, resume=True), report=lambda step: epochs.append(step.epoch) if step.row else None)
    assert epochs == [2, 1, 2, 1, 2]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    whole = tree(folder_of(compared))
    for name in ("ranking.csv", "answers.parquet"):
        assert tree(out)[name] == whole[name]
    assert again.comparison == compared.comparison


@pytest.mark.slow
def test_another_candidate_is_trained_alone_and_other_settings_are_not_mixed_up(
    compared: Compared, plates: Path, tmp_path: Path
):
    out, names = tmp_path / "out", []
    asked = CompareRequest(plates, ways("none", "focal"), out, folds=3, options=BY_NAME)
    compare(asked)
    more = replace(asked, candidates=ways("none", "focal", "oversample"), resume=True)
    compare(more, ended=lambda job: names.append(job.name) if job.seconds else None)
    assert names == [f"oversample, fold {fold} of 3" for fold in (1, 2, 3)]
    names.clear()
    compare(
        replace(asked, candidates=ways("none", "focal", lr=0.001), resume=True),
        ended=lambda job: names.append(job.name) if job.seconds else None,
    )
    assert len(names) == 6


def test_rounds_have_other_folds_and_other_seeds(plates: Path):
    found = compare(CompareRequest(plates, ways("none", "focal", epochs=1), folds=2, repeats=2, options=BY_NAME))
    first, second = found.plan.folds
    assert not np.array_equal(first, second)
    assert found.comparison.rounds == 2
    assert "in 2 rounds of folds and seeds" in found.sentences[-1]


def test_a_test_set_that_came_with_the_data_stays_out(tmp_path: Path):
    for split in ("train", "test"):
        write_photos(tmp_path / split, {"ok": 6, "defect": 6}, first_seed=100 if split == "test" else 0)
    asked = CompareRequest(tmp_path, ways("none", "focal"), folds=2, options=DataOptions(find_copies=False))
    notes: list[str] = []
    plan = plan_comparison(asked, note=notes.append)
    assert {sample.path.split("/")[0] for sample in plan.prepared.manifest.samples} == {"train"}
    assert "the 12 photos of the test set play no part; --resplit takes them too" in notes
    both = plan_comparison(replace(asked, options=DataOptions(find_copies=False, resplit=True)))
    assert len(both.prepared.manifest) == 24


@pytest.mark.slow
def test_architectures_are_compared_on_real_castings_with_the_same_core(real_data: Path, tmp_path: Path):
    whole = read_dataset(real_data / "casting")
    rng = np.random.default_rng(0)
    chosen = set(np.concatenate([rng.permutation(np.flatnonzero(whole.labels == k))[:100] for k in range(2)]).tolist())
    (tmp_path / "photos").symlink_to(whole.root, target_is_directory=True)
    samples = tuple(
        replace(s, path=f"photos/{s.path}", split="") for place, s in enumerate(whole.samples) if place in chosen
    )
    replace(whole, root=tmp_path, samples=samples).write(tmp_path / "castings.csv")
    weights = real_data / "weights" / "mobilenet_v2_imagenet_qat_dequant_w16.pth"
    found = candidates_for("taper,stump", "none", recipe=QUICK, weights=weights)
    assert [(own.name, own.weights) for own in found] == [("taper", None), ("stump", weights)]
    result = compare(CompareRequest(tmp_path / "castings.csv", found, folds=3))
    # Copies were found, so that no part stands on two sides; two epochs teach a taper nothing.
    assert result.comparison.parts["good"] < 20
    assert result.comparison.standings[0].name == "stump"
    assert result.comparison.standings[0].figures["auc"].value > 0.9  # type: ignore[operator]
    assert {row["name"]: row["params"] for row in result.to_json()["rows"]} == {"taper": 6014, "stump": 80770}


def test_kinds_without_a_good_one_are_ranked_too(tmp_path: Path):
    data = write_kinds(tmp_path / "kinds", 8)
    asked = CompareRequest(data, ways("none", "class-weights"), folds=2, options=DataOptions(find_copies=False))
    found = compare(asked)
    assert set(found.comparison.standings[0].figures) == {"auc", "balanced_accuracy"}
    assert found.comparison.parts == {"hole": 8, "plain sheet": 8, "speckle": 8}


def test_all_remedies_and_their_names():
    assert [own.name for own in candidates_for("taper", "all")] == list(REMEDIES)
    both = candidates_for("taper,taper-study", "none,focal")
    assert [own.name for own in both] == ["taper, none", "taper, focal", "taper-study, none", "taper-study, focal"]


@pytest.mark.parametrize(
    ("archs", "imbalance", "options", "message"),
    [
        ("taper", "none,focla", {}, "did you mean 'focal'"),
        ("tapper", "all", {}, "unknown --arch 'tapper'; did you mean 'taper'"),
        ("taper", "none,all", {}, "'all' stands alone"),
        ("taper", "none,focal,none", {}, "names 'none' twice"),
        ("taper", ",", {}, "--imbalance is empty"),
        ("taper", "all", {"recipe": {"imbalance": "focal"}}, "expected them in --imbalance"),
        ("taper,stump", "none", {"arch_options": {"cut": 4}}, "give one --arch with it"),
        ("taper", "all", {"weights": Path("some.pth")}, "leave --weights out"),
    ],
)
def test_names_that_do_not_fit_are_refused(archs: str, imbalance: str, options: dict, message: str):
    with pytest.raises(UsageError, match=message):
        candidates_for(archs, imbalance, **options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keep": "best"}, "compare needs an epoch that is fixed beforehand"),
        ({"schedule": "plateau"}, "add --set schedule=one-cycle"),
    ],
)
def test_a_recipe_that_looks_at_the_fold_held_out_is_refused(changes: dict, message: str):
    with pytest.raises(UsageError, match=message):
        Entrant.of(ways("none", **changes)[0])


def test_a_remedy_that_would_change_nothing_is_refused(tmp_path: Path):
    candidates = candidates_for("stump", "focal", weights=write_weights(tmp_path / "some.pth"))
    with pytest.raises(UsageError, match="--imbalance focal changes nothing"):
        Entrant.of(candidates[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds": 1}, "found --folds 1, expected 2 to 100"),
        ({"repeats": 0}, "found --repeats 0, expected 1 to 100"),
        ({"candidates": ways("none")}, "expected two or more to compare"),
        (
            {"decision": {"cost_escape": "-1", "cost_overkill": "3"}},
            "--cost-escape is -1, expected a cost of 0 or more",
        ),
        ({"by": "cost"}, "give --cost-escape and --cost-overkill"),
        ({"resume": True}, "holds no comparison to resume"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_a_photo_is_read(changes: dict, message: str, tmp_path: Path):
    asked = CompareRequest(tmp_path / "nowhere", ways("none", "focal"), tmp_path / "out")
    with pytest.raises(UsageError, match=message):
        compare(replace(asked, **changes))
    assert not (tmp_path / "out").exists()


def test_too_few_parts_for_the_folds_are_counted(tmp_path: Path):
    data = write_photos(tmp_path / "photos", {"ok": 9, "defect": 3})
    with pytest.raises(DataError, match=r"class 'defect' has 3 distinct parts to share out, .* each of 5 folds"):
        compare(CompareRequest(data, ways("none", "focal"), options=DataOptions(find_copies=False)))


@pytest.mark.slow
def test_processes_answer_as_one_does(compared: Compared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gonogo.train.jobs.WORTH_S", 0.0)
    plan = compared.plan
    course = Course(plan.prepared, plan.folds, tmp_path)
    trainings = [Training(entrant, 0, fold) for entrant in plan.entrants for fold in range(2)]
    outcomes = list(train_all(course, trainings))
    assert {outcome.seconds > 0 for outcome in outcomes} == {True}
    for training, outcome in zip(trainings, outcomes, strict=True):
        before = compared.answers[training.entrant.name][0, plan.folds[0] == training.fold]
        assert np.array_equal(outcome.answers, before)
    assert [outcome.seconds for outcome in train_all(course, trainings)] == [0.0] * 4


@pytest.mark.slow
def test_a_training_that_fails_in_a_process_is_told(
    compared: Compared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gonogo.train.jobs.WORTH_S", 0.0)
    plan = compared.plan
    fine = plan.entrants[0]
    wrong = replace(fine, arch_options={"widths": [8]})
    trainings = [Training(fine, 0, 0), Training(wrong, 0, 1), Training(fine, 0, 2)]
    with pytest.raises(UsageError, match="kernels has 4 values, expected 1"):
        list(train_all(Course(plan.prepared, plan.folds, tmp_path), trainings))


def test_pixels_of_a_file_travel_by_its_name(compared: Compared):
    prepared = compared.plan.prepared
    packed = pickle.dumps(prepared)
    assert len(packed) < prepared.pixels.nbytes / 2
    again = pickle.loads(packed)  # noqa: S301  # our own
    assert np.array_equal(again.pixels, prepared.pixels)
    part = replace(prepared, pixels=prepared.pixels[3:5])
    unpacked = pickle.loads(pickle.dumps(part))  # noqa: S301  # our own
    assert np.array_equal(unpacked.pixels, prepared.pixels[3:5])


@pytest.mark.slow
def test_frozen_features_are_computed_once_for_all_folds(
    compared: Compared, empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    plan = compared.plan
    (candidate,) = candidates_for("stump", "none", recipe=QUICK, weights=write_weights(tmp_path / "some.pth"))
    entrant = Entrant.of(replace(candidate, arch_options={"cut": 2}))
    course = Course(plan.prepared, plan.folds, tmp_path / "kept")
    found = [course.run(entrant, 0, fold) for fold in range(3)]
    kept = sorted((empty_cache / "features").iterdir())
    assert len(kept) == 3
    # Every photo's answer is that of a network whose features were computed all at once.
    monkeypatch.setattr(Course, "_shares", np.zeros(60, dtype=np.int64))
    again = Course(plan.prepared, plan.folds, tmp_path / "again")
    for fold, answers in enumerate(found):
        assert np.allclose(again.run(entrant, 0, fold), answers, atol=1e-5)
