"""What the audit's page holds, read off its HTML; how it looks is tested in a browser."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import numpy as np
import pytest

from gonogo.audit.audit import Audit
from gonogo.audit.findings import Findings, PairExhibit, PhotoExhibit, TableExhibit, mask_of
from gonogo.audit.inspection import inspect
from gonogo.data.formats import read_dataset
from gonogo.data.task import Task
from gonogo.report.audit import MOST_PATHS, MOST_SAMPLES, verdict, write_audit_page
from gonogo.report.exhibits import OPEN, blocks_of
from gonogo.report.pictures import Album
from tests.helpers import write_photos

MADE = datetime(2026, 3, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Noise in two classes and two splits, and nothing found yet."""
    folder = tmp_path_factory.mktemp("audited") / "photos"
    write_photos(folder / "train", {"good <i>": 6, "bad & ugly": 5})
    write_photos(folder / "test", {"good <i>": 2, "bad & ugly": 2}, first_seed=100)
    manifest = read_dataset(folder)
    return Audit(inspect(manifest, Task(manifest.classes, "good <i>")), ())


def found(audit: Audit, **changes: object) -> Findings:
    n = len(audit.inspection)
    plain = Findings("some_check", "warning", 1, "one photo is odd", "Look at it.", mask_of(n, [0]), np.zeros(n))
    return replace(plain, **changes)


def page_of(audit: Audit, *findings: Findings, folder: Path) -> str:
    path = folder / "page.html"
    write_audit_page(replace(audit, findings=findings), path, "a <name>", made=MADE)
    return path.read_text(encoding="utf-8")


def text_of(page: str) -> str:
    """Return what is read, tags taken out."""
    body = re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body))


def test_the_head_counts(audited: Audit, tmp_path: Path):
    text = text_of(page_of(audited, found(audited), folder=tmp_path))
    assert "a &lt;name&gt;" in text
    assert "No error, 1 warning" in text
    assert "photos 15 different parts or pictures 15" in text
    assert "of 4 test photos show a part that stands in another split too 0.0 %" in text
    assert "bad &amp; ugly 7 7 5 2 " in text
    assert "good &lt;i&gt; good 8 8 6 2 " in text
    assert audited.inspection.manifest.fingerprint in text


def test_the_verdict_is_one_sentence(audited: Audit):
    def said(*severities: str) -> str:
        return verdict(replace(audited, findings=tuple(found(audited, severity=own) for own in severities)))

    assert said() == said("info")
    assert said().startswith("No error and no warning:")
    assert said("warning", "warning").startswith("No error, 2 warnings:")
    assert said("error", "error", "info").startswith("2 errors:")
    assert said("error", "warning").startswith("1 error and 1 warning:")


def test_every_finding_stands_on_the_page_in_its_order(audited: Audit, tmp_path: Path):
    findings = [
        found(audited, severity=severity, check=f"check_{k}", summary=f"summary {k}", advice=f"advice {k}")
        for k, severity in enumerate(("error", "error", "warning", "info"))
    ]
    page = page_of(audited, *findings, folder=tmp_path)
    assert re.findall(r'<article .*?id="(.*?)"', page) == [f"finding-{k}" for k in (1, 2, 3, 4)]
    assert re.findall(r'<a href="#(finding-.*?)"', page) == [f"finding-{k}" for k in (1, 2, 3, 4)]
    assert re.findall(r'<p class="summary">(.*?)</p>', page) == [f"Summary {k}" for k in range(4)]
    assert re.findall(r"</b> (advice .*?)</p>", page) == [f"advice {k}" for k in range(4)]
    assert re.findall(r'-title">(.*?)</h2>', page) == [f"Check {k}" for k in range(4)]


def test_a_class_keeps_its_name_where_a_sentence_begins_with_it(audited: Audit, tmp_path: Path):
    page = page_of(audited, found(audited, summary="bad & ugly: 7 photos"), folder=tmp_path)
    assert '<p class="summary">bad &amp; ugly: 7 photos</p>' in page


def test_what_the_data_say_is_shown_and_never_obeyed(audited: Audit, tmp_path: Path):
    evil = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}'
    own = found(
        audited,
        check=evil,
        summary=evil,
        advice=evil,
        samples=((evil,),),
        exhibits=(PhotoExhibit(0, evil), TableExhibit((evil, "n"), ((evil, "1"),), evil)),
    )
    page = page_of(audited, own, folder=tmp_path)
    assert page.count("<script>") == 1
    assert "onerror=alert(2)>" not in page
    assert page.count(escape(evil).replace("&quot;", "&#34;")) >= 8
    assert page.count("{{ 7 * 7 }}") >= 8


def test_a_name_that_is_no_text_is_shown_all_the_same(audited: Audit, tmp_path: Path):
    page = page_of(audited, found(audited, samples=(("ok/\udcff.png",),)), folder=tmp_path)
    assert "ok/?.png" in page


def test_long_lists_are_cut_and_say_so(audited: Audit, tmp_path: Path):
    groups = tuple(tuple(f"{k}/{n}.png" for n in range(MOST_PATHS + 30)) for k in range(MOST_SAMPLES + 1_200))
    page = page_of(audited, found(audited, samples=groups), folder=tmp_path)
    text = text_of(page)
    assert f"The first {MOST_SAMPLES} of 1,260 groups" in text
    assert text.count("and 30 more") == MOST_SAMPLES
    assert "1,200 are left out here" in text
    assert "gonogo audit --json" in text
    text = text_of(page_of(audited, found(audited, samples=(("a.png",), ("b.png",))), folder=tmp_path))
    assert "All 2 files" in text
    assert "left out" not in text


def test_figures_of_a_kind_stay_together_and_the_rest_waits(audited: Audit):
    seen = audited.inspection
    pairs = tuple(PairExhibit(0, k, np.eye(2, 3), "said") for k in range(1, 8))
    exhibits = (*pairs, PhotoExhibit(1, "a"), PhotoExhibit(2, "b"), pairs[0])
    blocks = blocks_of(exhibits, seen, Album(seen))
    assert [(own.kind, len(own.shown), len(own.more)) for own in blocks] == [
        ("pair", OPEN["pair"], 7 - OPEN["pair"]),
        ("photo", 2, 0),
        ("pair", 1, 0),
    ]


def test_a_caption_does_not_repeat_what_stands_above_the_photos(audited: Audit):
    seen = audited.inspection
    sample = seen.manifest.samples[0]
    side = f"{sample.split}, {sample.label}"
    ((pair, other),) = (
        own.shown
        for own in blocks_of(
            (
                PairExhibit(0, 0, np.eye(2, 3), f"{side} and {side}, confidence 0.981"),
                PairExhibit(0, 0, np.eye(2, 3), "the same but for a scratch"),
            ),
            seen,
            Album(seen),
        )
    )
    assert pair.caption == "confidence 0.981"
    assert other.caption == "the same but for a scratch"


def test_numbers_stand_on_the_right(audited: Audit):
    table = TableExhibit(
        ("class", "n", "share", "kind"), (("a", "1,200", "3.1 %", "12x5"), ("b", "-", "0.4%", "")), "sizes"
    )
    (block,) = blocks_of((table,), audited.inspection, Album(audited.inspection))
    assert block.shown[0].numeric == (False, True, True, False)


def test_no_class_known_as_good_and_no_split(tmp_path: Path):
    folder = write_photos(tmp_path / "photos", {"x": 1, "y": 3})
    manifest = read_dataset(folder)
    audit = Audit(inspect(manifest, Task(manifest.classes, None)), ())
    text = text_of(page_of(audit, folder=tmp_path))
    assert "No class is known to be the good one." in text
    assert "No error and no warning" in text
    assert "test" not in text
