"""The whole way from photos to gauge on synthetic castings, in minutes."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gonogo.assess import assess
from gonogo.bench.timer import bench, device_name
from gonogo.data.synthetic import KINDS, write_castings
from gonogo.errors import BarNotMetError
from gonogo.export.gauge import export_gauge
from gonogo.gauge.gauge import Gauge
from gonogo.gauge.golden import verify
from gonogo.report.sheet import Tile, draw_sheet, save_sheet
from gonogo.train.loop import Step
from gonogo.train.prepare import DataOptions
from gonogo.train.run import Run
from gonogo.train.train import TrainRequest, train

PARTS = 400
VIEWS = 2
DIFFICULTY = 0.0
# A crack is two pixels wide: a reduction by 2 keeps it, by 3 (the default for this size) would halve it again.
REDUCE = 2
RECIPE = {"epochs": 120, "batch_size": 16, "patience": 0}


def demo(
    out: Path,
    *,
    seed: int = 0,
    force: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
    report: Callable[[Step], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Draw, train, export, verify, evaluate and time.

    Args:
        out: folder for photos, run and gauge.
        seed: of everything.
        force: replace what an earlier demo left.
        progress: called while photos are drawn, read and asked.
        report: called after each batch and epoch.
        note: called with each line the user should know.

    Returns:
        What ``gonogo demo --json`` prints.

    Raises:
        BarNotMetError: the exported file does not answer as the network did.
    """
    started = time.monotonic()
    photos, run_folder, gauge_folder = out / "photos", out / "run", out / "gauge"
    drawing = None if progress is None else lambda done, total: progress("drawing", done, total)
    summary = write_castings(
        photos,
        parts=PARTS,
        views=VIEWS,
        difficulty=DIFFICULTY,
        seed=seed,
        workers=os.cpu_count() or 1,
        force=force,
        progress=drawing,
    )
    # The photos' table names the parts, and none of them is a copy of another.
    options = DataOptions(reduce=REDUCE, find_copies=False)
    request = TrainRequest(photos, run_folder, recipe={**RECIPE, "seed": seed}, options=options, force=force)
    run = train(request, progress=progress, report=report, note=note)
    gauge = export_gauge(run, gauge_folder, force=force).gauge
    parities = [parity for _, parity in verify(gauge)]
    if not all(parity.holds for parity in parities):
        raise BarNotMetError(f"{gauge_folder} does not answer as the network did")
    result = assess(run_folder, progress=progress)
    return {
        "synth": {**asdict(summary), "folder": str(summary.folder)},
        "run": str(run_folder),
        "gauge": str(gauge_folder),
        "verify": {"max_abs_diff": max(parity.max_abs_diff for parity in parities), "verdicts_equal": True},
        "eval": result.to_json(),
        "bench": {"device": device_name(), "rows": bench(gauge)},
        "mistakes": result.to_json()["mistakes"],
        "picture": str(_draw(gauge, run, out / "gauge.png")),
        "seconds": time.monotonic() - started,
    }


def _draw(gauge: Gauge, run: Run, path: Path) -> Path:
    """Draw what the gauge answers for unseen parts: each kind of defect as it is found most surely, and two good."""
    test = run.manifest().select("test")
    with (test.root / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        defects = {row["path"]: row["defects"] or "ok" for row in csv.DictReader(stream)}
    asked = [(sample, gauge.inspect(test.path_of(sample))) for sample in test.samples]
    tiles = []
    for kind, count, verdict in [*((kind, 1, "no-go") for kind in KINDS), ("ok", 2, "go")]:
        found = [(s, v) for s, v in asked if defects[s.path] == kind and v.verdict == verdict]
        found.sort(key=lambda pair: pair[1].prob, reverse=verdict == "no-go")
        for sample, answer in found[:count]:
            title = f"{verdict}: {'good part' if kind == 'ok' else kind}"
            detail = f"probability of a defect {answer.prob:.3f}"
            tiles.append(Tile(gauge.read(test.path_of(sample)), answer.heatmap, verdict, title, detail))
    size = sum(file.size_bytes for file in gauge.files)
    title = f"A gauge of {size / 1000:.0f} kB, and where it looks"
    subtitle = "parts it never saw; left the photo, right where the network finds its reason"
    save_sheet(draw_sheet(tiles, gauge.facts.grid, title, subtitle), path)
    return path
