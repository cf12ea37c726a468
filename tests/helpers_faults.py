"""A data set with every fault that an audit must find, each of them known."""

from __future__ import annotations

import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from gonogo.data.synthetic import write_castings
from tests.helpers import picture, write_deep

PARTS, SIZE, TEST_EVERY = 140, 150, 5
EXACT, TURNED, FLIPPED, CUT = 5, 5, 10, 3
ANGLE = 37


@dataclass(frozen=True)
class Faults:
    """What was planted, as paths below the folder.

    Attributes:
        folder: of the photos, train|test/ok|defect|crack.
        exact: (train, test) pairs of files with the same bytes.
        turned: (train, test) pairs of which the second is turned by 37 degrees and compressed again.
        flipped: photos in the folder of the other class.
        truncated: files that end too early.
        deep: a 12-bit photo in a 16-bit PNG.
        stray: files that are no photos.
        emptied: (split, class) of a folder without photos.
    """

    folder: Path
    exact: tuple[tuple[str, str], ...]
    turned: tuple[tuple[str, str], ...]
    flipped: tuple[str, ...]
    truncated: tuple[str, ...]
    deep: str
    stray: tuple[str, ...]
    emptied: tuple[str, str]


def plant_faults(folder: Path, seed: int = 0) -> Faults:
    """Write castings, good ones as PNG and bad ones as JPEG, and spoil them."""
    rng = np.random.default_rng(seed)
    source = folder.parent / f"{folder.name}-source"
    write_castings(source, parts=PARTS, views=1, difficulty=0.0, size=SIZE, seed=seed)
    places: dict[tuple[str, str], list[str]] = {}
    for number, photo in enumerate(sorted((source / "photos").rglob("*.jpg"))):
        split, label = "test" if number % TEST_EVERY == 0 else "train", photo.parent.name
        name = f"{split}/{label}/{number:04d}{'.png' if label == 'ok' else '.jpg'}"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if label == "ok":
            Image.open(photo).save(folder / name)
        else:
            shutil.copyfile(photo, folder / name)
        places.setdefault((split, label), []).append(name)
    shutil.rmtree(source)
    train_ok, train_bad = (rng.permutation(places["train", label]).tolist() for label in ("ok", "defect"))
    exact = tuple(_copy(folder, train_ok.pop(), number) for number in range(EXACT))
    turned = tuple(_turn(folder, train_bad.pop(), number) for number in range(TURNED))
    flipped = tuple(_flip(folder, (train_ok if k % 2 else train_bad).pop()) for k in range(FLIPPED))
    truncated = tuple(_cut(folder, train_bad.pop()) for _ in range(CUT))
    deep = "train/ok/deep.png"
    write_deep(folder / deep, SIZE, 4095)
    (folder / "train/ok/Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (folder / "train/defect/notes.txt").write_text("lamp changed on Monday")
    (folder / "train/crack").mkdir()
    (folder / "test/crack").mkdir()
    for number in range(4):
        lines = rng.integers(60, 200, (SIZE, 1, 1)) + rng.normal(0, 12, (SIZE, SIZE, 1))
        picture(lines.clip(0, 255).astype(np.uint8)).save(folder / f"test/crack/line{number}.jpg", quality=92)
    stray = ("train/defect/notes.txt", "train/ok/Thumbs.db")
    return Faults(folder, exact, turned, flipped, truncated, deep, stray, ("train", "crack"))


def _copy(folder: Path, name: str, number: int) -> tuple[str, str]:
    copied = f"test/ok/again{number}.png"
    shutil.copyfile(folder / name, folder / copied)
    return name, copied


def _turn(folder: Path, name: str, number: int) -> tuple[str, str]:
    copied = f"test/defect/turned{number}.jpg"
    with Image.open(folder / name) as photo:
        photo.rotate(ANGLE, Image.Resampling.BILINEAR).save(folder / copied, quality=75)
    return name, copied


def _flip(folder: Path, name: str) -> str:
    moved = name.replace("/ok/", "/#/").replace("/defect/", "/ok/").replace("/#/", "/defect/")
    (folder / name).rename(folder / moved)
    return moved


def _cut(folder: Path, name: str) -> str:
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(io.BytesIO(whole).read(len(whole) // 2))
    return name
