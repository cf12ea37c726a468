"""Threads and processes see the same; what was searched once is remembered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2")
pytest.importorskip("faiss")
pytest.importorskip("loky")

from gonogo import workers as room
from gonogo.audit.looks import Looks
from gonogo.audit.visit import copies_of, looks_and_copies
from gonogo.data.formats import read_dataset
from gonogo.data.scan import Scan, scan
from gonogo.data.synthetic import write_castings
from gonogo.errors import DataError


@pytest.fixture(scope="module")
def castings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("visit") / "set"
    write_castings(out, parts=8, views=1, copies=3, size=100, seed=4)
    return out / "photos"


@pytest.fixture
def found(castings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scan:
    monkeypatch.setenv("GONOGO_CACHE", str(tmp_path / "cache"))
    return scan(read_dataset(castings))


def _different(one: Looks, two: Looks) -> list[str]:
    return [name for name in vars(one) if not np.array_equal(getattr(one, name), getattr(two, name))]


def test_processes_see_what_threads_see(found: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with room.workers(1, 2) as threads:
        looks, copies = looks_and_copies(found, threads)
    monkeypatch.setenv("GONOGO_CACHE", str(tmp_path / "another"))
    with room.workers(room.FEW, 2) as processes:
        assert type(processes).__name__ == "ProcessPoolExecutor"
        again, others = looks_and_copies(scan(found.manifest), processes)
    assert _different(looks, again) == []
    assert len(copies.pairs) >= 8
    assert [(p.i, p.j, p.confidence) for p in copies.pairs] == [(p.i, p.j, p.confidence) for p in others.pairs]
    assert (copies.groups == others.groups).all()


def test_a_search_is_remembered_and_its_progress_ends(found: Scan) -> None:
    told: list[tuple[int, int]] = []
    first = copies_of(found, progress=lambda done, of: told.append((done, of)))
    n = len(found.manifest)
    assert told == sorted(told)
    assert told[-1] == (n, n)
    told.clear()
    assert (copies_of(found, progress=lambda done, of: told.append((done, of))).groups == first.groups).all()
    assert not told
    with room.workers(1) as executor:
        looks, same = looks_and_copies(found, executor, progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (n, n)
    assert len(looks.texture) == n
    assert [p.confidence for p in same.pairs] == [p.confidence for p in first.pairs]


def test_a_photo_that_goes_missing_meanwhile_is_named(castings: Path, found: Scan, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for sample in found.manifest.samples[:2]:
        target = copy / sample.path
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.open(castings / sample.path).save(target)
    (copy / "other").mkdir()
    Image.new("L", (50, 50), 90).save(copy / "other" / "grey.png")
    seen = scan(read_dataset(copy))
    (copy / "other" / "grey.png").unlink()
    with pytest.raises(DataError, match=r"other/grey\.png: cannot be read"):
        copies_of(seen)
