"""The whole way from photos to gauge on synthetic castings, in minutes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gonogo.assess import assess
from gonogo.bench.timer import bench, device_name
from gonogo.data.synthetic import write_castings
from gonogo.errors import BarNotMetError
from gonogo.export.gauge import export_gauge
from gonogo.gauge.golden import verify
from gonogo.train.loop import Step
from gonogo.train.train import TrainRequest, train

PARTS = 240
VIEWS = 2
DIFFICULTY = 0.25
EPOCHS = 40


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
    request = TrainRequest(photos, run_folder, recipe={"epochs": EPOCHS, "seed": seed}, force=force)
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
        "picture": str(result.folder / "mistakes.png"),
        "seconds": time.monotonic() - started,
    }
