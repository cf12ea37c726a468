"""The files that a comparison leaves: the ranking as a table, and every answer it rests on."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gonogo.data.manifest import Manifest
from gonogo.files import atomic_file, write_text
from gonogo.types import Float32Array, Int64Array


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the ranking as CSV: a column for each figure, and for each end of its interval."""
    buffer = io.StringIO()
    flat = [
        {
            f"{name}_{part}" if isinstance(value, dict) and part != "value" else name: item
            for name, value in row.items()
            for part, item in (value.items() if isinstance(value, dict) else [("value", value)])
            if part not in ("n", "unit")
        }
        for row in rows
    ]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    writer = csv.DictWriter(buffer, fieldnames=["rank", *columns], lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows({"rank": rank, **row} for rank, row in enumerate(flat, start=1))
    write_text(path, buffer.getvalue())


def write_answers(path: Path, manifest: Manifest, folds: Int64Array, answers: Mapping[str, Float32Array]) -> None:
    """Write every answer: candidate, round, fold, path, label, group and the probability of each class.

    Args:
        path: the Parquet file.
        manifest: the N photos.
        folds: (R, N) the fold of each in each round.
        answers: candidate to (R, N, K) probabilities.
    """
    samples, pieces = manifest.samples, []
    for name, rounds in answers.items():
        for number, pred_probs in enumerate(rounds):
            columns: dict[str, Any] = {
                "candidate": [name] * len(samples),
                "round": [number] * len(samples),
                "fold": folds[number],
                **{key: [getattr(sample, key) for sample in samples] for key in ("path", "label", "group")},
                **{f"prob_{label}": pred_probs[:, k] for k, label in enumerate(manifest.classes)},
            }
            pieces.append(pa.table(columns))
    with atomic_file(path) as temporary:
        pq.write_table(pa.concat_tables(pieces), temporary)
