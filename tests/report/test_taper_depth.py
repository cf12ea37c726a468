"""The page of the depth of tapering: where marks lie, by hand, and how it reads in a real browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gonogo.compress.taper_depth import PAGE_NAME, TaperDepth, TaperDepthRequest, find_taper_depth
from gonogo.compress.taper_limit import find_limit
from gonogo.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from gonogo.report.taper_depth import curve, differences, silhouette, write_taper_depth_page
from gonogo.train.prepare import DataOptions
from tests import helpers_tapers
from tests.helpers_pages import POOR_CONTRAST, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROWS = helpers_tapers.curve([0.97, 0.98, 0.975, 0.93], 0.02)


def test_the_curve_by_hand():
    drawn = curve(ROWS, find_limit(ROWS, "auc"), "auc")
    assert [tick.text for tick in drawn.x_ticks] == ["0", "1", "2", "3"]
    # The lowest end is .91, so that the axis begins at .9.
    assert [tick.text for tick in drawn.y_ticks] == ["0.90", "0.92", "0.94", "0.96", "0.98", "1.00"]
    assert [mark.style for mark in drawn.marks] == ["curve", "point", "curve", "against"]
    assert drawn.marks[1].y == pytest.approx(TOP + 0.2 * (HEIGHT - TOP - BOTTOM), abs=0.1)
    assert [mark.x for mark in drawn.marks] == [tick.at for tick in drawn.x_ticks]
    assert LEFT < drawn.marks[0].x < drawn.marks[-1].x < WIDTH - RIGHT
    fall = next(line for line in drawn.lines if line.style == "limit")
    assert float(fall.path[1:].split()[0]) == pytest.approx((drawn.marks[2].x + drawn.marks[3].x) / 2, abs=0.1)
    labels = [own.label for _, own in drawn.legend]
    assert labels.count("not shown to be worse") == 1


def test_what_is_lacking_by_hand():
    drawn = differences(ROWS, "auc")
    # From -.07 to .015: an axis from -.1 to .02.
    minus = "\N{MINUS SIGN}"
    assert [tick.text for tick in drawn.y_ticks] == [f"{minus}0.{n:02d}" for n in (10, 8, 6, 4, 2)] + ["0.00", "0.02"]
    assert drawn.marks[1].along is None
    below = drawn.marks[3].along
    assert below is not None
    tall = HEIGHT - TOP - BOTTOM
    assert below == (pytest.approx(TOP + tall * 0.09 / 0.12, abs=0.1), pytest.approx(TOP + tall * 0.05 / 0.12, abs=0.1))


def test_few_steps_of_an_axis_keep_their_digits():
    rows = helpers_tapers.curve([0.999, 0.998], 0.001)
    ticks = [tick.text for tick in curve(rows, find_limit(rows, "auc"), "auc").y_ticks]
    assert ticks == ["0.990", "0.992", "0.994", "0.996", "0.998", "1.000"]


def test_a_silhouette_by_hand():
    drawn = silhouette((16, 8, 1), 16)
    assert drawn.path == "M0 0h9v26h-9zM11 6.5h9v13h-9zM22 12.2h9v1.6h-9z"
    assert (drawn.width, drawn.height) == (31, 26)


@pytest.fixture(scope="module")
def found(plates: Path, tmp_path_factory: pytest.TempPathFactory) -> TaperDepth:
    """A curve that falls, on top of a small real comparison."""
    options = DataOptions(group_by="2", find_copies=False)
    out, recipe = tmp_path_factory.mktemp("tapered") / "out", {"epochs": 1, "batch_size": 8}
    request = TaperDepthRequest(plates, out, depths=(0, 2), folds=2, repeats=1, recipe=recipe, options=options)
    limit = find_limit(ROWS, "auc")
    return replace(find_taper_depth(request), rows=ROWS, limit=limit)


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (390, "dark"), (1280, "light"), (1920, "dark")])
def test_the_page_can_be_read_everywhere(browser: Browser, found: TaperDepth, width: int, scheme: str):
    path = found.request.out / PAGE_NAME
    write_taper_depth_page(path, found)
    with visit(browser, path, width=width, color_scheme=scheme) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") == width
        assert seen.page.evaluate(POOR_CONTRAST, 4.5) == []
        assert (seen.requests, seen.errors) == ([], [])
        assert "may taper to depth 2" in seen.page.locator(".verdict").inner_text()
        assert seen.page.locator(".tapers tbody tr").count() == 4
        assert seen.page.locator(".tapers .worse").count() == 1
        assert seen.page.locator(".chart > svg").count() == 2
        assert seen.page.locator(".facts dd").all_text_contents()[:2] == ["2", "3"]
