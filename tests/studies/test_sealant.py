"""The study of few, large and imbalanced photos: costs, weights at hand, questions answered, files written."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from gonogo.data.geometry import Geometry
from gonogo.data.synthetic import write_castings
from gonogo.data.task import Task
from gonogo.errors import DataError, UsageError
from gonogo.studies import STUDIES, published
from gonogo.studies.contenders import costs, find_weights
from gonogo.studies.request import StudyRequest
from gonogo.studies.sealant import CONTENDERS, EFFICIENTNET, VIT, study
from gonogo.train.prepare import DataOptions

SCRATCH, CUT_4, CUT_7 = "taper, from scratch", "stump, cut 4", "stump, cut 7"


def by_name(*names: str):
    return tuple(contender for contender in CONTENDERS if contender.name in names)


def test_published_figures_are_those_of_the_study():
    assert STUDIES.get("sealant") is study
    row = published("sealant")["efficientnet_b0"]
    assert (row["params"], row["params_trainable"], row["macs"]) == (4_010_110, 2_562, 16.16e9)


@pytest.mark.slow
def test_costs_are_counted_and_timed(tmp_path: Path):
    geometry = Geometry(160, 120, mean=(127.5,), std=(64.0,))
    found = costs(
        [(contender, geometry) for contender in by_name(CUT_4, SCRATCH)], Task(("bad", "ok"), "ok"), tmp_path, repeats=3
    )
    assert found[CUT_4].params_trainable == 194
    assert found[SCRATCH].params == found[SCRATCH].params_trainable == 5_910
    assert found[CUT_4].macs > 3 * found[SCRATCH].macs
    assert all(cost.milliseconds > 0 and cost.input_size == (160, 120) for cost in found.values())


@pytest.mark.slow
def test_a_network_without_weights_shows_its_cost_alone(backbone: Path, tmp_path: Path):
    write_castings(tmp_path / "set", parts=24, views=1, size=120, difficulty=0.0, seed=2)
    options, only = DataOptions(reduce=1), (EFFICIENTNET, CUT_4, SCRATCH)
    found = study(StudyRequest(tmp_path / "set", tmp_path / "out", (backbone,), options, only, folds=2, quick=True))
    row = found["rows"][0]
    assert row["published"]["params"] == row["ours"]["params"] == 4_010_110
    assert row["ours"]["params_trainable"] == 2_562
    assert row["ours"]["figures"] == {}
    assert "needs its pretrained weights" in row["ours"]["why"]


def test_a_network_of_one_size_sees_that_size():
    (vit,) = by_name(VIT)
    assert vit.geometry(Geometry(1239, 500, reduce=2)).input_size == (224, 224)


@pytest.fixture
def backbone(real_data: Path) -> Path:
    return next((real_data / "weights").glob("mobilenet_v2*.pth"))


@pytest.mark.slow
def test_weights_are_found_by_what_they_fit(backbone: Path, tmp_path: Path):
    found = find_weights(CONTENDERS, [backbone.parent])
    assert set(found.values()) == {backbone}
    assert set(found) == {"MobileNetV2, frozen", "stump, cut 12", CUT_7, CUT_4}
    with pytest.raises(UsageError, match="holds the weights of none of"):
        find_weights(by_name(EFFICIENTNET), [backbone])
    with pytest.raises(DataError, match="no such weights"):
        find_weights(CONTENDERS, [tmp_path / "gone"])


@pytest.mark.slow
def test_a_study_answers_and_leaves_page_table_and_document(backbone: Path, tmp_path: Path):
    write_castings(tmp_path / "set", parts=24, views=2, size=120, difficulty=0.0, seed=2)
    request = StudyRequest(
        tmp_path / "set",
        tmp_path / "out",
        (backbone,),
        DataOptions(reduce=1),
        only=(CUT_7, CUT_4, SCRATCH),
        folds=3,
        quick=True,
    )
    found = study(request)
    rows = {row["model"]: row for row in found["rows"]}
    assert list(rows) == [CUT_7, CUT_4, SCRATCH]
    for name in (CUT_7, CUT_4, SCRATCH):
        area = rows[name]["ours"]["figures"]["auc"]
        assert 0 <= area["low"] <= area["value"] <= area["high"] <= 1
        assert rows[name]["ours"]["why"] == ""
    assert [q["question"] for q in found["questions"]] == [
        "Is the ROC curve real?",
        "Does accuracy hide the imbalance?",
        "Undersample or oversample?",
    ]
    assert {row["name"] for row in found["imbalance"]["rows"]} == {"none", "oversample"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"study.csv", "study.json", "study.html"}
    document = json.loads((tmp_path / "out" / "study.json").read_text())
    assert document["rows"] == json.loads(json.dumps(found["rows"]))
    with (tmp_path / "out" / "study.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["model"] for row in table] == list(rows)
    assert float(table[0]["auc"]) == rows[CUT_7]["ours"]["figures"]["auc"]["value"]
    page = (tmp_path / "out" / "study.html").read_text()
    assert "Undersample or oversample?" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_what_cannot_be_studied_is_refused_before_anything_is_written(tmp_path: Path):
    write_castings(tmp_path / "set", parts=6, views=1, size=80, seed=2)
    request = StudyRequest(tmp_path / "set", tmp_path / "out", only=("stumps",))
    with pytest.raises(UsageError, match="unknown --only 'stumps'"):
        study(request)
    with pytest.raises(UsageError, match="found 1 network that can be trained here"):
        study(StudyRequest(tmp_path / "set", tmp_path / "out", only=(SCRATCH,), options=DataOptions(reduce=1)))
    for kind in ("a", "b", "c"):
        (tmp_path / "kinds" / kind).mkdir(parents=True)
        for number in range(4):
            Image.effect_noise((64, 64), 20 + 9 * number).save(tmp_path / "kinds" / kind / f"{number}.png")
    with pytest.raises(UsageError, match="has no good class"):
        study(StudyRequest(tmp_path / "kinds", tmp_path / "out"))
    assert not (tmp_path / "out").exists()
