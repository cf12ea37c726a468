"""The page of a study in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.helpers_answers import line_answered
from tests.helpers_pages import POOR_CONTRAST, visit

from gonogo.report.study import Chapter, StudyPage, StudyTable, write_study_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BAD = "<script>window.hacked = 1</script> & \"bad\" <img src=x onerror='window.hacked = 1'>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "study.html"
    rows = ((BAD, "-", "4,010,110", "57.1"), ("stump, cut 7", "-", "76,354", "needs its weights, --weights FILE"))
    table = StudyTable(("network", "published", "parameters", "ms"), rows)
    chapters = (Chapter(BAD, "No.", (BAD, "Another reason."), table), Chapter("Another question?", "Yes.", ()))
    content = StudyPage(
        "sealant", BAD, "These data cannot tell them apart.", table, (BAD,), chapters, line_answered(), (BAD,)
    )
    write_study_page(path, content)
    return path


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (390, "dark"), (1280, "light"), (1920, "dark")])
def test_a_study_can_be_read_everywhere(browser: Browser, page: Path, width: int, scheme: str):
    with visit(browser, page, width=width, color_scheme=scheme) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") == width
        assert seen.page.evaluate(POOR_CONTRAST, 4.5) == []
        assert (seen.requests, seen.errors) == ([], [])
        assert seen.page.evaluate("window.hacked") is None
        assert seen.page.locator("table").count() == 2
        assert seen.page.locator("h2").all_text_contents()[:3] == ["Networks", BAD, "Another question?"]
        assert seen.page.locator(".chart > svg").count() >= 2
