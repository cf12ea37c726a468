"""``gonogo fit`` from photos to a gauge and its page: in the browser, killed, interrupted, beyond its budgets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gonogo.gauge.gauge import Gauge
from gonogo.gauge.golden import verify
from tests.helpers import command, gonogo, in_process, interruptible, one_error_line, tree, write_kinds, write_plates
from tests.helpers_pages import POOR_CONTRAST, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.timeout(900)  # a fit takes a minute; the limit is for machines that do other things too

QUICK = ("--minutes", 0.6, "--trials", 2, "--reduce", 2, "--json")


def fitted(done: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    """Return the document of a fit that ended with this code."""
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def plates_fit(plates: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A fit on the plates, and what it printed."""
    out = tmp_path_factory.mktemp("fit") / "fit"
    return out, fitted(in_process("fit", plates, "--out", out, *QUICK))


@pytest.mark.slow
def test_photos_become_a_gauge_that_answers_for_unseen_parts(plates_fit, plates: Path):
    out, found = plates_fit
    assert found["met"] is True
    assert found["unmet"] == []
    # 30 defective plates, a part each: so few prove little, and the gauge says how little.
    guarantee = found["guarantee"]
    assert guarantee["n"] == found["proof"]["parts"]["defective"]
    assert guarantee["rate"] == pytest.approx(1 - 0.05 ** (1 / guarantee["n"]), abs=2e-3)
    assert any("59 would prove 5 %" in line for line in found["cannot"])
    gauge = Gauge.load(out / "gauge")
    assert all(parity.holds for _, parity in verify(gauge))
    rows = [row.split(",") for row in (out / "photos.csv").read_text().splitlines()[1:]]
    verdicts = {path: gauge.inspect(plates / path).verdict for path, _, split, *_ in rows if split == "val"}
    assert not [path for path, verdict in verdicts.items() if "defect" in path and verdict == "go"]
    assert np.mean([verdict == "go" for path, verdict in verdicts.items() if "ok" in path]) >= 0.5


@pytest.mark.slow
def test_every_network_that_was_tried_is_told_with_its_cost(plates_fit):
    _, found = plates_fit
    assert [row["number"] for row in found["tried"]] == [0, 1]
    for row in found["tried"]:
        assert 0 < row["latency_ms"] < 100
        assert row["size_bytes"] > 10_000
    whole = [row for row in found["tried"] if row["score"] is not None]
    assert found["chosen"]["number"] in [row["number"] for row in whole]
    assert found["answers_with"]["p50_ms"] == min(row["p50_ms"] for row in found["rows"])
    assert set(found["rivals"]) == {"the casting study's tapering network", "MobileNetV2, whole"}


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_tells_it_offline(plates_fit, browser: Browser, width: int, scheme: Any):
    out, found = plates_fit
    page_path = out / "report.html"
    assert page_path.stat().st_size < 5_000_000
    with visit(browser, page_path, width=width, color_scheme=scheme) as seen:
        page = seen.page
        assert page.text_content(".verdict").startswith("Too few defective parts to promise much: this gauge lets at")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(POOR_CONTRAST, 4.5) == []
        slider = page.locator(".dial input")
        slider.fill("0")
        first = page.locator("[data-shows='1']").text_content()
        slider.fill(slider.get_attribute("max"))
        assert page.locator("[data-shows='1']").text_content() != first
        assert page.locator(".sheet").evaluate("own => own.naturalWidth") > 200
        assert page.locator("h2").all_text_contents()[:2] == ["Budgets", "What these photos can prove"]
        page.emulate_media(media="print")
        assert not page.locator(".dial").is_visible()
        shown = "blocks => blocks.map(own => [...own.children].filter(one => one.checkVisibility()).length)"
        assert max(page.locator(".brief .pairs").evaluate_all(shown), default=0) <= 2
        assert page.locator(".on-paper").is_visible()
        assert seen.requests == []
        assert seen.errors == []
    assert found["report"] == str(page_path)


@pytest.mark.slow
def test_a_finished_fit_is_gone_on_with_in_no_time_and_says_the_same(plates_fit, plates: Path):
    out, before = plates_fit
    again = fitted(in_process("fit", plates, "--out", out, *QUICK, "--resume"))
    assert again["chosen"]["name"] == before["chosen"]["name"]
    for name in ("guarantee", "params", "val"):
        assert again[name] == before[name]


@pytest.mark.parametrize(
    ("text", "said"), [("{}", "does not say 'answers_with'"), ("{", "cannot be read"), ("[]", "not say")]
)
def test_what_is_no_earlier_fit_is_refused_before_any_work(plates: Path, tmp_path: Path, text: str, said: str):
    (tmp_path / "fit.json").write_text(text)
    assert said in one_error_line(in_process("fit", plates, "--out", tmp_path / "fit", "--beside", tmp_path))
    assert not (tmp_path / "fit").exists()


@pytest.mark.slow
def test_the_page_compares_with_earlier_fits(plates_fit, plates: Path, browser: Browser, tmp_path: Path):
    out, found = plates_fit
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    changed = {**found, "photos": "0" * 64, "params": 12_345, "device": "another machine"}
    (earlier / "fit.json").write_text(json.dumps(changed))
    fitted(in_process("fit", plates, "--out", out, *QUICK, "--resume", "--beside", earlier))
    with visit(browser, out / "report.html") as seen:
        rows = seen.page.locator("[aria-labelledby=beside] tbody tr").all_inner_texts()
        assert [row.split("\t")[0] for row in rows] == [out.name, "earlier (other photos, another machine)"]
        assert ["12,345" in row for row in rows] == [False, True]
        assert seen.errors == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--max-escape", "60%", "--max-overkill", "50%"), "together what a coin keeps"),
        (("--max-latency-ms", "-1"), "--max-latency-ms is -1"),
        (("--confidence", "99%"), "--confidence says nothing without --max-escape"),
        (("--good", "none", "--max-escape", "1%"), "has no good class and so no escapes"),
        (("--storage", "nowhere://x"), "--storage"),
        (("--weights", "gone.pth"), "no file gone.pth"),
        (("--beside", "gone"), "--beside gone holds no fit that has ended"),
    ],
)
def test_contradictions_are_refused_before_any_work(plates: Path, tmp_path: Path, words, said):
    assert said in one_error_line(in_process("fit", plates, "--out", tmp_path / "fit", *words))
    assert not (tmp_path / "fit").exists()


@pytest.mark.slow
def test_impossible_budgets_end_with_the_nearest_gauge_and_what_to_relax(plates: Path, tmp_path: Path):
    words = ("--max-escape", "1%", "--max-latency-ms", 1e-6, "--max-size-kb", 1)
    done = gonogo("fit", plates, "--out", tmp_path / "fit", *words, *QUICK)
    found = fitted(done, 1)
    assert found["met"] is False
    assert [row["budget"] for row in found["unmet"]] == ["--max-escape", "--max-latency-ms", "--max-size-kb"]
    assert "299 are needed" in found["unmet"][0]["relax"]
    assert found["unmet"][1]["found"] > 1e-6
    assert len(done.stderr.splitlines()[-1]) > 40
    assert done.stderr.splitlines()[-1].startswith("error: --max-escape is not kept")
    assert all(parity.holds for _, parity in verify(Gauge.load(tmp_path / "fit" / "gauge")))


@pytest.mark.slow
def test_kinds_are_sorted_with_nothing_given(tmp_path: Path):
    found = fitted(gonogo("fit", write_kinds(tmp_path / "kinds", 12), "--out", tmp_path / "fit", *QUICK))
    assert found["guarantee"] is None
    assert found["val"]["accuracy"]["value"] >= 0.6


# What is there when a fit is killed, and how much of it: it has looked, tried a network, trained one at full length,
# begun the last training, begun to export.
MOMENTS = (
    ("effort.json", 1),
    ("answers/*.npy", 1),
    ("answers/*.npy", 4),
    ("run/run.toml", 1),
    ("run/metrics.json", 1),
)


def killed_at(words: list[str], out: Path, pattern: str, count: int) -> None:
    """Start a fit and kill it as soon as so many such files are there."""
    victim = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while victim.poll() is None and len(list(out.glob(pattern))) < count:
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL, f"it ended before there were {count} of {pattern}"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_five_times_and_resumed_the_result_is_that_of_a_fit_in_peace(plates: Path, tmp_path: Path, plates_fit):
    _, peace = plates_fit
    out = tmp_path / "fit"
    words = [*command(), "fit", str(plates), "--out", str(out), *map(str, QUICK)]
    for number, (pattern, count) in enumerate(MOMENTS):
        killed_at([*words, *(["--resume"] if number else [])], out, pattern, count)
    found = fitted(in_process("fit", plates, "--out", out, *QUICK, "--resume"))
    assert found["chosen"]["name"] == peace["chosen"]["name"]
    for name in ("guarantee", "val", "proof", "params"):
        assert found[name] == peace[name]
    assert [row["sketch"]["score"] for row in found["tried"]] == [row["sketch"]["score"] for row in peace["tried"]]
    weights = [Path(document["run"]) / "model.safetensors" for document in (found, peace)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert not [name for name in tree(out) if name.endswith(".tmp")]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_interrupted_it_leaves_a_valid_gauge(plates: Path, tmp_path: Path):
    out = tmp_path / "fit"
    words = [*command(), "fit", str(plates), "--out", str(out), "--minutes", "5", "--reduce", "2", "--json"]
    patient = subprocess.Popen(interruptible(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # A network has been tried when the storage has what it answered; the process itself says so.
    assert patient.stderr is not None
    lines = iter(patient.stderr.readline, "")
    seen = next(line for line in lines if " kB: " in line)
    os.kill(patient.pid, signal.SIGINT)
    stdout, stderr = patient.communicate()
    assert patient.returncode == 0, seen + stderr
    found = json.loads(stdout)
    assert found["interrupted"] is True
    assert all(parity.holds for _, parity in verify(Gauge.load(out / "gauge")))


def test_good_parts_alone_are_sent_elsewhere(tmp_path: Path):
    folder = write_plates(tmp_path / "photos", 4)
    for path in (folder / "defect").iterdir():
        path.unlink()
    (folder / "defect").rmdir()
    line = one_error_line(in_process("fit", folder, "--out", tmp_path / "fit"))
    assert "shows good parts alone, expected defects too" in line
    assert sys.executable not in line
