"""``gonogo advise`` from photos to a recipe that ``gonogo train`` takes, its page in a browser, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gonogo.advise.advise import AdviseRequest
from gonogo.config import read_toml
from gonogo.errors import UsageError
from gonogo.train.augment import AUGMENTATIONS
from gonogo.train.recipe import resolve_recipe
from tests.helpers import gonogo, in_process, one_error_line, write_plates
from tests.helpers_pages import POOR_CONTRAST, visit
from tests.helpers_traps import leaning, write_trap

if TYPE_CHECKING:
    from playwright.sync_api import Browser

QUICK = (
    "--group-by",
    r"(\d+)_",
    "--no-find-copies",
    "--folds",
    "2",
    "--rounds",
    "1",
    "--epochs",
    "2",
    "--minutes",
    "1",
)


@pytest.fixture(scope="module")
def advised(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("advise")
    write_trap(folder / "<b>photos", leaning, parts=20)
    done = gonogo("advise", folder / "<b>photos", *QUICK, "-o", folder / "out", "--json")
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_the_answer_names_what_takes_the_label_away(advised: tuple[Path, dict[str, Any]]):
    folder, document = advised
    answers = {row["name"]: row["answer"] for row in document["advice"]}
    assert list(answers) == list(AUGMENTATIONS)
    assert {name for name, answer in answers.items() if answer == "refuse"} == {"hflip", "vflip", "rotate"}
    assert document["judge_auc"]["value"] > 0.99
    assert len(document["two_by_two"]) == 8
    assert {row["split"] for row in document["two_by_two"]} == {
        "photos split without a look at parts",
        "whole parts held out",
    }
    assert json.loads((folder / "out" / "advice.json").read_text())["advice"] == document["advice"]


def test_the_recipe_is_one_that_train_takes(advised: tuple[Path, dict[str, Any]]):
    folder, document = advised
    values = read_toml(folder / "out" / "recipe.toml")
    assert values == document["recipe"]
    recipe = resolve_recipe(values)
    assert (recipe.hflip, recipe.vflip, recipe.rotate_degrees) == (False, False, 0.0)
    assert set(values) == {AUGMENTATIONS.get(name).key for name in AUGMENTATIONS}
    options = ("--group-by", r"(\d+)_", "--no-find-copies", "--recipe", folder / "out" / "recipe.toml", "--dry-run")
    done = gonogo("train", folder / "<b>photos", *options, "-o", folder / "run")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (390, "dark"), (1280, "light"), (1920, "dark")])
def test_the_page_can_be_read_everywhere(
    browser: Browser, advised: tuple[Path, dict[str, Any]], width: int, scheme: str
):
    folder, document = advised
    with visit(browser, folder / "out" / "advice.html", width=width, color_scheme=scheme) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") == width
        assert seen.page.evaluate(POOR_CONTRAST, 4.5) == []
        assert (seen.requests, seen.errors) == ([], [])
        assert seen.page.locator("h1").text_content() == "<b>photos"
        names = seen.page.locator(".augmentation h3").all_text_contents()
        assert len(names) == len(AUGMENTATIONS)
        rank = {"use": 0, "refuse": 1, "no evidence": 2}
        rows = sorted(document["advice"], key=lambda row: rank[row["answer"]])
        assert names == [f"{row['name']} {row['verdict']}" for row in rows]
        assert seen.page.locator(".chart > svg").count() == 2
        assert seen.page.locator(".whisker.against").count() >= 4  # both mirrors, two turns
        assert seen.page.locator("table tbody tr").count() == 4
        widths = seen.page.locator(".strip img").evaluate_all("own => own.map(image => image.naturalWidth)")
        assert set(widths) == {64}


def test_one_class_alone_is_refused_in_one_line(tmp_path: Path):
    write_plates(tmp_path / "photos", 6)
    for path in (tmp_path / "photos" / "defect").iterdir():
        path.unlink()
    (tmp_path / "photos" / "defect").rmdir()
    line = one_error_line(in_process("advise", tmp_path / "photos", "-o", tmp_path / "out"))
    assert "only one class" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--folds", "9"), "expected at least one for each of 9 folds"),
        (("--good", "okay"), "did you mean"),
        (("--reduce", "5"), "12x12 pixels are too few to advise on, expected 16 or more"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tmp_path: Path, options: tuple[str, str], said: str):
    write_plates(tmp_path / "photos", 6)
    line = one_error_line(
        in_process("advise", tmp_path / "photos", *options, "--no-find-copies", "-o", tmp_path / "out")
    )
    assert said in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"folds": 1}, "found --folds 1, expected 2 or more"),
        ({"minutes": 0.0}, "found --minutes 0, expected 0.01 or more"),
        ({"photos": 3}, "found --look-at 3, expected 20 or more"),
        ({"rounds": 0}, "found --rounds 0, expected 1 or more"),
        ({"epochs": 0}, "found --epochs 0, expected 1 or more"),
        ({"seed": -1}, "found --seed -1, expected 0 or more"),
    ],
)
def test_a_request_says_what_it_cannot_be(values: dict[str, Any], said: str):
    with pytest.raises(UsageError, match=said):
        AdviseRequest(Path("photos"), **values)


def test_a_folder_that_is_there_is_not_overwritten(tmp_path: Path):
    write_plates(tmp_path / "photos", 6)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    one_error_line(in_process("advise", tmp_path / "photos", "-o", tmp_path / "out", "--force"))
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"
