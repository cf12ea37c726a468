"""Fixtures that several rooms share: a cache of their own, synthetic photos, a trained run and its gauge."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers import REPOSITORY, skip, write_plates

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PLATES_EACH = 30
# Without the second line Chromium asks its maker's servers for news at every start.
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic"]
CHROMIUM_FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
# The camera shows a test picture; a page still needs leave to use it.
CHROMIUM_FLAGS += ["--use-fake-device-for-media-stream"]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test, and no process that a test starts, touches the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GONOGO_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder for one test alone."""
    folder = tmp_path / "own-cache"
    monkeypatch.setenv("GONOGO_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photos; skipped where it is absent, but never in continuous integration."""
    folder = Path(os.environ.get("GONOGO_DATA") or REPOSITORY / ".." / "shared" / "data")
    folder = folder if folder.is_absolute() else REPOSITORY / folder
    if not (folder / "casting").is_dir():
        reason = f"no real photos in {folder}; set GONOGO_DATA to the folder that holds casting/, x-sdd/ and neu-voc/"
        skip(reason)
    return folder.resolve()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium; its tests are skipped where there is none, but never in continuous integration."""
    names = (os.environ.get("GONOGO_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    program = next((found for found in map(shutil.which, names) if found), None)
    if program is None:
        skip("no Chromium found; run scripts/install-browser.sh, or set GONOGO_CHROMIUM to its program")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def castings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photos of each of 24 synthetic castings, 200 pixels wide, with plain defects."""
    from gonogo.data.synthetic import write_castings

    folder = tmp_path_factory.mktemp("synthetic") / "castings"
    write_castings(folder, parts=24, views=2, difficulty=0.0, size=200, seed=3)
    return folder


@pytest.fixture(scope="session")
def plates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos so plain that three epochs tell them apart."""
    return write_plates(tmp_path_factory.mktemp("plates") / "photos", PLATES_EACH)


@pytest.fixture(scope="session")
def run_folder(plates: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on the plates. Read it, never write to it."""
    from gonogo.train.train import TrainRequest, train

    folder = tmp_path_factory.mktemp("trained") / "run"
    train(TrainRequest(plates, folder, recipe={"epochs": 3, "batch_size": 8, "seed": 0}))
    return folder


@pytest.fixture(scope="session")
def gauge_folder(run_folder: Path) -> Path:
    """The gauge of that run. Read it, never write to it."""
    from gonogo.export.gauge import export_gauge
    from gonogo.train.run import Run

    folder = run_folder.parent / "gauge"
    export_gauge(Run.open(run_folder), folder)
    return folder
