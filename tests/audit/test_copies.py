"""Copies are found whatever was done to them; look-alikes and parts photographed anew are left alone."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2")
pytest.importorskip("faiss")
pytest.importorskip("scipy")

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from gonogo.audit.copies import Copies, find_copies
from gonogo.audit.copies.groups import Forest
from gonogo.data.synthetic import render_photo, write_castings
from gonogo.errors import MissingExtraError
from gonogo.types import Int64Array, UInt8Array
from helpers_copies import compress, make_planted, precision_recall

SIZE = 150


def _read(folder: Path) -> tuple[list[UInt8Array], Int64Array]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    photos = [np.array(Image.open(folder / row["path"]).convert("L")) for row in rows]
    return photos, np.array([int(row["group"].removeprefix("part_")) for row in rows], dtype=np.int64)


def _texture(seed: int, side: int = 160) -> UInt8Array:
    """A surface of its own: smoothed noise at two scales."""
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    noise = sum(
        ndimage.gaussian_filter(rng.standard_normal((side, side)), sigma) * sigma * weight
        for sigma, weight in ((1.5, 40.0), (6.0, 30.0))
    )
    return np.clip(128 + noise, 0, 255).astype(np.uint8)


def _find(photos: list[UInt8Array], **options: object) -> Copies:
    return find_copies(photos, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def castings(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[UInt8Array], Int64Array]:
    out = tmp_path_factory.mktemp("castings") / "set"
    write_castings(out, parts=20, views=1, copies=4, size=SIZE, seed=3)
    return _read(out)


def test_copies_of_castings(castings: tuple[list[UInt8Array], Int64Array]) -> None:
    photos, truth = castings
    found = _find(photos)
    precision, recall = precision_recall(truth, found.groups)
    assert precision == 1
    assert recall >= 0.9
    assert ((found.confidence >= 0.5) & (found.confidence <= 1)).all()
    for pair in found.pairs:
        assert truth[pair.i] == truth[pair.j]
        assert found.groups[pair.i] == found.groups[pair.j]
        assert 0.5 <= pair.confidence <= 1


def test_a_part_photographed_anew_is_no_copy(tmp_path: Path) -> None:
    write_castings(tmp_path / "set", parts=8, views=3, copies=0, size=SIZE, seed=5)
    photos, _ = _read(tmp_path / "set")
    assert len(np.unique(_find(photos).groups)) == len(photos)


def test_same_answer_twice_with_any_number_of_threads(castings: tuple[list[UInt8Array], Int64Array]) -> None:
    photos = castings[0][:60]
    one, two = _find(photos, count=1), _find(photos, count=2)
    assert (one.groups == two.groups).all()
    assert [(p.i, p.j, p.confidence) for p in one.pairs] == [(p.i, p.j, p.confidence) for p in two.pairs]


def test_order_does_not_matter(castings: tuple[list[UInt8Array], Int64Array]) -> None:
    photos, truth = castings
    back = _find(photos[::-1])
    assert precision_recall(truth[::-1], back.groups)[0] == 1
    assert precision_recall(_find(photos).groups[::-1], back.groups)[1] >= 0.9


def test_planted_on_textures() -> None:
    photos, truth = make_planted([_texture(seed) for seed in range(20)], 3, seed=1)
    precision, recall = precision_recall(truth, _find(photos).groups)
    assert precision == 1
    assert recall >= 0.9


def test_the_same_photo_twice() -> None:
    photos = [_texture(1), _texture(2), _texture(1)]
    found = _find(photos)
    assert found.groups.tolist() == [0, 1, 0]
    (pair,) = found.pairs
    assert (pair.i, pair.j, pair.mirrored) == (0, 2, False)
    assert np.allclose(pair.matrix, [[1, 0, 0], [0, 1, 0]], atol=0.02)
    assert pair.confidence > 0.99


@pytest.mark.parametrize("size", [40, 160, 330])
def test_a_mirrored_photo_and_where_it_lies(size: int) -> None:
    photo = _texture(7, size)
    found = _find([photo, compress(photo[:, ::-1].copy(), 85), _texture(8, size)])
    assert found.groups.tolist() == [0, 0, 1]
    (pair,) = found.pairs
    assert pair.mirrored
    assert np.allclose(pair.matrix[:, :2], [[-1, 0], [0, 1]], atol=0.02)
    assert np.allclose(pair.matrix @ [0, 0, 1], [size - 1, 0], atol=1.5)


def test_crops_that_overlap() -> None:
    large = _texture(3, 320)
    crops = [large[:200, :200], large[60:260, 50:250], large[110:310, 110:310]]
    found = _find([*crops, _texture(4, 200)])
    assert found.groups.tolist() == [0, 0, 0, 1]
    first = next(pair for pair in found.pairs if (pair.i, pair.j) == (0, 1))
    assert np.allclose(first.matrix, [[1, 0, 50], [0, 1, 60]], atol=0.5)


def test_unrelated_photos_stay_apart() -> None:
    photos = [_texture(seed) for seed in range(15)]
    photos += [render_photo(part, 1, defective=False, size=SIZE, seed=2)[0] for part in range(1, 16)]
    found = _find(photos)
    assert found.groups.tolist() == list(range(30))
    assert found.pairs == ()
    assert (found.confidence == 1).all()


def test_nothing_and_next_to_nothing() -> None:
    assert len(_find([]).groups) == 0
    assert _find([_texture(1)]).groups.tolist() == [0]
    flat = [np.full((80, 80), grey, dtype=np.uint8) for grey in (0, 0, 128, 255)]
    assert _find([*flat, _texture(1), _texture(1)]).groups.tolist() == [0, 1, 2, 3, 4, 4]


def test_sizes_may_differ() -> None:
    photos = [
        _texture(1, 200),
        _texture(2, 120),
        _texture(1, 200)[:, :150],
        _texture(3, 900),
        np.zeros((9, 300), np.uint8),
    ]
    assert _find(photos).groups.tolist() == [0, 1, 0, 2, 3]


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingExtraError, match="faiss-cpu"):
        _find([_texture(1), _texture(2)])


def test_forest() -> None:
    forest = Forest(5)
    assert forest.join(4, 2)
    assert forest.join(2, 1)
    assert not forest.join(1, 4)
    assert forest.size(4) == 3
    assert forest.names().tolist() == [0, 1, 1, 3, 1]
