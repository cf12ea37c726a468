"""The photos of a finished run again, as it was trained on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gonogo.data.cache import reduced_pixels
from gonogo.errors import UsageError
from gonogo.splitting import Progress
from gonogo.train.prepare import Prepared
from gonogo.train.run import Run
from gonogo.types import Rate


def reopen(run: Run, data: Path | None = None, progress: Progress | None = None) -> Prepared:
    """Return a run's photos in its own split and geometry; nothing is split or chosen anew.

    Args:
        run: finished.
        data: the folder that its photos stand in now, where they were moved.
        progress: called while photos are read and reduced.

    Raises:
        UsageError: the folder does not hold the run's photos.
        DataError: a photo is gone, or cannot be decoded.
    """
    manifest, config = run.manifest(), run.config
    if data is not None:
        manifest = replace(manifest, root=data if data.is_dir() else data.parent)
        gone = [sample.path for sample in manifest.samples if not manifest.file_of(sample).exists()]
        if gone:
            raise UsageError(
                f"{data} lacks {len(gone):,} of the {len(manifest):,} photos that {run.path} was trained on, such as "
                f"{gone[0]}; give the folder that holds them, or leave DATA out"
            )
    named = None if progress is None else lambda done, total: progress("reducing", done, total)
    pixels = reduced_pixels(manifest, config.geometry, progress=named)
    leaky = {name: Rate(**rate) for name, rate in (config.leaky or {}).items()}
    alone = run.metrics.get("good_alone") is not None
    return Prepared(manifest, config.task, config.geometry, pixels, (), leaky, alone)
