"""Light, sharpness, dirt, and what gives a label away without being a property of the part."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

pytest.importorskip("cv2")
pytest.importorskip("faiss")

from gonogo.audit.audit import Audit, audit
from gonogo.audit.exposure import _blurred
from gonogo.audit.findings import Findings, MapExhibit
from gonogo.data.synthetic import write_castings

SIZE = 120


def of(result: Audit, check: str, **facts: object) -> list[Findings]:
    found = [f for f in result.findings if f.check == check]
    return [f for f in found if all(f.facts.get(key) == value for key, value in facts.items())]


@pytest.fixture
def castings(tmp_path: Path) -> Path:
    write_castings(tmp_path / "set", parts=40, views=1, difficulty=0.3, size=SIZE, seed=5)
    return tmp_path / "set" / "photos"


def _change(photo: Path, change: object) -> str:
    with Image.open(photo) as image:
        change(image.convert("L")).save(photo, quality=92)  # type: ignore[operator]
    return photo.relative_to(photo.parent.parent).as_posix()


def test_even_photos_have_no_outliers(castings: Path):
    result = audit(castings)
    assert of(result, "exposure") == []
    assert of(result, "shortcuts") == []


def test_dark_bright_black_and_blurred_photos_are_named(castings: Path):
    photos = sorted(castings.rglob("*.jpg"))
    planted = {
        "dark": _change(photos[3], lambda image: image.point(lambda level: level * 0.15)),
        "bright": _change(photos[9], lambda image: image.point(lambda level: level * 2.5)),
        "blur": _change(photos[21], lambda image: image.filter(ImageFilter.GaussianBlur(4))),
    }
    black = _change(photos[30], lambda image: image.point(lambda level: 0))
    result = audit(castings)
    (dark,), (bright,), (blur,), (saturated,) = (
        of(result, "exposure", kind=kind) for kind in ("dark", "bright", "blur", "saturated")
    )
    assert {path for (path,) in dark.samples} == {planted["dark"], black}
    assert {path for (path,) in bright.samples} == {planted["bright"]}
    assert (planted["blur"],) in blur.samples
    assert len(blur.samples) <= 3  # black and dark photos are not sharp either
    assert (black,) in saturated.samples


def test_a_spot_in_every_photo_is_dirt(castings: Path):
    for photo in castings.rglob("*.jpg"):
        with Image.open(photo) as image:
            pixels = np.array(image.convert("L")).astype(float)
        pixels[15:21, 96:102] -= 60
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(photo, quality=92)
    (dirt,) = of(audit(castings), "exposure", kind="dirt")
    assert dirt.facts["x"] == pytest.approx(99, abs=4)
    assert dirt.facts["y"] == pytest.approx(18, abs=4)
    assert dirt.facts["grey_levels"] < -10
    assert isinstance(dirt.exhibits[0], MapExhibit)


def test_a_class_with_a_format_of_its_own_is_given_away(castings: Path):
    for photo in list((castings / "ok").glob("*.jpg")):
        with Image.open(photo) as image:
            image.save(photo.with_suffix(".png"))
        photo.unlink()
    result = audit(castings)
    (by_format,) = of(result, "shortcuts", attribute="format")
    assert by_format.severity == "error"
    assert by_format.facts["balanced_accuracy"] == 1.0
    assert by_format.facts["values"] == {"JPEG": "defect", "PNG": "ok"}
    assert of(result, "shortcuts", attribute="file_size")[0].severity == "error"


def test_a_class_photographed_under_another_lamp_is_noticed(castings: Path):
    for photo in (castings / "defect").glob("*.jpg"):
        _change(photo, lambda image: image.point(lambda level: level * 0.6))
    (light,) = of(audit(castings), "shortcuts", attribute="brightness")
    assert light.severity == "warning"
    assert light.facts["balanced_accuracy"] > 0.9
    assert "lamp" in light.advice


def test_photos_numbered_class_by_class_are_noticed(castings: Path):
    for number, photo in enumerate(sorted(castings.rglob("*.jpg"), key=lambda path: path.parent.name)):
        photo.rename(photo.with_name(f"img_{number:04d}.jpg"))
    (order,) = of(audit(castings), "shortcuts", attribute="order")
    assert order.severity == "warning"
    assert order.facts["balanced_accuracy"] > 0.9


def test_what_is_usual_around_a_pixel_is_the_mean_of_a_frame_and_takes_little_memory():
    small = np.random.default_rng(0).integers(0, 256, (3, 8, 9)).astype(np.float64)
    y, x = 3, 5
    window = small[:, y - 2 : y + 3, x - 2 : x + 3]
    frame = (window.sum(axis=(1, 2)) - window[:, 1:4, 1:4].sum(axis=(1, 2))) / 16
    assert np.array_equal(_blurred(small)[:, y, x], frame)
    many = np.zeros((500, 32, 32))
    tracemalloc.start()
    try:
        _blurred(many)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 * many.nbytes
