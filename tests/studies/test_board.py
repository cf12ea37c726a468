"""Studies on two divisions: what is leaky and what is not, costs kept, going on, time limits, the page."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.helpers_pages import POOR_CONTRAST, visit

from gonogo.data.synthetic import write_castings
from gonogo.errors import UsageError
from gonogo.models import ARCHITECTURES
from gonogo.models.surgery import SURGERIES
from gonogo.studies import STUDIES, published
from gonogo.studies.board import Board, Entry
from gonogo.studies.casting import CASTING
from gonogo.studies.contenders import Contender
from gonogo.studies.request import StudyRequest
from gonogo.studies.run_board import run_board
from gonogo.studies.sheet import SHEET
from gonogo.studies.two_splits import HONEST, PUBLISHED, TESTED, TwoSplits
from gonogo.train.candidates import Entrant
from gonogo.train.prepare import DataOptions, read_photos
from gonogo.train.recipe import resolve_recipe

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PARTS, VIEWS = 24, 3
OPTIONS = DataOptions(group_by=r"(\d+)_view", find_copies=False)
BRIEF: dict[str, Any] = {"epochs": 2, "schedule": "cosine"}
BOARD = Board(
    study="casting",
    first="tapering network",
    folds=3,
    test=0.2,
    entries=(
        Entry(Contender("tapering network", "taper-study", published="taper", recipe=BRIEF), {"reduce": 1}, quick=True),
        Entry(Contender("too heavy", "taper-wide", {}, "resnet50"), {"reduce": 1}, heavy=True),
        Entry(Contender("taper, 6k", "taper", recipe=BRIEF), {"reduce": 1}, quick=True),
        Entry(Contender("stump", "stump", {"cut": 4}), {"size": (48,)}, quick=True),
    ),
)


@pytest.fixture(scope="module")
def castings_twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board") / "castings"
    write_castings(folder, parts=PARTS, views=VIEWS, size=100, difficulty=0.0, seed=4)
    return folder


@pytest.fixture(scope="module")
def studied(castings_twice: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[str]]:
    out, ended = tmp_path_factory.mktemp("studied") / "out", list[str]()
    request = StudyRequest(castings_twice, out, options=OPTIONS)
    found = run_board(BOARD, request, ended=lambda job: ended.append(f"{job.done}/{job.total} {job.name}"))
    return out, found, ended


def of(found: dict[str, Any], model: str, split: str) -> dict[str, Any]:
    (row,) = [row for row in found["rows"] if (row["model"], row["split"]) == (model, split)]
    return row


@pytest.mark.parametrize("board", [CASTING, SHEET], ids=lambda board: board.study)
def test_every_row_of_a_board_exists(board: Board):
    told = published(board.study)
    names = [entry.name for entry in board.entries]
    assert len(set(names)) == len(names)
    assert board.first in names
    assert board.study in STUDIES
    rows = {entry.contender.published for entry in board.entries if entry.contender.published}
    assert rows <= set(told)
    # Every published row with an accuracy of its own has a network.
    assert {name for name, row in told.items() if isinstance(row, dict) and "accuracy" in row} == rows
    for entry in board.entries:
        architecture = ARCHITECTURES.get(entry.contender.arch)
        architecture.options(entry.contender.options)
        resolve_recipe(architecture.recipe, entry.contender.recipe)
        assert all(name in SURGERIES for name in entry.contender.surgery)


@pytest.mark.parametrize("board", [CASTING, SHEET], ids=lambda board: board.study)
def test_every_network_has_a_recipe_that_needs_nothing_held_out(board: Board):
    learning = [entry.contender for entry in board.entries if not entry.contender.is_pretrained]
    schedules = {own.name: Entrant.of(own.candidate(None)).recipe.schedule for own in learning}
    assert len(schedules) >= 5
    assert "plateau" not in schedules.values()


def test_one_division_leaks_and_the_other_does_not(castings_twice: Path):
    photos = read_photos(castings_twice, OPTIONS)
    splits = TwoSplits.of(photos, OPTIONS, 3, test=0.2)
    parts = np.array(photos.linked.groups)
    assert len(set(parts)) == PARTS
    assert splits.tested.sum() == np.ceil(0.2 * PARTS * VIEWS)
    assert not splits.is_own
    assert splits.leaked.sum() > 0.7 * splits.tested.sum()
    for fold in range(3):
        inside = splits.folds[HONEST] == fold
        assert not set(parts[inside]) & set(parts[~inside])
    # Drawn by class, photo by photo.
    labels = photos.linked.labels
    assert all(0.1 < splits.tested[labels == k].mean() < 0.3 for k in (0, 1))
    again = TwoSplits.of(photos, OPTIONS, 3, test=0.2)
    assert np.array_equal(splits.folds, again.folds)
    assert np.array_equal(splits.folds[PUBLISHED] == TESTED, splits.tested)


@pytest.mark.slow
def test_published_stands_beside_leak_free(studied: tuple[Path, dict[str, Any], list[str]]):
    out, found, ended = studied
    assert [name.split(" ", 1)[0] for name in ended] == [f"{k}/8" for k in range(1, 9)]
    leaky, honest = (of(found, "tapering network", split) for split in ("published", "leak-free"))
    assert leaky["published"]["accuracy"] == honest["published"]["accuracy"] == 0.9944
    assert honest["ours"]["figures"]["accuracy"]["n"] == PARTS
    assert leaky["ours"]["figures"]["accuracy"]["n"] < PARTS
    for row in (leaky, honest):
        for rate in (row["ours"]["figures"]["accuracy"], row["ours"]["figures"]["auc"]):
            assert 0 <= rate["low"] <= rate["value"] <= rate["high"] <= 1
        assert set(row["ours"]["figures"]["f1"]) == {"ok", "defect"}
    assert honest["ours"]["params"] == 5_801
    heavy = of(found, "too heavy", "leak-free")["ours"]
    assert heavy["figures"] == {}
    assert heavy["why"] == "cost alone: training it takes a GPU, --full"
    assert heavy["macs"] > 0
    stump = of(found, "stump", "published")["ours"]
    assert (stump["figures"], stump["why"]) == (
        {},
        "cost alone: its accuracy needs its pretrained weights, --weights FILE",
    )
    assert "the tapering network is right for" in found["verdict"]
    assert "(published: 99.44 %)" in found["verdict"]
    with (out / "study.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert len(table) == 2 * len(BOARD.entries)
    assert float(table[1]["accuracy"]) == honest["ours"]["figures"]["accuracy"]["value"]
    assert json.loads((out / "study.json").read_text())["rows"] == json.loads(json.dumps(found["rows"]))


@pytest.mark.slow
def test_latency_stands_by_batch_and_by_test_size(studied: tuple[Path, dict[str, Any], list[str]]):
    _, found, _ = studied
    latency = of(found, "taper, 6k", "leak-free")["ours"]["latency"]
    assert set(latency["ms_per_photo_by_batch"]) == {"1", "10", "32", "100"}
    assert set(latency["seconds_by_photos"]) == {"100", "400"}
    assert latency["seconds_by_photos"]["400"] > latency["seconds_by_photos"]["100"] > 0


@pytest.mark.slow
def test_it_goes_on_where_it_stopped(
    studied: tuple[Path, dict[str, Any], list[str]], castings_twice: Path, tmp_path: Path
):
    _, found, _ = studied
    request = StudyRequest(castings_twice, tmp_path / "out", options=OPTIONS)
    short = run_board(BOARD, replace(request, minutes=1e-6, only=("tapering network", "taper, 6k")))
    assert of(short, "taper, 6k", "leak-free")["ours"]["why"] == "not reached in the time given; --resume goes on"
    seconds: list[float] = []
    whole = run_board(BOARD, replace(request, resume=True), ended=lambda job: seconds.append(job.seconds))
    assert seconds[0] == 0.0
    assert min(seconds[1:]) > 0.0
    for name in ("tapering network", "taper, 6k"):
        for split in ("published", "leak-free"):
            assert of(whole, name, split)["ours"]["figures"] == of(found, name, split)["ours"]["figures"]
    # A third time nothing is trained and nothing is timed anew.
    third = run_board(BOARD, replace(request, resume=True), ended=lambda job: seconds.append(job.seconds))
    assert seconds[8:] == [0.0] * 8
    assert third["rows"] == whole["rows"]


def test_what_cannot_be_asked_is_refused_before_anything_is_written(castings_twice: Path, tmp_path: Path):
    ask = partial(StudyRequest, castings_twice, tmp_path / "out", options=OPTIONS)
    for request, line in (
        (ask(only=("tapering",)), "unknown --only 'tapering'; did you mean 'tapering network'"),
        (ask(minutes=0.0), "found --minutes 0, expected more than 0"),
        (ask(full=True, quick=True), "--full and --quick ask for opposites"),
        (ask(full=True), "--full trains every network on a GPU, and there is none here"),
        (ask(resume=True), "holds no study to resume"),
    ):
        with pytest.raises(UsageError, match=line):
            run_board(BOARD, request)
    small = replace(BOARD, entries=(replace(BOARD.entries[0], sees={"reduce": 5}),))
    with pytest.raises(UsageError, match="20x20 pixels are too few for architecture 'taper-study'"):
        run_board(small, ask())
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_the_page_shows_published_against_leak_free_first(
    browser: Browser, studied: tuple[Path, dict[str, Any], list[str]], width: int, scheme: str
):
    out, found, _ = studied
    with visit(browser, out / "study.html", width=width, color_scheme=scheme) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") == width
        assert seen.page.evaluate(POOR_CONTRAST, 4.5) == []
        assert (seen.requests, seen.errors) == ([], [])
        assert seen.page.locator("h2").first.text_content() == "Published against leak-free"
        assert seen.page.locator(".verdict").text_content() == found["verdict"]
        assert seen.page.locator("svg.places").count() == 2
        assert "show a part that is also trained on" in (seen.page.locator(".facts").text_content() or "")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_first_look_at_real_castings(real_data: Path, tmp_path: Path):
    """In two minutes on two free cores; published against leak-free for a stump that really learns."""
    request = StudyRequest(real_data / "casting", tmp_path / "out", (real_data / "weights",), quick=True)
    found = run_board(CASTING, request)
    assert {row["model"] for row in found["rows"]} == {entry.name for entry in CASTING.entries if entry.quick}
    leaky, honest = (of(found, "stump, cut 7", split)["ours"]["figures"] for split in ("published", "leak-free"))
    assert leaky["accuracy"]["value"] > 0.99
    assert honest["accuracy"]["value"] < 0.97
    assert honest["accuracy"]["n"] == 78
    assert any(note.startswith("a first look: 3 of 10 networks") for note in found["notes"])
    assert "420 of 420" in (tmp_path / "out" / "study.html").read_text()
