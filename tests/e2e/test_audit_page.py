"""The page of an audit in a real browser: whole, offline, on a desk, on a phone, on paper, in the dark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from gonogo.audit.audit import Audit, audit
from gonogo.audit.findings import (
    Findings,
    MapExhibit,
    PairExhibit,
    PhotoExhibit,
    ScatterExhibit,
    TableExhibit,
    mask_of,
)
from gonogo.data.manifest import Manifest, Sample
from gonogo.data.synthetic import render_photo
from gonogo.report.audit import write_audit_page
from gonogo.report.overlay import lay_over
from gonogo.report.pictures import Album
from tests.helpers import gonogo_json, in_process, one_error_line, write_plates
from tests.helpers_copies import make_copy
from tests.helpers_pages import POOR_CONTRAST, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PARTS, COPIED, SIZE = 14, 6, 150
GOOD, BAD = "ok", "<script>window.hacked = 1</script> & \"bad\" <img src=x onerror='window.hacked = 1'>"


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Castings for training, turned, mirrored and relit copies of some of them for the test, and the worst of names."""
    folder = tmp_path_factory.mktemp("leaky")
    rng = np.random.default_rng(5)
    samples = []
    for part in range(PARTS):
        photo = render_photo(part, 0, defective=part % 2 == 1, difficulty=0.1, size=SIZE)[0]
        label = BAD if part % 2 else GOOD
        copies = [("train", photo)] + ([("test", make_copy(photo, rng))] if part < COPIED else [])
        for split, pixels in copies:
            name = f"{split}/\"><b onclick=alert(1)>'{part}&amp;.png"
            (folder / split).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(folder / name)
            samples.append(Sample(name, label, split))
    Manifest(folder, tuple(samples), (BAD, GOOD)).write(folder / "manifest.csv")
    return folder


@pytest.fixture(scope="module")
def audited(leaky: Path) -> Audit:
    return audit(leaky, good=GOOD)


@pytest.fixture(scope="module")
def written(audited: Audit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with every kind of exhibit, beside those of the real findings."""
    n, rng = len(audited.inspection), np.random.default_rng(0)
    tall = rng.random((200, 60), dtype=np.float32)
    tall[:20] = np.nan
    exhibits = (
        *(PhotoExhibit(k % n, f"photo {k}: <b>{BAD}</b>") for k in range(20)),
        MapExhibit(rng.random((32, 32), dtype=np.float32), "mean of a class, grey levels"),
        MapExhibit(rng.normal(size=(90, 300)).astype(np.float32), "difference, grey levels", signed=True),
        MapExhibit(tall, "a map with a hole"),
        ScatterExhibit(rng.normal(size=(n, 2)).astype(np.float32), audited.inspection.manifest.labels, "two axes"),
        TableExhibit(
            ("a property with a long name", *(f"column {k}" for k in range(12))),
            tuple((f"row {k} {BAD}", *("1,234.5 %",) * 12) for k in range(4)),
            "a wide table",
        ),
        PairExhibit(0, 1, np.array([[1.0, 0, 70], [0, 1, 10]]), "two that overlap by half"),
    )
    drawn = Findings("figures", "info", n, "every kind", "None.", mask_of(n, []), np.zeros(n), ((BAD, BAD),), exhibits)
    path = tmp_path_factory.mktemp("written") / "audit.html"
    write_audit_page(replace(audited, findings=(*audited.findings, drawn)), path, f"data {BAD}")
    return path


@pytest.fixture
def page(browser: Browser, written: Path) -> Iterator[Page]:
    """The page on a desk, in daylight; nothing may be asked for or complained about, whatever a test does to it."""
    with visit(browser, written) as seen:
        yield seen.page
        assert seen.requests == []
        assert seen.errors == []
        assert seen.page.evaluate("window.hacked") is None


def open_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(own => { own.open = true; })")


def test_every_finding_and_every_word_of_it_is_there(page: Page, audited: Audit):
    assert page.locator("article").count() == len(audited.findings) + 1
    text = page.inner_text("main").lower()
    for found in audited.findings:
        assert found.summary.lower() in text
        assert found.advice.lower() in text
    assert page.locator("h1").inner_text() == f"data {BAD}"
    assert {"leakage", "copies"} <= {found.check for found in audited.findings}
    for link in page.locator(".index a").all():
        assert page.locator(str(link.get_attribute("href"))).count() == 1


def test_all_pictures_load_and_keep_their_shape(page: Page):
    open_all(page)
    pictures = page.evaluate(
        "[...document.images].map(own => [own.naturalWidth, own.naturalHeight, own.clientWidth, own.clientHeight,"
        " own.hasAttribute('alt'), own.closest('.ramp') !== null])"
    )
    assert len(pictures) > 60
    for width, height, wide, high, has_alt, ramp in pictures:
        assert has_alt
        assert min(width, height) > 0
        assert ramp or abs(wide * height / width - high) <= 2, "not stretched"


@pytest.mark.parametrize("width", [360, 390, 768, 1280, 1920])
def test_nothing_sticks_out_sideways(browser: Browser, written: Path, width: int):
    with visit(browser, written, width=width) as seen:
        open_all(seen.page)
        assert seen.page.evaluate("document.documentElement.scrollWidth") == width
        assert seen.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(browser: Browser, written: Path, scheme: str):
    with visit(browser, written, color_scheme=scheme) as seen:
        open_all(seen.page)
        assert seen.page.evaluate(POOR_CONTRAST, 4.5) == []
        red, green, blue = seen.page.evaluate(
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
        )
        assert (min(red, green, blue) > 240) if scheme == "light" else (max(red, green, blue) < 40)


def test_the_page_has_an_order_to_navigate_by(page: Page):
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(own => Number(own.tagName[1]))")
    assert levels[0] == 1
    assert set(levels[1:]) == {2}
    assert page.locator("main").count() == page.locator("header").count() == page.locator("footer").count() == 1
    assert page.evaluate("document.documentElement.lang") == "en"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"


def shows(page: Page) -> str:
    """Return which photo the first laid pair shows: 2 is on top, and is taken away for 1."""
    return page.evaluate(
        "getComputedStyle(document.querySelector('.laid img:not(.under)')).opacity === '0' ? '1' : '2'"
    )


def seen_within(page: Page, milliseconds: int = 1600, step: int = 100) -> set[str]:
    found = set()
    for _ in range(milliseconds // step):
        found.add(shows(page))
        page.wait_for_timeout(step)
    return found


def test_a_pair_blinks_when_pointed_at_clicked_or_reached_by_key(page: Page):
    assert page.locator(".how .hint").first.is_visible()
    button = page.locator(".laid button").first
    assert seen_within(page, 400) == {"2"}
    button.hover()
    assert seen_within(page) == {"1", "2"}
    page.mouse.move(0, 0)
    assert seen_within(page, 400) == {"2"}
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    page.mouse.move(0, 0)
    assert seen_within(page) == {"1", "2"}
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"
    assert page.evaluate("getComputedStyle(document.querySelector('.laid .under')).visibility") == "visible", "focused"
    page.keyboard.press("Tab")
    assert seen_within(page, 400) == {"2"}


def test_who_wants_no_motion_gets_none(browser: Browser, written: Path):
    with visit(browser, written, reduced_motion="reduce") as seen:
        seen.page.locator(".laid button").first.hover()
        assert seen_within(seen.page) == {"1"}


def test_without_scripts_the_page_shows_the_same_and_promises_nothing(browser: Browser, written: Path):
    with visit(browser, written, java_script_enabled=False) as seen:
        assert seen.page.locator(".laid img").first.is_visible()
        assert not seen.page.locator(".how .hint").first.is_visible()
        assert seen.page.locator("button").count() == 0


def test_paper_is_white_and_leaves_no_pair_out(browser: Browser, written: Path):
    with visit(browser, written, color_scheme="dark") as seen:
        seen.page.emulate_media(media="print", color_scheme="dark")
        assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert seen.page.evaluate(POOR_CONTRAST, 4.5) == []
        seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert seen.page.locator("details.more:not([open])").count() == 0
        assert seen.page.locator("details.more").count() > 0
        seen.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert seen.page.locator("details[open]").count() == 0
        assert seen.page.pdf(format="A4").startswith(b"%PDF")


def test_planted_copies_are_drawn_where_a_person_sees_that_they_are_the_same(audited: Audit):
    seen = audited.inspection
    album = Album(seen)
    (leakage,) = (found for found in audited.findings if found.check == "leakage")
    assert len(leakage.exhibits) == COPIED
    for own in leakage.exhibits:
        assert isinstance(own, PairExhibit)
        assert (seen.splits[own.i], seen.splits[own.j]) == ("test", "train")
        first, second = album.photo(own.i), album.photo(own.j)
        over = lay_over(first, second, own.matrix)

        def alike(other: np.ndarray, where: np.ndarray, one: np.ndarray = first.pixels) -> float:
            return float(np.corrcoef(one[where].ravel(), other[where].ravel())[0, 1])

        everywhere = np.ones_like(over.known)
        assert alike(over.laid, over.known) > 0.9
        assert alike(second.pixels, everywhere) < alike(over.laid, over.known)
        assert over.correlation is not None
        assert over.correlation > 0.6


def test_the_command_writes_the_page(browser: Browser, leaky: Path, tmp_path: Path):
    out = tmp_path / "new folder" / "audit.html"
    for _ in range(2):  # a page that is there is replaced
        document = gonogo_json("audit", leaky, "--good", GOOD, "--out", out, run=in_process)
    assert [own.name for own in out.parent.iterdir()] == ["audit.html"]
    with visit(browser, out) as seen:
        assert seen.page.locator("article").count() == len(document["findings"])
        assert seen.page.locator("h1").inner_text() == leaky.name
        assert "of 6 test photos show a part" in seen.page.locator(".facts .error").inner_text()
        assert (seen.requests, seen.errors) == ([], [])


@pytest.mark.parametrize("option", ["--out", "--groups"])
def test_what_cannot_be_written_is_found_out_before_the_work(option: str, tmp_path: Path):
    photos = write_plates(tmp_path / "photos", 2)
    (tmp_path / "file").touch()
    line = one_error_line(in_process("audit", photos, option, tmp_path / "file" / "audit.html"))
    assert "cannot write" in line
    assert "is a folder" in one_error_line(in_process("audit", photos, option, tmp_path))
    shutil.rmtree(photos)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["neu-voc", "kolektor-yolo"])
def test_the_page_of_real_photos_stays_small(real_data: Path, browser: Browser, tmp_path: Path, name: str):
    out = tmp_path / f"{name}.html"
    mixed = ("--mixed", "first") if name == "neu-voc" else ()
    gonogo_json("audit", real_data / name, *mixed, "--out", out, run=in_process)
    assert out.stat().st_size < 3_000_000
    with visit(browser, out, width=390) as seen:
        open_all(seen.page)
        assert seen.page.evaluate("document.documentElement.scrollWidth") == 390
        assert seen.page.evaluate("[...document.images].every(own => own.naturalWidth > 0)")
        assert (seen.requests, seen.errors) == ([], [])
