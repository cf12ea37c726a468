"""The page of an evaluation in a real browser: curves drawn, offline, on a desk, on a phone, on paper, in the dark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gonogo.report.evaluation import write_evaluation_page
from tests.helpers import gonogo_json, in_process, one_error_line, tree
from tests.helpers_answers import line_answered, sorted_answered
from tests.helpers_pages import POOR_CONTRAST, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BAD = "<script>window.hacked = 1</script> & \"bad\" <img src=x onerror='window.hacked = 1'>"
# Texts of one chart that lie over each other, and texts that stick out of their chart.
OVERLAPS = """() => {
  const found = [];
  for (const chart of document.querySelectorAll(".chart > svg")) {
    const frame = chart.getBoundingClientRect();
    const boxes = [...chart.querySelectorAll("text")].map(own => [own.textContent, own.getBoundingClientRect()]);
    for (const [k, [text, a]] of boxes.entries()) {
      if (a.left < frame.left - 1 || a.right > frame.right + 14 || a.bottom > frame.bottom + 1) found.push(text);
      for (const [other, b] of boxes.slice(k + 1))
        if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) found.push([text, other]);
    }
  }
  return found;
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    kinds = ("crack", BAD, "a kind with a rather long name", "dent")
    for name, answered in {
        "line": line_answered(name=BAD, max_escape="5%"),
        "few": line_answered(7),
        "sorting": sorted_answered(kinds, BAD),
    }.items():
        write_evaluation_page(folder / f"{name}.html", answered)
    return {path.stem: path for path in folder.iterdir()}


SIGHTS = [(360, "light"), (390, "dark"), (768, "light"), (1280, "dark"), (1920, "light")]


@pytest.mark.parametrize("name", ["line", "few", "sorting"])
@pytest.mark.parametrize(("width", "scheme"), SIGHTS)
def test_every_page_can_be_read_everywhere(
    browser: Browser, pages: dict[str, Path], name: str, width: int, scheme: str
):
    with visit(browser, pages[name], width=width, color_scheme=scheme) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") == width
        assert seen.page.evaluate(POOR_CONTRAST, 4.5) == []
        assert seen.page.evaluate(OVERLAPS) == []
        assert (seen.requests, seen.errors) == ([], [])
        assert seen.page.evaluate("window.hacked") is None


def test_the_curves_stay_in_their_frames(browser: Browser, pages: dict[str, Path]):
    with visit(browser, pages["line"]) as seen:
        titles = seen.page.locator("h2").all_inner_texts()
        assert titles[:5] == [
            "Is this curve real?",
            "ROC curve",
            "Escape against overkill",
            "Precision and recall",
            "Reliability",
        ]
        outside = seen.page.evaluate(
            """[...document.querySelectorAll(".chart > svg")].flatMap(chart => {
              const box = chart.viewBox.baseVal;
              return [...chart.querySelectorAll(".line, .area, .mark, .whisker")].map(own => own.getBBox())
                .filter(b => b.x < 60 || b.y < 0 || b.x + b.width > box.width || b.y + b.height > box.height - 40);
            }).length"""
        )
        assert outside == 0
        assert seen.page.locator(".chart .line").count() >= 10
        assert seen.page.locator(".answer").inner_text() == "Yes, within its interval."
        assert seen.page.locator("h1").inner_text() == BAD


def test_paper_is_white(browser: Browser, pages: dict[str, Path]):
    with visit(browser, pages["line"], color_scheme="dark") as seen:
        seen.page.emulate_media(media="print", color_scheme="dark")
        assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert seen.page.evaluate(POOR_CONTRAST, 4.5) == []
        assert seen.page.pdf(format="A4").startswith(b"%PDF")


def test_eval_writes_the_page_alone_or_beside_the_rest(
    browser: Browser, run_folder: Path, gauge_folder: Path, plates: Path, tmp_path: Path
):
    out = tmp_path / "new folder" / "page.html"
    for _ in range(2):  # a page that is there is replaced
        alone = gonogo_json("eval", gauge_folder, plates, "-o", out, run=in_process)
    assert [path.name for path in out.parent.iterdir()] == ["page.html"]
    assert (alone["page"], alone["verdicts"], alone["mistakes"]) == (str(out), None, None)
    with visit(browser, out) as seen:
        # The gauge knows the photos that made it: a curve on them shows memory.
        assert seen.page.locator(".answer").inner_text() == "No."
        assert "48 of the 60 photos show a part that is also in training" in seen.page.locator(".reasons").inner_text()
        assert "no temperature is fitted" in seen.page.inner_text("main")
        assert (seen.requests, seen.errors) == ([], [])
    whole = gonogo_json("eval", run_folder, "-o", tmp_path / "eval", run=in_process)
    assert whole["page"] == str(tmp_path / "eval" / "evaluation.html")
    assert set(tree(tmp_path / "eval")) == {"evaluation.html", "metrics.json", "mistakes.png", "verdicts.csv"}
    with visit(browser, Path(whole["page"])) as seen:
        reasons = seen.page.locator(".reasons").inner_text()
        assert "No part of it is in training." in reasons
        assert "no temperature is fitted; a run has them" not in seen.page.inner_text("main")


def test_a_page_that_cannot_be_written_is_found_out_before_the_work(gauge_folder: Path, plates: Path, tmp_path: Path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.html").mkdir()
    for name, words in (("file/page.html", "cannot write"), ("folder.html", "is a folder")):
        assert words in one_error_line(in_process("eval", gauge_folder, plates, "-o", tmp_path / name))
