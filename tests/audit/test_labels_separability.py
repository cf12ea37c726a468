"""Likely label errors and separability, on photos whose classes are a matter of texture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2")
pytest.importorskip("faiss")

from tests.helpers import picture

from gonogo.audit.audit import Audit, audit
from gonogo.audit.findings import Findings, MapExhibit, ScatterExhibit, TableExhibit
from gonogo.audit.separability import nearest_other_part
from gonogo.audit.texture import texture

SIZE, EACH = 64, 30


def one(result: Audit, check: str) -> Findings:
    (found,) = [f for f in result.findings if f.check == check]
    return found


def _surface(rng: np.random.Generator, grain: int) -> np.ndarray:
    coarse = rng.normal(128, 30, (SIZE // grain, SIZE // grain))
    return coarse.repeat(grain, 0).repeat(grain, 1).clip(0, 255).astype(np.uint8)[:, :, None]


@pytest.fixture
def surfaces(tmp_path: Path) -> Path:
    """Two kinds of surface, told apart by their grain alone."""
    rng = np.random.default_rng(0)
    for label, grain in (("fine", 2), ("coarse", 8)):
        (tmp_path / "set" / label).mkdir(parents=True)
        for number in range(EACH):
            picture(_surface(rng, grain)).save(tmp_path / "set" / label / f"{label}{number:02d}.png")
    return tmp_path / "set"


def test_clean_labels_raise_no_suspicion(surfaces: Path):
    assert [f for f in audit(surfaces).findings if f.check == "labels"] == []


def test_flipped_labels_are_named_the_clearest_first(surfaces: Path):
    moved = [surfaces / "fine" / "fine03.png", surfaces / "fine" / "fine17.png", surfaces / "coarse" / "coarse08.png"]
    flipped = []
    for photo in moved:
        target = surfaces / ("coarse" if photo.parent.name == "fine" else "fine") / photo.name
        photo.rename(target)
        flipped.append(target.relative_to(surfaces).as_posix())
    found = one(audit(surfaces), "labels")
    assert {path for (path,) in found.samples} == set(flipped)
    suspects = found.facts["suspects"]
    assert {(s["path"], s["predicted"]) for s in suspects} == {
        (f, Path(f).name.rstrip("0123456789.png")) for f in flipped
    }
    assert all(s["confidence"] > 0.75 for s in suspects)
    assert found.score[found.mask].min() > 0.5


def test_where_looks_do_not_tell_the_classes_apart_nothing_is_claimed(tmp_path: Path):
    rng = np.random.default_rng(1)
    for label in ("ok", "defect"):
        (tmp_path / label).mkdir()
        for number in range(EACH):
            picture(_surface(rng, 4)).save(tmp_path / label / f"{label}{number:02d}.png")
    found = one(audit(tmp_path), "labels")
    assert (found.severity, found.count, found.samples) == ("info", 0, ())
    assert "nothing can be said" in found.summary


@pytest.mark.slow
def test_a_rare_class_is_not_judged_and_does_not_stop_the_others(surfaces: Path):
    rng = np.random.default_rng(2)
    (surfaces / "rare").mkdir()
    for number in range(3):
        picture(_surface(rng, 16)).save(surfaces / "rare" / f"{number}.png")
    (surfaces / "fine" / "fine05.png").rename(surfaces / "coarse" / "fine05.png")
    assert one(audit(surfaces), "labels").samples == (("coarse/fine05.png",),)


def test_separability_shows_means_differences_neighbours_and_a_projection(surfaces: Path):
    found = one(audit(surfaces), "separability")
    assert found.severity == "info"
    assert found.facts["nearest_neighbour_balanced_accuracy"] > 0.95
    maps = [e for e in found.exhibits if isinstance(e, MapExhibit)]
    assert [e.signed for e in maps] == [False, False, True]
    (scatter,) = [e for e in found.exhibits if isinstance(e, ScatterExhibit)]
    assert scatter.points.shape == (2 * EACH, 2)
    (table,) = [e for e in found.exhibits if isinstance(e, TableExhibit)]
    assert sum(int(cell) for row in table.rows for cell in row[1:]) == 2 * EACH


def test_the_nearest_photo_is_of_another_part():
    values = np.array([[0.0], [0.1], [5.0], [5.2]])
    labels, parts = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])
    assert nearest_other_part(values, parts, labels).tolist() == [1, 1, 1, 1]


def test_texture_knows_no_turn_by_a_right_angle_and_no_mirror():
    rng = np.random.default_rng(3)
    photo = _surface(rng, 4)[:, :, 0]
    places = 4 * 4 + 1  # the coarse picture, which does know
    plain = texture(photo)[:-places]
    for changed in (np.rot90(photo), photo[:, ::-1]):
        # Halving keeps every second pixel, and the others when the photo is turned: small levels differ a little.
        apart = np.abs(texture(np.ascontiguousarray(changed))[:-places] - plain)
        assert apart[: len(plain) // 4].max() < 1e-5
        assert apart.mean() < 0.1
