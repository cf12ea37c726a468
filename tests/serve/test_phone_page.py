"""The page in a real browser with a phone's profile: answers as in Python, offline, latencies, a gauge that changes."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from gonogo.data.geometry import Geometry
from gonogo.data.images import decode_photo
from gonogo.data.task import Task
from gonogo.evaluate.decision import Decision
from gonogo.gauge.gauge import Gauge
from gonogo.gauge.golden import Golden
from gonogo.gauge.region import HeatGrid
from tests.helpers import encoded, noise, picture
from tests.helpers_pages import POOR_CONTRAST
from tests.helpers_phone import Phone, Serving, decided_otherwise, phone, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PARITY = 1e-4


@pytest.fixture(scope="module")
def gauges(gauge_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A gauge, and one with the same network and a wide band for review."""
    folder = tmp_path_factory.mktemp("phone") / "doubtful"
    return gauge_folder, decided_otherwise(gauge_folder, folder, threshold=1e-6, no_go_from=0.999999)


@pytest.fixture(scope="module")
def served(runtime: None, gauges: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(gauges, tmp_path_factory.mktemp("latency") / "rows.csv") as server:
        yield server


@pytest.fixture(scope="module")
def own(browser: Browser, served: Serving) -> Iterator[Phone]:
    """One phone for all tests here; each leaves it online and ready."""
    with phone(browser, served.url) as opened:
        yield opened


@pytest.fixture(scope="module")
def photos(plates: Path) -> list[Path]:
    return [*sorted((plates / "ok").glob("*.png"))[:10], *sorted((plates / "defect").glob("*.png"))[:10]]


def expected(gauge: Gauge, photo: Path) -> dict[str, Any]:
    """Return what Python answers, with all probabilities."""
    pixels = gauge.read(photo)
    return {**gauge.inspect(pixels).to_json(), "probs": gauge.open()(pixels[None]).pred_probs[0].tolist()}


def test_twenty_photos_are_answered_as_in_python(own: Phone, gauges: tuple[Path, Path], photos: list[Path]):
    own.page.click("[data-view=inspect]")
    answers = own.answers(photos)
    verdicts = set()
    for index, folder in enumerate(gauges):
        gauge = Gauge.load(folder)
        for photo, row in zip(photos, answers, strict=True):
            told, wanted = row[index], expected(gauge, photo)
            assert [told[name] for name in ("verdict", "label", "region")] == [
                wanted[name] for name in ("verdict", "label", "region")
            ]
            assert told["prob"] == pytest.approx(wanted["prob"], abs=PARITY)
            assert told["probs"] == pytest.approx(wanted["probs"], abs=PARITY)
            assert told["novelty"] == pytest.approx(wanted["novelty"], rel=PARITY)
            verdicts.add((index, told["verdict"]))
    assert verdicts >= {(0, "go"), (0, "no-go"), (1, "review")}
    assert own.page.locator("#source .exact").inner_text() == "Pixel for pixel"
    assert own.page.locator("#source .apart").inner_text() == "The two gauges do not agree."
    golden = sum(len(Golden.load(folder / "golden.npz").pixels) for folder in gauges)
    assert own.page.locator("#checked").inner_text() == f"Proved on {golden} photos"
    assert (own.errors, own.elsewhere) == ([], [])


def test_it_works_with_the_network_cut_and_the_latencies_arrive_when_it_is_back(
    own: Phone, served: Serving, gauges: tuple[Path, Path], photos: list[Path]
):
    page = own.page
    own.context.set_offline(True)
    try:
        page.reload()
        own.ready()
        page.locator("#net[data-is=off]").wait_for(timeout=10_000)
        told = own.answers(photos[8:12])
        assert [row[0]["verdict"] for row in told] == ["go", "go", "no-go", "no-go"]
        page.click("[data-view=latency]")
        page.fill("#device", "=Line 3, red phone")
        page.click("#measure")
        page.locator("#posted", has_text="wait on this phone").wait_for(timeout=30_000)
        assert served.table.rows == ()
        shown = [float(text.split()[0]) for text in page.locator("#times .big").all_inner_texts()]
        assert page.locator("#ratio").inner_text()
    finally:
        own.context.set_offline(False)
    page.locator("#posted", has_text="2 rows arrived").wait_for(timeout=15_000)
    assert page.locator("#net").inner_text() == "Online"
    with served.table.path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["sha256"] for row in rows] == [Gauge.load(folder).files[0].sha256 for folder in gauges]
    assert {row["device"] for row in rows} == {"Line 3, red phone"}
    assert {(row["backend"], row["threads"], row["runs"], row["warm_up"]) for row in rows} == {
        ("wasm", "1", "200", "50")
    }
    for row, big in zip(rows, shown, strict=True):
        assert 0 < float(row["p50_ms"]) <= float(row["p95_ms"]) <= float(row["p99_ms"])
        assert big == pytest.approx(float(row["p50_ms"]), rel=0.05)
        assert int(row["params"]) > 0
    assert own.errors == []


DECODE = """async ({files, channels, size}) => {
  const base = document.baseURI;
  const {decode, toPixels} = await import(base + "pixels.js");
  const found = [];
  for (const text of files) {
    const file = new Blob([Uint8Array.from(atob(text), c => c.charCodeAt(0))]);
    try {
      const bitmap = await decode(file);
      const geometry = {channels, height: size && size[0], width: size && size[1], region: [0, 0, 4, 4]};
      const pixels = toPixels(bitmap, bitmap.width, bitmap.height, geometry, document.createElement("canvas"));
      found.push({...pixels, canvas: null, data: btoa(String.fromCharCode(...pixels.data))});
    } catch (error) {
      found.push({error: error.message});
    }
  }
  return found;
}"""


def decoded(own: Phone, files: list[bytes], channels: int, size: tuple[int, int] | None = None) -> list[dict[str, Any]]:
    """Let the page decode files."""
    texts = [base64.b64encode(data).decode() for data in files]
    found: list[dict[str, Any]] = own.page.evaluate(DECODE, {"files": texts, "channels": channels, "size": size})
    return found


def as_array(told: dict[str, Any]) -> np.ndarray:
    data = np.frombuffer(base64.b64decode(told["data"]), dtype=np.uint8)
    return data.reshape(told["height"], told["width"], told["channels"])


def lossless() -> dict[str, bytes]:
    """Return photos of many kinds that lose nothing, 20 wide and 24 high."""
    grey, colour = picture(noise(24, 20)), picture(noise(24, 20, 3, seed=1))
    gamma = PngImagePlugin.PngInfo()
    gamma.add(b"gAMA", (100_000).to_bytes(4, "big"))
    turned = Image.Exif()
    turned[0x0112] = 6
    from PIL import ImageCms

    linear = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    return {
        "grey": encoded(grey, "PNG"),
        "colour": encoded(colour, "PNG"),
        "palette": encoded(colour.quantize(64), "PNG"),
        "black and white": encoded(grey.convert("1"), "PNG"),
        "opaque": encoded(colour.convert("RGBA"), "PNG"),
        "gamma": encoded(colour, "PNG", pnginfo=gamma),
        "profile": encoded(colour, "PNG", icc_profile=linear),
        "turned": encoded(colour, "PNG", exif=turned),
        "bmp": encoded(colour, "BMP"),
        "webp": encoded(colour, "WEBP", lossless=True),
    }


@pytest.mark.parametrize("channels", [1, 3])
def test_photos_that_lose_nothing_are_the_same_pixels_as_in_python(own: Phone, channels: int):
    files = lossless()
    for name, told, data in zip(files, decoded(own, list(files.values()), channels), files.values(), strict=True):
        assert told.get("error") is None, name
        assert np.array_equal(as_array(told), decode_photo(data, channels=channels)), name
        assert told["scaled"] is False


@pytest.mark.parametrize(("mode", "channels", "most"), [("L", 1, 1), ("RGB", 3, 2), ("RGB", 1, 2)])
def test_jpeg_differs_by_what_decoders_differ(own: Phone, castings: Path, mode: str, channels: int, most: int):
    photos = sorted(castings.rglob("*.jpg"))[:3] or sorted(castings.rglob("*.png"))[:3]
    files = [encoded(Image.open(path).convert(mode), "JPEG", quality=90) for path in photos]
    apart = [
        np.abs(as_array(told).astype(int) - decode_photo(data, channels=channels)).max()
        for told, data in zip(decoded(own, files, channels), files, strict=True)
    ]
    assert max(apart) <= most


def test_what_a_browser_cannot_decode_exactly_is_refused_by_name(own: Phone):
    deep = encoded(Image.fromarray(np.full((24, 20), 40_000, np.uint16)), "PNG")
    half = Image.fromarray(np.full((24, 20, 4), 100, np.uint8), "RGBA")
    told = decoded(own, [deep, encoded(half, "PNG"), b"", b"no photo at all"], 1)
    assert [row["error"].split(",")[0] for row in told] == [
        "16 bits a pixel",
        "partly transparent",
        "the file is empty",
        "this browser cannot decode it; JPEG",
    ]


def test_another_size_is_cut_to_the_middle_and_scaled_and_says_so(own: Phone):
    wide = np.zeros((40, 120, 1), np.uint8)
    wide[:, 40:80] = 200  # the middle square
    (told,) = decoded(own, [encoded(picture(wide), "PNG")], 1, (20, 20))
    assert told["scaled"] is True
    assert told["from"] == [120, 40]
    assert (as_array(told)[1:-1, 1:-1] == 200).all()


DECIDE = """async ({decision, probs, novelty}) => {
  const {decide} = await import(document.baseURI + "decide.js");
  return probs.map((row, k) => decide(decision, Float32Array.from(row.map(v => v ?? NaN)),
    novelty === null ? null : novelty[k] ?? NaN));
}"""
BINARY, KINDS = Task(("defect", "ok"), "ok"), Task(("crack", "dent", "ok"), "ok")
DECISIONS = {
    "binary": Decision(BINARY, 0.3, ""),
    "kinds": Decision(KINDS, 0.42, ""),
    "review": Decision(KINDS, 0.2, "", no_go_from=0.7),
    "never": Decision(BINARY, 1.000001, ""),
    "sorting": Decision(Task(("a", "b", "c"), None), None, ""),
}


@pytest.mark.parametrize("name", DECISIONS)
@pytest.mark.parametrize("is_measured", [False, True])
def test_the_page_decides_as_decision_does(own: Phone, name: str, is_measured: bool):
    decision = DECISIONS[name]
    classes = decision.task.classes
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.full(len(classes), 0.5), 400).astype(np.float32)
    # On both thresholds to the last bit, ties, and what is no number.
    good = 0 if decision.task.good_index is None else decision.task.good_index
    for row, cut in enumerate((decision.threshold, decision.no_go_from, 0.5)):
        probs[row, good] = np.float32(1) - np.float32(cut or 0.25)
    probs[3] = np.float32(1 / len(classes))
    probs[4, 0], probs[5, good] = np.nan, np.nan
    novelty = rng.uniform(0, 2, 400).astype(np.float32) if is_measured else None
    if novelty is not None:
        novelty[:4] = 1, np.nextafter(np.float32(1), np.float32(2)), np.nan, 0
    told = own.page.evaluate(
        DECIDE,
        {
            "decision": decision.to_json() | {"no_go_from": decision.no_go_from},
            "probs": [[None if np.isnan(v) else float(v) for v in row] for row in probs],
            "novelty": None if novelty is None else [None if np.isnan(v) else float(v) for v in novelty],
        },
    )
    assert [row["verdict"] for row in told] == decision.verdicts(probs, novelty)
    assert [row["label"] for row in told] == [classes[label] for label in decision.labels(probs)]
    shown = np.array([row["prob"] for row in told], dtype=np.float32)
    assert np.array_equal(shown, decision.probs(probs), equal_nan=True)
    assert len({row["verdict"] for row in told}) >= {"never": 1, "sorting": 1}.get(name, 2)


def test_the_box_lies_where_python_lays_it(own: Phone):
    geometry = Geometry(90, 120, crop=(7, 5, 100, 80), reduce=2, size=(32, 48))
    grid = HeatGrid(geometry, stride=4.0, first=1.5)
    maps = np.random.default_rng(1).normal(0, 1, (60, 8, 12)).astype(np.float32)
    maps[0] = -1
    maps[1, :, :] = 2
    told = own.page.evaluate(
        """async ({grid, region, maps, rows, columns}) => {
          const {hotRegion} = await import(document.baseURI + "decide.js");
          return maps.map(map => hotRegion(grid, region, Float32Array.from(map), rows, columns));
        }""",
        {
            "grid": {"stride": grid.stride, "first": grid.first, "scale": list(geometry.scale)},
            "region": list(geometry.region),
            "maps": [one.ravel().tolist() for one in maps],
            "rows": 8,
            "columns": 12,
        },
    )
    boxes = [grid.hot_region(one) for one in maps]
    assert [row and tuple(row) for row in told] == boxes
    assert boxes[0] is None
    assert len(set(boxes)) > 30


def test_the_camera_is_cut_and_scaled_and_can_be_refused(browser: Browser, own: Phone):
    page = own.page
    page.click("[data-view=inspect]")
    page.click("#camera")
    page.locator("[data-about=camera]", has_text="The camera was refused. Photos work without it").wait_for()
    assert page.locator("#camera").inner_text() == "Camera"
    own.context.grant_permissions(["camera"])
    page.click("#camera")
    page.locator("#source", has_text="Camera").wait_for(timeout=15_000)
    assert page.locator("#source .scaled").inner_text() == "Cut and scaled"
    assert page.locator("[data-about=camera]").count() == 0
    assert page.locator(".card").first.get_attribute("data-kind") in ("go", "no-go", "review")
    page.click("#camera")
    assert page.locator("#camera").inner_text() == "Camera"
    assert page.evaluate("document.getElementById('video').srcObject") is None
    assert own.errors == []


def test_a_photo_that_cannot_be_judged_gets_no_verdict(own: Phone, tmp_path: Path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no photo at all")
    (row,) = own.answers([broken])
    assert ["cannot decode" in told["error"] for told in row] == [True, True]
    assert own.page.locator(".card").first.get_attribute("data-kind") == "none"
    assert own.page.locator("#summary").inner_text() == "1 photo: 1\N{NO-BREAK SPACE}no verdict"


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (390, "dark"), (1280, "light")])
def test_every_view_can_be_read_and_touched(own: Phone, photos: list[Path], width: int, scheme: str):
    page = own.page
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    own.answers(photos[9:12])
    for view in ("inspect", "latency", "about"):
        page.click(f"[data-view={view}]")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(POOR_CONTRAST, 4.5) == []
        small = page.evaluate(
            "[...document.querySelectorAll('button, .button, select, input[type=text], a')]"
            ".filter(own => own.checkVisibility()).map(own => [own.textContent, own.getBoundingClientRect()])"
            ".filter(([, box]) => box.width < 48 || box.height < 48).map(([text]) => text)"
        )
        assert small == []
    page.click("[data-view=inspect]")
    page.set_viewport_size({"width": 390, "height": 844})


def test_a_gauge_that_changes_while_it_is_served_is_taken_whole(
    browser: Browser, gauge_folder: Path, photos: list[Path], runtime: None, tmp_path: Path
):
    folder = decided_otherwise(gauge_folder, tmp_path / "gauge", threshold=0.5)
    with serving([folder], tmp_path / "rows.csv") as server, phone(browser, server.url) as own:
        before = own.page.locator("meta[name=version]").get_attribute("content")
        assert [row[0]["verdict"] for row in own.answers(photos[9:11])] == ["go", "no-go"]
        # First one that is cut: the phone hears of it and keeps the one it has.
        model = (folder / "model.onnx").read_bytes()
        (folder / "model.onnx").write_bytes(model[:-1])
        own.look()
        own.page.locator("[data-about=problem]", has_text="the one before stays").wait_for(timeout=15_000)
        assert [row[0]["verdict"] for row in own.answers(photos[9:11])] == ["go", "no-go"]
        # Then another one, whole.
        decided_otherwise(gauge_folder, folder, threshold=1e-6, no_go_from=0.999999)
        own.look()
        own.page.locator("[data-about=taken]", has_text="The gauge has changed").wait_for(timeout=20_000)
        own.ready()
        after = own.page.locator("meta[name=version]").get_attribute("content")
        assert after == server.current.bundle().version != before
        assert own.page.locator("[data-about=problem]").count() == 0
        assert own.answers(photos[9:11])[0][0]["verdict"] == "review"
        # It is the new one offline too, and nothing of the one before is left.
        own.context.set_offline(True)
        own.page.reload()
        own.ready()
        assert own.answers(photos[9:11])[0][0]["verdict"] == "review"
        assert own.page.evaluate("caches.keys()") == [f"gonogo-{after}"]
        assert own.errors == []


def test_a_gauge_that_answers_otherwise_here_gives_no_verdict(
    browser: Browser, gauge_folder: Path, runtime: None, tmp_path: Path
):
    with serving([gauge_folder], tmp_path / "rows.csv") as server:
        context = browser.new_context()
        try:
            page = context.new_page()

            def lie(route: Any) -> None:
                facts = json.loads(route.fetch().body())
                facts["gauges"][0]["golden"][0]["pred_probs"] = [0.5, 0.5]
                route.fulfill(json=facts, headers={"Cross-Origin-Resource-Policy": "same-origin"})

            page.route("**/facts.json", lie)
            page.goto(server.url)
            page.locator("[data-about=proof]", has_text="gives no verdicts").wait_for(timeout=20_000)
            assert page.locator("#camera").is_disabled()
            assert page.locator("#photos").is_disabled()
        finally:
            context.close()
