"""A page asks for nothing, runs its own script alone, and shows the data's text as text."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gonogo.report.page import figure, options, percent, render, shorten, signed, write_page

MADE = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_the_frame_of_a_page_is_whole_and_asks_for_nothing():
    page = render("base.html", MADE)
    assert page.startswith("<!doctype html>")
    assert '<time datetime="2026-03-04T05:06:07+00:00">2026-03-04 05:06</time>' in page
    addresses = re.findall(r"""(?:src|href|url)\\s*[=(]\\s*["']?([^"')>]*)""", page)
    assert [address for address in addresses if not address.startswith(("data:", "#"))] == []
    assert "@import" not in page


def test_the_policy_allows_this_very_script_and_nothing_from_outside():
    page = render("base.html", MADE)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path):
    path = tmp_path / "new" / "page.html"
    write_page(path, "base.html", MADE)
    assert path.read_text(encoding="utf-8").endswith("</html>")
    with pytest.raises(Exception, match="nowhere"):
        write_page(path, "nowhere.html", MADE)
    assert [own.name for own in path.parent.iterdir()] == ["page.html"]


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("a/b.png", "a/b.png"),
        ("train/ok_front/cast_ok_0_1001.jpeg", "train/…/cast_ok_0_1001.jpeg"),
        ("some rather long class name/6138.png", "…/6138.png"),
        ("deep/folders/a_file_name_of_more_than_thirty_letters_007.png", "a_file_name_of_…letters_007.png"),
        ("x" * 40 + "1.png", "x" * 15 + "…" + "x" * 10 + "1.png"),
    ],
)
def test_paths_are_shortened_in_their_middle(path: str, short: str):
    assert shorten(path) == short
    assert len(short) <= 31


def test_numbers_are_set_as_a_reader_expects():
    assert (percent(0.0242), percent(None)) == ("2.4\N{NO-BREAK SPACE}%", "-")
    assert (figure(-49.123), figure(0.0), figure(1234567.0)) == ("\N{MINUS SIGN}49.1", "0", "1.23e+06")
    assert (signed(-0.25), signed(1)) == ("\N{MINUS SIGN}0.25", "1.00")


def test_options_look_like_what_is_typed_and_stay_escaped():
    assert options("say --group-by '<b>' -- or not") == "say <code>--group-by</code> &#39;&lt;b&gt;&#39; -- or not"
