"""The pruning study: filters ranked, networks rebuilt, deployed and compared; what it cannot do is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers import write_photos
from tests.helpers_pages import visit

from gonogo.errors import UsageError
from gonogo.studies import published
from gonogo.studies.prune import study
from gonogo.studies.request import StudyRequest

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def small_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "photos"
    return write_photos(folder, {"bad": 24, "ok": 24}, size=(32, 32), channels=3)


@pytest.fixture(scope="module")
def studied(small_photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("studied") / "out"
    return out, study(StudyRequest(small_photos, out, only=("ResNet-56",), quick=True))


@pytest.mark.slow
def test_every_row_says_what_it_was_and_what_it_is(studied: tuple[Path, dict[str, Any]]):
    _, document = studied
    assert [row["criterion"] for row in document["rows"]] == ["l1", "random"]
    for row in document["rows"]:
        assert (row["row"], row["model"], row["split"]) == ("prune", "ResNet-56", "published")
        assert row["macs_before"] == 125_747_840 + 64 * 2 - 640  # two classes in the place of ten
        assert row["macs_after"] <= 0.5 * row["macs_before"]
        for name in ("params", "size_bytes", "p50_ms"):
            assert 0 < row[f"{name}_after"] < row[f"{name}_before"]
        assert row["ours"]["figures"]["accuracy"]["value"] == pytest.approx(row["accuracy_after"])
        assert row["published"]["base"] == 93.26


@pytest.mark.slow
def test_a_study_that_is_done_is_done_at_once(studied: tuple[Path, dict[str, Any]], small_photos: Path):
    out, document = studied
    ended: list[Any] = []
    again = study(StudyRequest(small_photos, out, only=("ResNet-56",), quick=True, resume=True), ended=ended.append)
    assert again["rows"] == document["rows"]
    assert json.loads((out / "study.json").read_text(encoding="utf-8"))["rows"] == document["rows"]


@pytest.mark.slow
def test_the_page_shows_both(studied: tuple[Path, dict[str, Any]], browser: Browser):
    out, _ = studied
    with visit(browser, out / "study.html") as seen:
        text = seen.page.inner_text("main")
    assert "ResNet-56" in text
    assert "HRank" in text
    assert (seen.errors, seen.requests) == ([], [])


def test_what_needs_weights_or_a_gpu_says_so(small_photos: Path, tmp_path: Path):
    request = StudyRequest(small_photos, tmp_path / "out", only=("stump, cut 12", "VGG-16"), quick=True)
    document = study(request)
    whys = {row["model"]: row["ours"]["why"] for row in document["rows"]}
    assert "it needs its pretrained weights, --weights FILE" in whys["stump, cut 12"]
    assert "training it takes a GPU, --full" in whys["VGG-16"]
    assert document["verdict"].startswith("No network was pruned")
    assert (tmp_path / "out" / "study.html").is_file()


def test_folds_and_unknown_networks_are_refused(small_photos: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="knows no --folds"):
        study(StudyRequest(small_photos, tmp_path / "out", folds=3))
    with pytest.raises(UsageError, match="unknown --only 'VGG-19'"):
        study(StudyRequest(small_photos, tmp_path / "out", only=("VGG-19",)))
    assert not (tmp_path / "out").exists()


def test_the_published_figures_are_those_of_the_papers():
    told = published("prune")
    assert {name: network["base"] for name, network in told.items()} == {
        "vgg16": 93.96,
        "resnet56": 93.26,
        "densenet40": 94.81,
    }
    rows = {
        (name, row["method"], row["flops_cut"]): row["accuracy"] for name, own in told.items() for row in own["rows"]
    }
    assert rows["resnet56", "HRank", 0.50] == 93.17
    assert rows["vgg16", "L1", 0.34] == 93.40
    assert rows["densenet40", "CORING", 0.53] == 94.20
