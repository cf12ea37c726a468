"""Write a whole set of synthetic castings: photos, masks and the table that describes them."""

from __future__ import annotations

import csv
import io
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gonogo.data.synthetic.camera import expose
from gonogo.data.synthetic.copies import apply, apply_mask, make_transform
from gonogo.data.synthetic.defects import KINDS
from gonogo.data.synthetic.noise import Stream, ndimage, stream
from gonogo.data.synthetic.render import CleanPhoto, check_look, render_clean
from gonogo.errors import UsageError
from gonogo.files import new_folder, write_text

COLUMNS = ("path", "label", "split", "group", "source", "view", "copy_of", "fill", "defects", "mask")
LABELS = ("ok", "defect")
QUALITY = 90  # JPEG quality of the views

Row = dict[str, str]


@dataclass(frozen=True)
class SynthSummary:
    """What was written.

    Attributes:
        folder: the folder with photos, masks and table.
        parts: number of parts.
        photos: number of photos, views and copies together.
        defective_parts: number of parts with defects.
        labels: photos per label.
        kinds: defects per kind, counted once per part.
    """

    folder: Path
    parts: int
    photos: int
    defective_parts: int
    labels: dict[str, int]
    kinds: dict[str, int]


@dataclass(frozen=True)
class _Plan:
    views: int
    copies: int
    difficulty: float
    kinds: tuple[str, ...]
    size: int
    seed: int


def write_castings(
    out: Path,
    *,
    parts: int = 60,
    views: int = 3,
    copies: int = 0,
    defective: float = 0.5,
    difficulty: float = 0.5,
    kinds: Sequence[str] = KINDS,
    size: int = 300,
    seed: int = 0,
    workers: int = 1,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> SynthSummary:
    """Write photos of synthetic castings to a new folder, all or nothing.

    Args:
        out: folder to make, with `photos/ok`, `photos/defect`, `masks` and `manifest.csv`.
        parts: number of parts.
        views: photographs of each part.
        copies: transformed copies for each part, each of one of its views.
        defective: share of the parts that have defects.
        difficulty: 0 for obvious defects to 1 for barely visible ones.
        kinds: defect kinds to draw from.
        size: pixels along each side.
        seed: the same seed and parameters give the same bytes.
        workers: processes to render with; the bytes do not depend on it.
        force: replace a folder that is already there.
        progress: called with (parts done, parts in all) after each part.

    Raises:
        UsageError: a parameter is out of range, or the folder exists or cannot be written.
        MissingExtraError: scipy is not installed.
    """
    check_castings(
        parts=parts,
        views=views,
        copies=copies,
        defective=defective,
        difficulty=difficulty,
        kinds=kinds,
        size=size,
        seed=seed,
        workers=workers,
    )
    plan = _Plan(views, copies, difficulty, tuple(kinds), size, seed)
    bad = defective_parts(parts, defective, seed)
    rows: list[Row] = []
    with new_folder(out, force=force) as folder:
        _make_folders(folder)
        jobs = [(number, number in bad) for number in range(1, parts + 1)]
        for done, found in enumerate(_run(partial(_write_part, folder, plan), jobs, workers), 1):
            rows.extend(found)
            if progress is not None:
                progress(done, parts)
        write_text(folder / "manifest.csv", _table(rows))
    return _summary(out, rows, parts, len(bad))


def _make_folders(folder: Path) -> None:
    for name in (*(f"photos/{label}" for label in LABELS), "masks"):
        (folder / name).mkdir(parents=True)


def defective_parts(parts: int, defective: float, seed: int) -> frozenset[int]:
    """Return the numbers (from 1) of the parts that have defects.

    Each part has a rank of its own; the lowest ranks are the defective ones. The count is exact, and at least one
    part is of each class when the share is neither 0 nor 1 and there are two parts or more.
    """
    count = round(parts * defective)
    if 0 < defective < 1 and parts >= 2:
        count = min(max(count, 1), parts - 1)
    ranks = sorted(range(1, parts + 1), key=lambda number: float(stream(seed, Stream.PLAN, number).random()))
    return frozenset(ranks[:count])


def check_castings(
    *,
    parts: int,
    views: int,
    copies: int,
    defective: float,
    difficulty: float,
    kinds: Sequence[str],
    size: int,
    seed: int,
    workers: int,
) -> None:
    """Check the parameters of `write_castings`.

    Raises:
        UsageError: one of them is out of range.
        MissingExtraError: scipy is not installed.
    """
    limits = (("parts", parts, 1), ("views", views, 1), ("copies", copies, 0), ("workers", workers, 1))
    for name, value, least in limits:
        if value < least:
            raise UsageError(f"{name} is {value}, expected at least {least}; give a larger number")
    if not 0 <= defective <= 1:
        raise UsageError(f"defective is {defective}, expected a share from 0 to 1; give a number there, such as 0.5")
    check_look(difficulty=difficulty, kinds=kinds, size=size, seed=seed)
    ndimage()


def _run(
    work: Callable[[tuple[int, bool]], list[Row]], jobs: list[tuple[int, bool]], workers: int
) -> Iterator[list[Row]]:
    if workers == 1 or len(jobs) == 1:
        yield from map(work, jobs)
        return
    # New processes are spawned, not forked: a fork of a process with threads can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=min(workers, len(jobs)), mp_context=context) as pool:
        yield from pool.map(work, jobs)


def _write_part(folder: Path, plan: _Plan, job: tuple[int, bool]) -> list[Row]:
    number, is_bad = job
    group, label = f"part_{number:04d}", LABELS[is_bad]
    rows: list[Row] = []
    shots: list[tuple[CleanPhoto, bytes]] = []
    for view in range(1, plan.views + 1):
        shot = render_clean(
            number, view, defective=is_bad, difficulty=plan.difficulty, kinds=plan.kinds, size=plan.size, seed=plan.seed
        )
        data = _jpeg(expose(shot.light, shot.view), QUALITY)
        shots.append((shot, data))
        row = _row(f"{group}_view_{view}", label, group, "view", view, shot)
        rows.append(_save(folder, row, data, shot.mask))
    for copy in range(1, plan.copies + 1):
        rows.append(_write_copy(folder, plan, number, copy, shots, rows))
    return rows


def _write_copy(
    folder: Path, plan: _Plan, number: int, copy: int, shots: list[tuple[CleanPhoto, bytes]], rows: list[Row]
) -> Row:
    view = int(stream(plan.seed, Stream.COPY, number, copy, 1).integers(plan.views)) + 1
    shot, data = shots[view - 1]
    transform = make_transform(plan.seed, number, copy, shot.view.pose)
    # A copy is made from the photo as it was stored, JPEG traces and all.
    with Image.open(io.BytesIO(data)) as stored:
        image = apply(np.asarray(stored), transform)
    original = rows[view - 1]
    row = _row(f"{original['group']}_view_{view}_copy_{copy}", original["label"], original["group"], "copy", view, shot)
    row |= {"copy_of": original["path"], "fill": transform.fill}
    return _save(folder, row, _jpeg(image, transform.quality), apply_mask(shot.mask, transform))


def _row(name: str, label: str, group: str, source: str, view: int, shot: CleanPhoto) -> Row:
    return {
        "path": f"photos/{label}/{name}.jpg",
        "label": label,
        "split": "",
        "group": group,
        "source": source,
        "view": str(view),
        "copy_of": "",
        "fill": "",
        "defects": ";".join(defect.kind for defect in shot.defects),
        "mask": f"masks/{name}.png" if shot.defects else "",
    }


def _save(folder: Path, row: Row, data: bytes, mask: NDArray[np.bool_]) -> Row:
    (folder / row["path"]).write_bytes(data)
    if row["mask"]:
        Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).save(folder / row["mask"], optimize=False)
    return row


def _jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    stream_ = io.BytesIO()
    Image.fromarray(image).save(stream_, format="JPEG", quality=quality)
    return stream_.getvalue()


def _table(rows: list[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _summary(out: Path, rows: list[Row], parts: int, bad: int) -> SynthSummary:
    labels = {label: sum(row["label"] == label for row in rows) for label in LABELS}
    once = [row["defects"].split(";") for row in rows if row["source"] == "view" and row["view"] == "1"]
    kinds = {kind: sum(names.count(kind) for names in once) for kind in KINDS}
    return SynthSummary(out, parts, len(rows), bad, labels, kinds)
